from __future__ import annotations

import math

import numpy as np
import pytest

from asclip.card.marks import Notes
from asclip.results import from_records, to_records
from asclip.tasks.classification.scoring import evaluate_labels
from asclip.trust.scoring.rows import mean_rows
from asclip.types import Predictions

FACTS = {"dataset": "d", "split": "test", "task": "zero_shot", "seed": 0, "prompts": "p",
         "preprocessing": "x"}  # fmt: skip


def predictions(with_rare: int) -> Predictions:
    """120 films of 120 patients; ten films of each of the patients with `rare`."""
    rng = np.random.default_rng(0)
    common = (np.arange(120) % 3 == 0).astype(float)
    patient = np.arange(120).astype(str)
    rare = np.zeros(120)
    for k in range(with_rare):
        rare[10 * k : 10 * k + 10] = 1
        patient[10 * k : 10 * k + 10] = f"rare {k}"
    truth = np.stack([common, rare], 1)
    scores = truth + rng.normal(size=truth.shape)
    study = np.arange(120).astype(str)
    return Predictions(scores, truth, ("common", "rare"), study, patient, FACTS)


@pytest.mark.parametrize(("patients", "reason"), [
    (4, "an interval needs 5 patients with the label, got 4"), (5, ""),
])  # fmt: skip
def test_a_label_of_few_patients_has_a_value_and_no_interval(patients: int, reason: str) -> None:
    scores = evaluate_labels(predictions(patients), resamples=50)
    found = {(s.metric, s.label): s for s in scores}
    for metric in ("auroc", "average_precision"):
        rare, common = found[metric, "rare"], found[metric, "common"]
        assert 0 < rare.value <= 1
        assert rare.why_nan == reason
        assert math.isnan(rare.low) == math.isnan(rare.high) == bool(reason)
        assert common.low < common.value < common.high
        assert found[metric, "macro"].low < found[metric, "macro"].high
    assert [repr(s) for s in from_records(to_records(scores))] == [repr(s) for s in scores]
    cell = Notes().value(found["auroc", "rare"])
    assert ("note-1" in cell) == bool(reason)
    assert ("interval" in cell) != bool(reason)


def test_trust_gives_it_none_either() -> None:
    few = predictions(4)
    scores = mean_rows(few, "brier", (few.scores - few.truth) ** 2, ["", ""], resamples=50)
    found = {s.label: s for s in scores}
    assert math.isnan(found["rare"].low)
    assert "got 4" in found["rare"].why_nan
    assert found["common"].low < found["common"].high
    assert found["macro"].low < found["macro"].high
