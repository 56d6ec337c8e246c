"""Maps of a run on drawn pictures, whose boxes are known, are scored from end to end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import PromptSet, load_prompt_set
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import load
from asclip.recipes.evaluation import Encodings
from asclip.recipes.explanation import explanation, sentences
from asclip.recipes.explanation_cases import Cases, cases
from asclip.results import to_records
from asclip.types import Score

BOXES = {"effusion": "0.6 0.6 1.0 1.0", "mass": "0.1 0.15 0.35 0.4"}
PROMPTS = {
    "name": "drawn", "version": "1", "kind": "multi-label",
    "classes": {
        "effusion": {"positive": ["There is a left effusion."], "negative": ["No effusion."]},
        "mass": {"positive": ["A mass is seen on the right."], "negative": ["There is no mass."]},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> PromptSet:
    path = tmp_path_factory.mktemp("prompts") / "drawn.json"
    path.write_text(json.dumps(PROMPTS))
    return load_prompt_set(path)


@pytest.fixture(scope="module")
def boxed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The drawn pictures with the place of what is drawn."""
    table = pd.read_csv(data.parent / "reports.csv")
    table["image"] = [str(data.parent / one) for one in table["image"]]
    for name, box in BOXES.items():
        table[f"meta:truth:box {name}"] = np.where(table[f"label:{name}"] == 1, box, "")
    folder = tmp_path_factory.mktemp("boxed")
    table.to_csv(folder / "reports.csv", index=False)
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    source = Table(folder / "reports.csv", root="/")
    return ingest(source, folder / "data", how, workers=0, fractions=(0.2, 0.2, 0.6))


@pytest.fixture(scope="module")
def told(run: Path, boxed: Dataset, prompts: PromptSet) -> tuple[list[Score], list[str]]:
    return explanation(
        Encodings(load(run)), boxed.split("test"), [prompts], seed=0, resamples=50,
        validation=boxed.split("val"), each=6,
    )  # fmt: skip


def value(scores: Sequence[Score], method: str, metric: str, label: str) -> Score:
    (one,) = [
        s for s in scores if (s.task, s.metric, s.label) == (f"explain-{method}", metric, label)
    ]
    return one


def test_every_method_has_every_score(told: tuple[list[Score], list[str]]) -> None:
    scores, said = told
    to_records(scores)  # a NaN has its reason
    names = ["similarity", "own-score", "grad-cam", "bottleneck", "random", "middle"]
    assert list(dict.fromkeys(one.task.removeprefix("explain-") for one in scores)) == names
    for name in names:
        for metric in ("pointing", "pointing_strict", "cnr", "overlap"):
            labels = [s.label for s in scores if (s.task, s.metric) == (f"explain-{name}", metric)]
            assert labels == ["effusion", "mass", "macro"]
        for metric in ("insertion", "deletion"):
            assert 0 <= value(scores, name, metric, "").value <= 1
        levels = [s for s in scores if s.task == f"explain-{name}" and "shuffled" in s.metric]
        assert len(levels) == (0 if name in ("random", "middle") else 3)
    one = value(scores, "similarity", "pointing", "effusion")
    assert (one.n, one.split, one.prompts.split(":")[0]) == (6, "test", "drawn@1")
    # Of 2 x 2 places a quarter lies in each of these boxes.
    assert one.chance == 0.25
    assert value(scores, "random", "cnr", "mass").value == pytest.approx(
        value(scores, "similarity", "cnr", "mass").chance
    )
    assert sum("box widened" in text for text in said) == 4
    assert sum("box as it is" in text for text in said) == 4
    assert sum("sanity check" in text for text in said) == 4


def test_no_threshold_is_chosen_on_the_patients_who_are_scored(
    run: Path, boxed: Dataset, prompts: PromptSet
) -> None:
    part = boxed.split("val")
    scores, said = explanation(
        Encodings(load(run)), part, [prompts], seed=0, resamples=5, validation=part, each=1
    )
    metrics = {one.metric for one in scores}
    assert "cnr" in metrics
    assert "overlap" not in metrics
    count = len(set(part.studies["patient"]))
    assert said[-1].startswith(f"Overlap is not scored: {count} of the scored patients are among")


def test_a_trained_model_points_at_what_is_drawn(told: tuple[list[Score], list[str]]) -> None:
    found = value(told[0], "own-score", "pointing", "macro")
    assert found.value >= 0.5 > (found.chance or 1)


def test_cases_have_the_finding_its_box_and_its_phrase(boxed: Dataset, prompts: PromptSet) -> None:
    part = boxed.split("test")
    asked = cases(part, [prompts], seed=1, each=5)
    assert asked is not None
    assert (len(asked), asked.boxed) == (10, True)
    truth = part.label_matrix()
    for k in range(10):
        label = asked.labels[asked.column[k]]
        assert truth[asked.row[k], part.labels.index(label)] == 1
        assert asked.phrases[k] == PROMPTS["classes"][label]["positive"][0]
        want = [float(edge) for edge in BOXES[label].split()]
        np.testing.assert_allclose(asked.boxes[k], [want], atol=1e-6)
        slot = part.image_rows()[asked.row[k]][0]
        np.testing.assert_array_equal(asked.images[k], part.pixels[slot])
    again, other = (cases(part, [prompts], seed=s, each=5) for s in (1, 2))
    assert isinstance(again, Cases)
    assert isinstance(other, Cases)
    assert again.row.tolist() == asked.row.tolist() != other.row.tolist()


def test_without_boxes_only_the_model_is_asked(
    run: Path, data: Path, boxed: Dataset, prompts: PromptSet
) -> None:
    model = Encodings(load(run))
    part = Dataset.open(data).split("test")
    scores, said = explanation(model, part, [prompts], seed=0, resamples=5, each=2)
    metrics = {one.metric for one in scores}
    assert metrics.isdisjoint({"pointing", "pointing_strict", "cnr", "overlap"})
    assert {"insertion", "deletion", "shuffled_all"} <= metrics
    assert not any("box" in text for text in said)
    nothing = replace(prompts, classes={"hernia": prompts.classes["mass"]})
    assert explanation(model, part, [nothing], seed=0)[0] == []
    volume = replace(part, info=part.info | {"preprocessing": Preprocessing((8, 8, 8)).to_json()})
    assert "volumes" in explanation(model, volume, [prompts], seed=0)[1][0]


@pytest.mark.parametrize(("high", "verdict"), [(0.4, "pass"), (0.6, "FAIL")])
def test_the_check_is_passed_only_clearly(high: float, verdict: str) -> None:
    one = Score("d", "test", "explain-x", "shuffled_all", "", 0.3, low=0.1, high=high)
    assert f"Maps by x {verdict} the sanity check" in sentences([one])[0]
