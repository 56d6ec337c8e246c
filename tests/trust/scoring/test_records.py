"""From predictions to records: every number with its interval, every NaN with its reason."""

from __future__ import annotations

import numpy as np
import pytest

from asclip.metrics import calibration
from asclip.results import to_records
from asclip.trust.probabilities import probabilities
from asclip.trust.scaling import sigmoid
from asclip.trust.scoring.abstention import abstention_scores
from asclip.trust.scoring.calibration import calibration_scores
from asclip.trust.scoring.coverage import coverage_scores
from asclip.trust.scoring.groups import group_scores
from asclip.trust.subgroups import groups
from asclip.types import Predictions

LABELS = ("mass", "nodule", "rare", "without")


def labelled(seed: int, n: int = 400, sure: float = 3.0) -> Predictions:
    """Log-odds `sure` times too sure; "rare" has two positives, "without" no probability."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=(n, 4)) * 1.5 - 0.5
    truth = (rng.random((n, 4)) < sigmoid(odds)).astype(float)
    truth[:, 2] = np.arange(n) < 2
    facts = {
        "dataset": "d", "split": "test", "task": "zero-shot", "seed": 0, "prompts": "p@1",
        "preprocessing": "x", "kind": "multi-label", "labels_without_probability": ["without"],
    }  # fmt: skip
    who = np.array([f"{seed}-{k // 2}" for k in range(n)])
    return Predictions(sure * odds, truth, LABELS, np.arange(n).astype(str), who, facts)


def single(seed: int, n: int = 400, sure: float = 3.0) -> Predictions:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.eye(3)[(share.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)]
    truth[5] = np.nan
    told = np.exp(sure * logits)
    odds = sure * logits - np.log(told.sum(axis=1, keepdims=True) - told)
    facts = labelled(0, 2).provenance | {"kind": "single-label", "labels_without_probability": []}
    who = np.array([f"{seed}-{k}" for k in range(n)])
    return Predictions(odds, truth, ("PA", "AP", "LL"), who, who, facts)


def by_name(scores):
    assert to_records(scores)  # every NaN has a reason, nothing is infinite
    found = {(one.metric, one.label): one for one in scores}
    assert len(found) == len(scores)
    return found


def test_calibration_before_and_after() -> None:
    validation, test = labelled(1), labelled(2)
    stages = probabilities(validation, test)
    found = by_name(calibration_scores(test, stages, resamples=100))
    raw = found["ece_raw", "mass"]
    assert raw.value == calibration.ece(test.truth[:, 0], sigmoid(test.scores[:, 0]))
    assert raw.low <= raw.value <= raw.high
    assert raw.low > raw.chance  # really off
    for stage in ("temperature", "platt"):
        after = found[f"ece_{stage}", "mass"]
        assert after.value < raw.value / 2
        assert after.low == 0  # no more than chance gives to a calibrated model
        loss = f"log_loss_{stage}"
        assert found[loss, "mass"].value < found["log_loss_raw", "mass"].value
        assert found[loss, "mass"].value < found[loss, "mass"].chance
    assert np.isnan(found["ece_raw", "without"].value)
    assert "no negative prompts in p@1" in found["ece_temperature", "without"].why_nan
    assert found["ece_platt", "without"].value < 0.1
    labels = [found["brier_platt", label].value for label in LABELS]
    assert found["brier_platt", "macro"].value == pytest.approx(np.mean(labels))


def test_one_class_of_several() -> None:
    validation, test = single(3), single(4)
    stages = probabilities(validation, test)
    assert list(stages.shares) == ["raw", "temperature"]
    found = by_name(calibration_scores(test, stages, resamples=100))
    assert found["top_label_ece_temperature", ""].value < found["top_label_ece_raw", ""].value / 2
    sets, said = coverage_scores(validation, test, alpha=0.2, resamples=100)
    sets = by_name(sets)
    assert not said
    for name in ("lac", "aps", "lac_by_class"):
        assert sets[f"conformal_{name}@0.8", ""].value == pytest.approx(0.8, abs=0.07)
        assert sets[f"conformal_{name}@0.8", ""].n == 399
        assert 1 < sets[f"conformal_{name}_size@0.8", ""].value < 3
    assert sets["conformal_lac_by_class_within@0.8", "AP"].value > 0.65
    abstained = by_name(abstention_scores(test, stages, resamples=50))["aurc", ""]
    assert abstained.value < abstained.chance


def test_sets_of_labels_and_too_few_studies() -> None:
    found, said = coverage_scores(labelled(5), labelled(6), alpha=0.1, resamples=100)
    found = by_name(found)
    for metric in ("conformal_present@0.9", "conformal_absent@0.9"):
        for label in ("mass", "nodule", "without"):
            assert found[metric, label].value == pytest.approx(0.9, abs=0.07)
    rare = found["conformal_present@0.9", "rare"]
    assert np.isnan(rare.value)
    assert "needs 9 validation studies with the label and 9 without, got 2 and" in rare.why_nan
    assert said == ["no conformal sets at 0.9 for rare: too few validation studies"]
    with pytest.raises(ValueError, match="alpha"):
        coverage_scores(labelled(5), labelled(6), alpha=1.5)


def test_abstention_and_groups() -> None:
    validation, test = labelled(7), labelled(8)
    found = by_name(abstention_scores(test, probabilities(validation, test), resamples=50))
    assert all(found["aurc", label].value < found["aurc", label].chance for label in LABELS[:2])
    sex = groups("sex", np.where(np.arange(400) % 4 < 2, "F", "M"))
    scores, rows = group_scores(validation, test, [sex], resamples=50)
    found = by_name(scores)
    assert found["es_auc", "mass by sex"].low <= found["es_auc", "mass by sex"].value
    assert "10 positives" in found["dpd", "rare by sex"].why_nan
    assert [(row["label"], row["group"]) for row in rows[:2]] == [("mass", "F"), ("mass", "M")]


def test_nothing_known_is_nan_with_a_reason_everywhere() -> None:
    validation, test = labelled(9), labelled(10)
    for part in (validation, test):
        part.truth[:, 0] = np.nan
    stages = probabilities(validation, test)
    found = by_name(
        calibration_scores(test, stages, resamples=20)
        + coverage_scores(validation, test, resamples=20)[0]
        + abstention_scores(test, stages, resamples=20)
    )
    mass = [one for (_, label), one in found.items() if label == "mass"]
    assert len(mass) == 16
    assert all(np.isnan(one.value) and one.why_nan and one.chance is None for one in mass)
