"""A run is asked what it was trained on, whatever data set it is evaluated on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.recipes.exam import Exam, opened
from asclip.recipes.seen import seen
from asclip.recipes.suite import GUARD, examine


@pytest.fixture(scope="module")
def again(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table that the run was trained on, split with another seed."""
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    folder = tmp_path_factory.mktemp("again") / "data"
    return ingest(Table(data.parent / "reports.csv"), folder, how, workers=0, seed=5).root


def elsewhere(exam: Exam, **changed: str | None) -> Exam:
    """The exam of a run whose record tells another place or split of its data set."""
    return replace(exam, record=exam.record | {"data": exam.record["data"] | changed})


def test_images_of_the_training_side_of_another_data_set_are_counted(
    run: Path, data: Path, again: Path
) -> None:
    exam = opened(run, again, "test", [])
    scores, (warning,) = seen(exam)
    here, own = exam.part.images["digest"].tolist(), Dataset.open(data)
    for one, side, words in zip(
        scores, ("train", "val"), ("are in its train", "in its val"), strict=True
    ):
        known = sum(digest in own.split(side).images["digest"].tolist() for digest in here)
        assert known
        assert (one.value, one.n) == (known / len(here), len(here))
        assert f" {known} {words}" in warning
    found = examine(exam, ["vision"])
    metrics = [one.metric for one in found.scores if one.block == GUARD]
    assert metrics[-2:] == ["images_trained_on", "images_chosen_on"]
    assert warning in found.warnings[GUARD]


def test_blank_images_are_not_known(run: Path, data: Path, again: Path) -> None:
    exam = opened(run, again, "test", [])
    blank = replace(exam, part=replace(exam.part, images=exam.part.images.assign(blank=True)))
    scores, warnings = seen(blank)
    assert warnings == []
    assert {(one.n, one.why_nan) for one in scores} == {(0, "no image of the split is not blank")}


@pytest.mark.parametrize(
    ("split", "shares", "words"),
    [
        ("train", (1, 0), "the run was trained on train"),
        ("val", (0, 1), "val is not new to the run"),
        ("all", None, "all holds what the run was trained on"),
        ("test", (0, 0), ""),
    ],
)
def test_only_the_test_side_of_the_own_data_set_is_new(
    run: Path, split: str, shares: tuple[int, int] | None, words: str
) -> None:
    exam = opened(run, None, split, [])
    scores, warnings = seen(exam)
    sides = exam.dataset.studies["split"].to_numpy(str)
    expected = shares or tuple(np.mean(sides == side) for side in ("train", "val"))
    assert [one.value for one in scores] == pytest.approx(expected)
    assert len(warnings) == bool(words)
    assert not words or warnings[0].startswith(words)
    # The data set is known by its images and sides, wherever it lies now.
    assert seen(elsewhere(exam, folder="gone")) == (scores, warnings)


def test_what_cannot_be_checked_is_said(run: Path, again: Path, tmp_path: Path) -> None:
    exam = opened(run, again, "test", [])
    (tmp_path / "dataset.json").write_text(json.dumps({"format": 99}))
    for changed, reason in (
        ({"folder": "gone"}, "gone/ is not there any more"),
        ({"folder": str(tmp_path)}, "must be a data set of format 1, got 99"),
        ({"split": "0" * 16}, "data/ must have each image on the side where it was"),
        ({"folder": None, "split": None}, "it was not trained here"),
    ):
        scores, (warning,) = seen(elsewhere(exam, **changed))
        assert warning.startswith("what the run was trained on was not checked: ")
        assert reason in warning
        assert [np.isnan(one.value) for one in scores] == [True, True]
        assert all("not checked" in one.why_nan and one.n == 0 for one in scores)
        assert str(tmp_path) not in scores[0].why_nan
