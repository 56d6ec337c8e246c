from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asclip.tasks.textual.probe import probe
from asclip.tasks.textual.rows import BagOfWords
from asclip.types import Encoded


def model() -> SimpleNamespace:
    def encode(texts: list[str]) -> Encoded:
        rows = [[float("mass" in t), float("clear" in t), float(len(t) % 3)] for t in texts]
        return Encoded(torch.tensor(rows))

    return SimpleNamespace(encode_texts=encode, preprocessing=SimpleNamespace(digest="abc"))


def side(toy_data, name: str, number: int = 40, *, text: bool = True):
    truth = np.arange(number) % 2
    texts = ["a mass is seen" if one else "the lungs are clear" for one in truth]
    data = toy_data(np.ones((number, 1)), text=texts if text else [""] * number)
    data.studies["label:mass"] = truth.astype(float)
    data.studies["label:noise"] = (np.arange(number) // 2 % 2).astype(float)
    data.studies["patient"] = [f"{name}{row // 2}" for row in range(number)]
    data.studies["split"] = name
    return data


def test_labels_that_the_report_tells_are_read_and_others_are_not(toy_data) -> None:
    sides = [side(toy_data, name) for name in ("train", "val", "test")]
    scores, found = probe(model(), *sides, resamples=50)
    known = {(s.task, s.label): s for s in scores if s.metric == "auroc"}
    assert known["text-probe", "mass"].value == 1.0
    assert known["text-probe-words", "mass"].value == 1.0
    assert known["text-probe", "noise"].value == 0.5
    assert set(found) == {"text-probe", "text-probe-words"}
    before = found["text-probe"].scores.copy()
    sides[2].studies["label:mass"] = 1 - sides[2].studies["label:mass"]
    scores, found = probe(model(), *sides, resamples=50)
    np.testing.assert_array_equal(found["text-probe"].scores, before)  # test labels fit nothing
    assert next(s for s in scores if s.label == "mass").value == 0.0


def test_a_study_without_a_report_has_no_score(toy_data) -> None:
    sides = [side(toy_data, name) for name in ("train", "val", "test")]
    sides[2].studies.loc[3, "text"] = ""
    scores, found = probe(model(), *sides, resamples=20)
    assert np.isnan(found["text-probe"].scores[3]).all()
    assert next(s for s in scores if s.label == "mass").n == 39


@pytest.mark.parametrize(
    ("known", "done"),
    [(0, "train, on which the probe is fitted"), (1, "val, on which the probe is chosen")],
)
def test_studies_of_a_patient_whom_the_probe_knows_are_not_scored(
    toy_data, known: int, done: str
) -> None:
    sides = [side(toy_data, name) for name in ("train", "val", "test")]
    sides[known].studies.loc[[0, 1, 9], "patient"] = ["test3", "test3", "test4"]
    scores, found = probe(model(), *sides, resamples=20)
    assert found == {}
    assert [one.task for one in scores] == ["text-probe", "text-probe-words"]
    assert all(np.isnan(one.value) for one in scores)
    assert {one.why_nan for one in scores} == {f"2 of the scored patients are in {done}"}


def test_what_is_missing_is_said(toy_data) -> None:
    sides = [side(toy_data, name) for name in ("train", "val", "test")]
    for broken, reason in (
        ([side(toy_data, "train", text=False), *sides[1:]], "no study of train has a report"),
        ([*sides[:2], toy_data(np.ones((4, 1)), text=["x"] * 4)], "no label column"),
    ):
        scores, found = probe(model(), *broken)
        assert found == {}
        assert [s.task for s in scores] == ["text-probe", "text-probe-words"]
        assert all(np.isnan(s.value) and reason in s.why_nan for s in scores)


def test_a_bag_knows_the_words_and_not_their_order() -> None:
    bag = BagOfWords(["No mass, no nodule.", "A mass."])
    one, other = bag.vectors(["mass no nodule", "NO nodule; mass unknownword"])
    np.testing.assert_array_equal(one, other)
    assert one.sum() == 3
    assert next(iter(bag.column)) == "mass"  # in most texts
