from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as log_loss_of_scikit_learn

from asclip.metrics.biased import biased_interval
from asclip.metrics.bootstrap import interval
from asclip.metrics.calibration import (
    adaptive_ece,
    bootstrap_ece,
    brier,
    calibrated_ece,
    classwise_ece,
    ece,
    equal_mass,
    equal_width,
    log_loss,
    reliability,
    top_label,
)


def drawn(seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    return (rng.random(n) < score**2).astype(float), score


def slow_ece(truth: np.ndarray, score: np.ndarray, edges: np.ndarray) -> float:
    total = 0.0
    for low, high in pairwise(edges):
        inside = (score >= low) & ((score < high) | (high == 1))
        if inside.any():
            total += inside.mean() * abs(truth[inside].mean() - score[inside].mean())
    return total


def test_brier_and_log_loss_equal_scikit_learn() -> None:
    truth, score = drawn(0)
    assert brier(truth, score) == pytest.approx(brier_score_loss(truth, score))
    assert log_loss(truth, score) == pytest.approx(log_loss_of_scikit_learn(truth, score))
    sure = np.array([0.0, 1.0, 1.0])  # the first two are wrong
    expected = log_loss_of_scikit_learn([1, 0, 1], sure)
    assert log_loss(np.array([1.0, 0.0, 1.0]), sure) == pytest.approx(expected)


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_ece_equals_a_plain_loop(bins: int) -> None:
    truth, score = drawn(1)
    assert ece(truth, score, bins=bins) == pytest.approx(
        slow_ece(truth, score, np.arange(bins + 1) / bins)
    )
    starts = [round(500 * k / bins) for k in range(1, bins)]  # of each bin but the first
    edges = np.array([0.0, *np.sort(score)[starts], 1.0])
    assert adaptive_ece(truth, score, bins=bins) == pytest.approx(slow_ece(truth, score, edges))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_the_table_equals_scikit_learn(strategy: str) -> None:
    truth, score = drawn(2)
    edges = equal_width(10) if strategy == "uniform" else equal_mass(score, 10)
    found = reliability(truth, score, edges)
    share, mean = calibration_curve(truth, score, n_bins=10, strategy=strategy)
    filled = found.n > 0
    np.testing.assert_allclose(found.frequency[filled], share)
    np.testing.assert_allclose(found.confidence[filled], mean)
    assert found.n.sum() == 500
    if strategy == "quantile":
        assert (found.n == 50).all()


def test_equal_scores_stand_in_one_bin() -> None:
    truth, score = np.array([1.0, 0, 1, 0, 1, 0]), np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0.9])
    edges = equal_mass(score, 3)
    found = reliability(truth, score, edges)
    assert found.n.tolist() == [5, 1]
    order = np.random.default_rng(0).permutation(6)
    assert adaptive_ece(truth[order], score[order], bins=3) == adaptive_ece(truth, score, bins=3)


def test_scores_of_exactly_one_are_a_bin_of_their_own() -> None:
    truth, score = np.tile([0.0, 1.0], 50), np.repeat([0.0, 1.0], 50)
    assert equal_mass(score, 15).tolist() == [0.0, 1.0, 1.0]
    assert reliability(truth, score, equal_mass(score, 15)).n.tolist() == [50, 50]
    assert adaptive_ece(truth, score) == 0.5 == ece(truth, score)


def test_classwise_is_the_mean_over_classes() -> None:
    rng = np.random.default_rng(3)
    score = rng.dirichlet([1, 2, 3], 300)
    truth = np.eye(3)[rng.integers(0, 3, 300)]
    for metric in (ece, adaptive_ece):
        expected = np.mean([metric(truth[:, k], score[:, k], bins=5) for k in range(3)])
        assert classwise_ece(truth, score, bins=5, metric=metric) == pytest.approx(expected)


def test_top_label_is_accuracy_and_confidence() -> None:
    truth = np.array([[1, 0, 0], [0, 1, 0], [np.nan] * 3, [0, 0, 1]])
    score = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6], [np.nan] * 3])
    right, confidence = top_label(truth, score)
    np.testing.assert_array_equal(right, [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(confidence, [0.6, 0.5, 0.6, np.nan])


def test_fast_bootstrap_equals_the_metric_on_repeated_rows() -> None:
    truth, score = drawn(4, 120)
    truth[::7] = np.nan
    score[3] = np.nan
    groups = np.random.default_rng(5).integers(0, 50, 120)
    draw = {"groups": groups, "resamples": 60}
    fast = bootstrap_ece(truth, score, equal_width(10), rng=np.random.default_rng(6), **draw)
    seen: list[float] = []

    def slow(truth: np.ndarray, score: np.ndarray) -> float:
        seen.append(ece(truth, score, bins=10))
        return seen[-1]

    interval(slow, truth, score, rng=np.random.default_rng(6), **draw)
    np.testing.assert_allclose(fast, seen, atol=1e-12)


def test_the_interval_of_an_error_holds_the_planted_one() -> None:
    held = {"calibrated": 0, "off by 0.1": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        true = rng.beta(1, 4, 400)
        truth = (rng.random(400) < true).astype(float)
        for name, shift in (("calibrated", 0.0), ("off by 0.1", 0.1)):
            said = np.minimum(true + shift, 1)
            samples = bootstrap_ece(
                truth, said, equal_width(10), groups=np.arange(400), resamples=200, rng=rng
            )
            by_chance = calibrated_ece(said, equal_width(10), rng=rng)
            low, high = biased_interval(ece(truth, said, bins=10), samples, by_chance)
            held[name] += low <= shift <= high
    assert min(held.values()) >= 36


def test_calibrated_is_small_and_overconfident_is_large() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random(20_000)
    truth = (rng.random(20_000) < probability).astype(float)
    assert ece(truth, probability) < 0.02
    assert ece(truth, (probability > 0.5).astype(float)) > 0.2
    by_chance = calibrated_ece(probability, equal_width(15), rng=rng, draws=50)
    assert by_chance.min() < ece(truth, probability) < by_chance.max()


def test_unknown_studies_change_nothing() -> None:
    truth, score = drawn(7, 100)
    more = np.append(truth, [np.nan, 1.0]), np.append(score, [0.3, np.nan])
    for metric in (ece, adaptive_ece, brier, log_loss):
        assert metric(*more) == metric(truth, score)


def test_edges() -> None:
    assert ece(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0
    for metric in (ece, adaptive_ece, brier, log_loss):
        assert np.isnan(metric(np.array([np.nan]), np.array([0.5])))
        assert np.isnan(metric(np.array([]), np.array([])))
        with pytest.raises(ValueError, match="probabilities"):
            metric(np.array([1.0]), np.array([3.0]))
    with pytest.raises(ValueError, match="bins"):
        ece(np.array([1.0]), np.array([0.3]), bins=0)
    with pytest.raises(ValueError, match=r"\[n, K\]"):
        classwise_ece(np.array([1.0]), np.array([0.3]))
