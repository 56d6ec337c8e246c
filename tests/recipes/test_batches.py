"""`data.batches` on the drawn data set of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from asclip.data.batches import Batches, Sampling
from asclip.data.dataset import Dataset
from asclip.data.texts import pieces
from asclip.errors import DataError
from asclip.towers.tokenizer import Tokenizer
from asclip.types import Tokens


def make(data: Path, *, share: tuple[int, int] = (0, 1), **sampling: object) -> Batches:
    part = Dataset.open(data).split("train")
    found = pieces(part.texts())
    tokenizer = Tokenizer.train(found.texts)
    how = Sampling(**({"augment": 0.5} | sampling))
    return Batches(part, found, tokenizer.encode, size=8, seed=3, sampling=how, share=share)


def test_a_step_is_the_same_each_time_and_another_step_is_not(data: Path) -> None:
    batches = make(data)
    one, two, other = batches.at(5), make(data).at(5), batches.at(6)
    assert torch.equal(one.images["image"], two.images["image"])
    assert torch.equal(one.facts.targets["text"], two.facts.targets["text"])
    assert not torch.equal(one.facts.targets["study"], other.facts.targets["study"])


def test_an_epoch_shows_no_study_twice(data: Path) -> None:
    batches = make(data)
    shown = torch.cat([batches.at(k).facts.targets["study"] for k in range(batches.per_epoch)])
    assert len(shown.unique()) == len(shown) == batches.per_epoch * 8


@pytest.mark.parametrize("texts", ["report", "sentence", "sentences", "mixed"])
def test_two_processes_see_together_what_one_sees(data: Path, texts: str) -> None:
    whole = make(data, texts=texts).at(2)
    halves = [make(data, share=(rank, 2), texts=texts).at(2) for rank in (0, 1)]
    images = torch.cat([half.images["image"] for half in halves])
    torch.testing.assert_close(images, whole.images["image"])
    for name in ("study", "owner", "text"):
        joined = torch.cat([half.facts.targets[name] for half in halves])
        assert torch.equal(joined, whole.facts.targets[name])


@pytest.mark.parametrize("texts", ["mixed", "sentences"])
def test_whole_says_how_often_the_whole_text_comes(data: Path, texts: str) -> None:
    for whole in (0.0, 1.0):
        batches = make(data, texts=texts, whole=whole, per_study=1)
        for step in range(6):
            targets = batches.at(step).facts.targets
            said = set(zip(targets["owner"].tolist(), targets["text"].tolist(), strict=True))
            for study in set(targets["owner"].tolist()):
                # Every drawn report has two sentences, so its whole text is none of them.
                assert ((study, int(batches.pieces.whole[study])) in said) == bool(whole)


def test_rows_of_the_tokens_are_the_texts_of_the_studies(data: Path) -> None:
    batches = make(data, texts="report")
    batch = batches.at(0)
    tokens, targets = batch.texts["text"], batch.facts.targets
    assert isinstance(tokens, Tokens)
    assert tokens.rows is not None
    assert targets["owner"].tolist() == targets["study"].tolist()
    for row, text in enumerate(targets["text"].tolist()):
        ids = tokens.ids[tokens.rows[row]][tokens.mask[tokens.rows[row]]].numpy()
        start, stop = batches.starts[text : text + 2]
        assert np.array_equal(ids, batches.ids[start:stop])
        assert text == batches.pieces.whole[targets["study"][row]]


def test_pixels_are_the_cached_ones_normalised(data: Path) -> None:
    batches = make(data, augment=0.0)
    batch = batches.at(0)
    row = int(batch.facts.targets["study"][0])
    item = np.asarray(batches.dataset.pixels[batches.slots[row][0]])
    expected = (item.astype(np.float32) / 255 - 0.5) / 0.25
    torch.testing.assert_close(batch.images["image"][0, 0], torch.from_numpy(expected))


def test_one_study_is_too_few(data: Path) -> None:
    part = Dataset.open(data).split("train").take(np.array([0]))
    with pytest.raises(DataError, match="at least 2 studies"):
        Batches(part, pieces(part.texts()), None, size=2, seed=0, sampling=Sampling())
