"""What the card tells of retrieval: the pool, and queries with their best candidates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from asclip.card import Card
from asclip.card.tables import arrange
from asclip.card.view import examples
from asclip.files.preprocessing import Preprocessing
from asclip.recipes.pictures import examples as choose
from asclip.types import Predictions


def test_bars_of_all_examples_have_one_scale_and_a_zero_line(card: Card) -> None:
    texts = [("a", 0.078, False), ("b", -0.105, True)]
    one = replace(card.examples[0], candidates=texts)
    other = replace(one, candidates=[("a", 0.3, True)])
    first, second = examples(replace(card, examples=[one, other]), include_images=False, most=9)
    spread = 0.3 + 0.105
    zero = pytest.approx(100 * 0.105 / spread)
    bars = [found[3] for shown in (first, second) for found in shown["candidates"]]
    assert [bar[0] for bar in bars] == [zero] * 3
    assert [bar[1] for bar in bars] == [zero, 0.0, zero]
    assert [bar[2] for bar in bars] == pytest.approx(
        [100 * v / spread for v in (0.078, 0.105, 0.3)]
    )


def test_distinct_texts_stand_beside_the_pool(card: Card) -> None:
    ids = np.array(["a", "b"])
    facts = {"task": "retrieval", "split": "test", "prompts": "", "distinct_texts": 12}
    ranks = Predictions(np.ones((2, 2)), np.ones((2, 2)), ("x", "y"), ids, ids, facts)
    tables = arrange(card.scores, [*card.predictions, ranks], card.bound).retrieval
    assert [table.texts for table in tables] == [12, 12]
    tables = arrange(card.scores, card.predictions, card.bound).retrieval
    assert [table.texts for table in tables] == [None, None]


def test_candidates_are_distinct_texts() -> None:
    texts = ["A mass.", "a MASS.", "Clear.", "Old.", "New."]
    part = SimpleNamespace(
        texts=lambda: texts,
        pixels=np.zeros((5, 4, 4), np.uint8),
        image_rows=lambda: [[i] for i in range(5)],
        preprocessing=Preprocessing(size=(4, 4)),
    )
    ids = np.arange(5).astype(str)
    rank = np.full((5, 2), np.nan)
    rank[2] = 3.0
    top = np.full((5, 10), -1)
    top[2, :5] = [1, 0, 2, 4, 3]
    close, hits = np.full((5, 10), np.nan), np.zeros((5, 10), bool)
    close[2, :5], hits[2, 2] = [0.9, 0.9, 0.5, 0.4, 0.1], True
    facts = {"top": top, "top_similarity": close, "top_hits": hits}
    facts = {f"image_to_text_{name}": values for name, values in facts.items()}
    found = Predictions(rank, rank, ("x", "y"), ids, ids, facts)
    (one,) = choose(found, part)
    assert one.candidates == [("a MASS.", 0.9, False), ("Clear.", 0.5, True), ("New.", 0.4, False)]
    assert one.first_hit_rank == 3
