from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asclip.data.prompts import load_prompt_set
from asclip.errors import DataError, ModelError
from asclip.recipes import exam as exam_module
from asclip.recipes import suite as module
from asclip.recipes.exam import opened
from asclip.recipes.suite import FULL, GUARD, examine, suite
from asclip.results import read_predictions, read_scores
from asclip.types import Score

PROMPTS = {
    "name": "drawn",
    "version": "1",
    "kind": "multi-label",
    "classes": {
        "effusion": {"positive": ["There is a left effusion."], "negative": ["No effusion."]},
        "mass": {"positive": ["A mass is seen on the right."], "negative": ["There is no mass."]},
    },
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("prompts") / "drawn.json"
    path.write_text(json.dumps(PROMPTS))
    return str(path)


def broken(exam, found, say) -> list[Score]:
    raise DataError("the sky must be blue, got green; look again")


def few(exam, found, say) -> list[Score]:
    found.warnings["explanation"] = ["maps show a place, not a reason"]
    return [Score(exam.dataset.name, exam.split, "explain-map", "pointing", "macro", 0.5, n=3)]


@pytest.fixture(scope="module")
def heard(run: Path, prompts: str) -> list[str]:
    """What a suite said with two blocks that are stand-ins, one of which fails."""
    told: list[str] = []
    kept = dict(module.BLOCKS)
    module.BLOCKS |= {"robustness": broken, "explanation": few}
    try:
        suite(run, prompts=[prompts], images=False, say=told.append)
    finally:
        module.BLOCKS.update(kept)
    return told


def test_one_record_a_number_with_its_block_and_split(run: Path, heard: list[str]) -> None:
    records = json.loads((run / "scores.json").read_text())
    exam = opened(run, None, "test", [])
    assert {one["block"] for one in records} == {GUARD, *FULL}
    assert {one["split_hash"] for one in records} == {exam.dataset.split_hash}
    keys = [(r["task"], r["metric"], r["label"], r["prompts"]) for r in records]
    assert len(keys) == len(set(keys))
    assert all(r["why_nan"] for r in records if r["value"] is None)
    tasks = {one["task"] for one in records if one["block"] == "text"}
    assert {"negation", "entailment", "text-probe", "text-probe-words"} <= tasks
    stored = read_predictions(run / "predictions" / "text-probe.npz")
    assert stored.provenance["split_hash"] == exam.dataset.split_hash


def test_a_block_that_fails_is_told_and_stops_nothing(run: Path, heard: list[str]) -> None:
    (one,) = [s for s in read_scores(run / "scores.json") if s.block == "robustness"]
    assert np.isnan(one.value)
    assert one.why_nan == "the sky must be blue, got green; look again"
    page = (run / "card.html").read_text()
    assert "Not done: the sky must be blue, got green; look again." in page
    assert "maps show a place, not a reason" in page.replace("Maps", "maps")
    assert any(line.startswith("explanation: 1 scores in") for line in heard)
    for section in ('id="text"', 'id="trust"', 'id="robustness"', 'id="explanation"'):
        assert section in page


def test_only_failing_blocks_are_an_error(run: Path, prompts: str, monkeypatch) -> None:
    monkeypatch.setitem(module.BLOCKS, "robustness", broken)
    exam = opened(run, None, "test", [prompts])
    with pytest.raises(DataError, match="sky"):
        examine(exam, ["robustness"])
    with pytest.raises(DataError, match="did you mean 'trust'"):
        suite(run, blocks=["thrust"])


def test_a_packaged_set_without_a_study_in_the_split_is_left_out(run: Path, monkeypatch) -> None:
    sets = [load_prompt_set(name) for name in ("phantom-findings", "modality")]
    monkeypatch.setattr(exam_module, "fitting", lambda dataset: sets)
    heard: list[str] = []
    assert [one.name for one in opened(run, None, "test", [], heard.append).sets] == [
        "phantom-findings"
    ]
    assert heard == ["prompt set modality is left out: no study of split 'test' has its classes"]


def test_a_run_without_text_is_not_asked_about_text(bound: Path) -> None:
    exam = opened(bound, None, "test", [])
    with pytest.raises(ModelError, match="never read a text"):
        examine(exam, ["text"])
    found = examine(exam, ["vision", "text"])
    assert {s.block for s in found.scores} == {GUARD, "vision", "text"}


def test_the_guard_runs_whatever_the_blocks(run: Path, prompts: str) -> None:
    found = examine(opened(run, None, "test", [prompts]), ["vision"])
    assert {s.metric for s in found.scores if s.block == GUARD} >= {"patients", "identical_images"}
    assert list(found.seconds) == [GUARD, "vision"]
