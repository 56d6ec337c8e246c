from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.clinical.extract import mentions, states
from asclip.tasks.textual.generated import WORDINGS, Said, spoken_of, version
from asclip.tasks.textual.negation import compare, image_twins, negation, twins
from asclip.types import Encoded

NAMES = ("pneumothorax", "hiatal hernia", "cardiomegaly", "rib fracture")


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_compare_is_the_plain_loop() -> None:
    vectors = unit(3, 2, 4, 5)
    vectors[1] = vectors[1, 0, 0]  # all texts of one finding are equal: every pair ties
    right, contrary, alike = compare(vectors)
    for f in range(3):
        hits, near, far = [], [], []
        for side in (0, 1):
            for i in range(4):
                for j in range(4):
                    if i != j:
                        same = float(vectors[f, side, i] @ vectors[f, side, j])
                        other = float(vectors[f, side, i] @ vectors[f, 1 - side, i])
                        hits.append(0.5 if abs(same - other) < 1e-9 else float(same > other))
                        near.append(1 - same)
        far = [1 - float(vectors[f, 0, i] @ vectors[f, 1, i]) for i in range(4)]
        np.testing.assert_allclose(right[f], hits)
        np.testing.assert_allclose(alike[f], near, atol=1e-12)
        np.testing.assert_allclose(contrary[f], far, atol=1e-12)


class Reader:
    """Reads a text's facts by the clinical rules: [finding, sign] one-hot, or what `code` says."""

    scorer = None

    def __init__(self, code: Callable[[str, bool], np.ndarray]) -> None:
        from types import SimpleNamespace

        self.code, self.preprocessing = code, SimpleNamespace(digest="abc")

    def encode_texts(self, texts: list[str]) -> Encoded:
        rows = [
            sum(self.code(m.finding, m.assertion == "present") for m in mentions(text))
            for text in texts
        ]
        return Encoded(torch.tensor(np.stack(rows), dtype=torch.float32))

    def encode_images(self, data) -> Encoded:
        return Encoded(torch.tensor(data.vectors, dtype=torch.float32))

    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        return image.pooled @ text.pooled.T


def signed(finding: str, present: bool) -> np.ndarray:
    row = np.zeros(len(NAMES))
    row[NAMES.index(finding)] = 1.0 if present else -1.0
    return row


def reports(toy_data, facts: np.ndarray):
    texts = [
        " ".join(Said(name, bool(f), k % WORDINGS).text for name, f in zip(NAMES, row, strict=True))
        for k, row in enumerate(facts)
    ]
    return toy_data(2.0 * facts - 1.0, text=texts)


def test_who_hears_the_no_is_right_and_who_does_not_ties(toy_data) -> None:
    data = reports(toy_data, np.random.default_rng(0).random((12, 4)) < 0.5)
    hears = {(s.task, s.metric): s for s in negation(Reader(signed), data, resamples=50)}
    right = hears["negation", "paraphrase_before_contrary"]
    assert (right.value, right.low, right.chance) == (1.0, 1.0, 0.5)
    assert right.n == len(NAMES) * 2 * WORDINGS * (WORDINGS - 1)
    assert right.prompts == version()
    assert hears["negation", "contrary_distance"].value == 2.0
    # One word apart: the words alone put the contrary first, whatever the finding.
    assert hears["negation-words", "paraphrase_before_contrary"].value == 0.0
    deaf = negation(Reader(lambda name, _: np.abs(signed(name, True))), data, resamples=50)
    assert deaf[0].value == 0.5


def test_an_image_is_nearer_to_its_report_than_to_the_contrary(toy_data) -> None:
    data = reports(toy_data, np.random.default_rng(1).random((30, 4)) < 0.3)
    one = image_twins(Reader(signed), data, resamples=50)
    assert (one.value, one.n, one.chance) == (1.0, 30, 0.5)
    # Whoever prefers denials is right for all that are denied and none that are affirmed.
    denier = Reader(lambda name, present: np.full(4, 0.0 if present else 1.0))
    data.vectors[:] = 1.0
    assert image_twins(denier, data, resamples=50).value == 0.5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(Said, st.sampled_from(NAMES), st.booleans(), st.integers(0, WORDINGS - 1)),
        min_size=1, max_size=6,
    ),
    st.integers(0, 99),
)  # fmt: skip
def test_twins_differ_in_one_finding_alone(said: list[Said], seed: int) -> None:
    found = twins(" ".join(one.text for one in said), np.random.default_rng(seed))
    mixed = {
        s.finding
        for s in said
        if any(s.finding == t.finding and s.present != t.present for t in said)
    }
    if found is None:
        assert mixed == {s.finding for s in said}
        return
    true, false = (states(mentions(text), inherit=False) for text in found[:2])
    true.pop("no finding", None)
    false.pop("no finding", None)
    (changed,) = [name for name in true if true[name] != false[name]]
    assert changed not in mixed
    assert {true[changed], false[changed]} == {"present", "absent"}
    assert (true[changed] == "present") == found[2]


def test_without_reports_each_score_says_why(toy_data) -> None:
    data = toy_data(np.ones((4, 4)), text=["", "", "", ""])
    scores = [*negation(Reader(signed), data), image_twins(Reader(signed), data)]
    assert all(np.isnan(s.value) and s.why_nan and s.n == 0 for s in scores)
    assert spoken_of(["Clear lungs."]) == ()
