"""Oracle: scikit-learn. Properties: monotone maps, ties, NaN, one class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from asclip.metrics import classification as own
from asclip.metrics.known import mean_of_defined, why_nan

DECISIONS = [
    (own.f1, oracle.f1_score),
    (own.mcc, oracle.matthews_corrcoef),
    (own.sensitivity, oracle.recall_score),
    (own.specificity, lambda t, p: oracle.recall_score(t, p, pos_label=0)),
    (own.accuracy, oracle.accuracy_score),
    (own.balanced_accuracy, oracle.balanced_accuracy_score),
]


def draw(seed: int, *, n: int = 200, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(float)
    truth[:2] = (0.0, 1.0)
    score = rng.normal(size=n) + truth
    return truth, np.round(score * levels) / levels if levels else score


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_curves_equal_scikit_learn_with_and_without_ties(seed: int, levels: int | None) -> None:
    truth, score = draw(seed, levels=levels)
    assert own.auroc(truth, score) == pytest.approx(oracle.roc_auc_score(truth, score), abs=1e-12)
    expected = oracle.average_precision_score(truth, score)
    assert own.average_precision(truth, score) == pytest.approx(expected, abs=1e-12)


def test_auroc_counts_pairs_exactly() -> None:
    truth, score = draw(7, n=60, levels=2)
    positives, negatives = score[truth == 1], score[truth == 0]
    pairs = [(p > q) + 0.5 * (p == q) for p in positives for q in negatives]
    assert own.auroc(truth, score) == sum(pairs) / len(pairs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["exp", "cube", "shift"]))
def test_auroc_does_not_see_a_monotone_map(seed: int, name: str) -> None:
    truth, score = draw(seed, n=40, levels=4)
    maps = {"exp": np.exp, "cube": lambda x: x**3, "shift": lambda x: 3 * x - 100}
    assert own.auroc(truth, maps[name](score)) == own.auroc(truth, score)
    assert own.auroc(truth, -score) == pytest.approx(1 - own.auroc(truth, score), abs=1e-12)


@pytest.mark.parametrize(("metric", "reference"), DECISIONS)
@pytest.mark.parametrize("threshold", [-0.5, 0.5, 1.0])
def test_decisions_equal_scikit_learn(metric, reference, threshold: float) -> None:
    truth, score = draw(3, levels=2)
    said = (score >= threshold).astype(float)
    got = metric(truth, score, threshold=threshold)
    assert got == pytest.approx(reference(truth, said), abs=1e-12)


def test_unknown_truth_and_missing_scores_do_not_count() -> None:
    truth, score = draw(1)
    worse_truth = np.concatenate([truth, [np.nan, np.nan, 1.0]])
    worse_score = np.concatenate([score, [99.0, -99.0, np.nan]])
    for metric in (own.auroc, own.average_precision, *(m for m, _ in DECISIONS)):
        assert metric(worse_truth, worse_score) == metric(truth, score)


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_one_class_is_nan_with_a_reason(constant: float) -> None:
    truth, score = np.full(5, constant), np.arange(5.0)
    assert np.isnan(own.auroc(truth, score))
    assert np.isnan(own.mcc(truth, score))
    assert np.isnan(own.balanced_accuracy(truth, score))
    missing = "negative" if constant else "positive"
    assert why_nan(truth, score) == f"no {missing} among 5 studies"
    assert np.isnan(own.average_precision(truth, score)) == (constant == 0)
    assert (why_nan(truth, score, negatives=False) == "") == (constant == 1)


def test_reasons() -> None:
    nothing = np.full(3, np.nan)
    assert why_nan(nothing, np.arange(3.0)) == "no study states this label"
    assert why_nan(np.array([1.0, 0.0]), np.full(2, np.nan)).endswith("has a score")
    assert why_nan(np.array([]), np.array([])) == "no studies"
    assert why_nan(np.array([1.0, 0.0]), np.array([0.0, 0.0])) == ""
    assert np.isnan(own.auroc(nothing, np.arange(3.0)))
    assert np.isnan(mean_of_defined(nothing))


def test_bad_truth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1, 0 or NaN .*got 2"):
        own.auroc(np.array([0.0, 2.0]), np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="one length"):
        own.auroc(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match=r"\[n, K\]"):
        own.auroc_columns(np.zeros(3), np.zeros(3))


def test_columns() -> None:
    pairs = [draw(seed) for seed in range(3)]
    truth, score = (np.stack(part, axis=1) for part in zip(*pairs, strict=True))
    truth[5, 0] = np.nan
    truth[:, 2] = 1.0
    got = own.auroc_columns(truth, score)
    assert got[0] == own.auroc(truth[:, 0], score[:, 0])
    assert got[1] == own.auroc(*pairs[1])
    assert np.isnan(got[2])


@pytest.mark.parametrize("metric", [own.f1, own.mcc, own.balanced_accuracy])
@pytest.mark.parametrize("levels", [None, 2])
def test_best_threshold_is_the_best_of_all(metric, levels: int | None) -> None:
    truth, score = draw(11, levels=levels)
    best = own.best_threshold(truth, score, metric)
    every = [metric(truth, score, threshold=t) for t in np.unique(score)]
    assert metric(truth, score, threshold=best) == max(every)


def test_best_threshold_undefined_or_unknown() -> None:
    assert np.isnan(own.best_threshold(np.zeros(4), np.arange(4.0), own.f1))
    with pytest.raises(ValueError, match="must be f1"):
        own.best_threshold(np.zeros(4), np.arange(4.0), own.auroc)


def test_several_classes_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    answer = rng.integers(0, 4, 150)
    score = rng.normal(size=(150, 4)) + np.eye(4)[answer]
    truth = np.eye(4)[answer]
    said = score.argmax(axis=1)
    assert own.multiclass_accuracy(truth, score) == oracle.accuracy_score(answer, said)
    expected = oracle.balanced_accuracy_score(answer, said)
    assert own.multiclass_balanced_accuracy(truth, score) == pytest.approx(expected)
    truth[:3] = np.nan
    assert own.multiclass_accuracy(truth, score) == oracle.accuracy_score(answer[3:], said[3:])


def test_constant_scores_reach_chance_and_no_more() -> None:
    truth = np.eye(5)[np.zeros(20, dtype=int)]
    assert own.multiclass_accuracy(truth, np.zeros((20, 5))) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="exactly one 1"):
        own.multiclass_accuracy(np.ones((2, 2)), np.zeros((2, 2)))
