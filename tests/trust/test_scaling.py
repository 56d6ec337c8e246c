from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from asclip.trust.scaling import (
    Temperature,
    fit_class_temperature,
    fit_platt,
    fit_temperature,
    sigmoid,
)


def planted(seed: int, temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that are `temperature` times too sure, and truth."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n) * 2
    return odds * temperature, (rng.random(n) < sigmoid(odds)).astype(float)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0, 30.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    scores, truth = planted(0, temperature)
    found = fit_temperature(scores.reshape(-1, 2), truth.reshape(-1, 2))
    assert found.value == pytest.approx(temperature, rel=0.03)
    assert abs(found(scores).mean() - truth.mean()) < 0.01


def test_the_temperature_is_the_slope_of_a_logistic_regression_without_bias() -> None:
    scores, truth = planted(1, 3.0, 400)
    truth[5], scores[9] = np.nan, np.nan
    known = ~np.isnan(truth) & ~np.isnan(scores)
    plain = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    plain.fit(scores[known, None], truth[known])
    assert 1 / fit_temperature(scores, truth).value == pytest.approx(plain.coef_[0, 0], rel=1e-5)


def test_a_planted_temperature_of_classes_is_found() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(20_000, 4)) * 1.5
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.eye(4)[(share.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)]
    sure = 5 * logits
    total = np.log(np.exp(sure).sum(axis=1, keepdims=True) - np.exp(sure))
    found = fit_class_temperature(sure - total, truth)
    assert found.value == pytest.approx(5.0, rel=0.03)
    np.testing.assert_allclose(found(sure - total).sum(axis=1), 1)
    same = Temperature(1.0, single_label=True)(sure - total)
    np.testing.assert_allclose(same, sigmoid(sure - total), atol=1e-9)


def test_platt_equals_scikit_learn_on_soft_targets_and_a_plain_minimiser() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=300) * 0.02 + 0.3  # as narrow as cosines
    truth = (rng.random(300) < sigmoid(150 * (scores - 0.31))).astype(float)
    found = fit_platt(scores, truth)
    positives = truth.sum()
    target = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (300 - positives + 2))

    def loss(at: np.ndarray) -> float:
        logit = at[0] * (scores - 0.3) / 0.02 + at[1]
        return float((np.logaddexp(0, logit) - target * logit).sum())

    slow = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(
        found(scores), sigmoid(slow.x[0] * (scores - 0.3) / 0.02 + slow.x[1]), atol=1e-6
    )
    twice = np.concatenate([scores, scores])[:, None] * 50
    plain = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    plain.fit(twice, np.repeat([1, 0], 300), sample_weight=np.concatenate([target, 1 - target]))
    assert found.slope == pytest.approx(50 * plain.coef_[0, 0], rel=1e-3)


def test_platt_of_separated_scores_is_finite_and_never_turns_the_order_round() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1.0])
    found = fit_platt(np.arange(6.0), truth)
    assert np.isfinite([found.slope, found.bias]).all()
    assert (np.diff(found(np.arange(6.0))) > 0).all()
    against = fit_platt(np.arange(6.0), 1 - truth)
    assert against.slope == 0
    assert against(np.arange(6.0)) == pytest.approx(0.5)
    assert fit_platt(np.ones(6), truth)(np.ones(6)) == pytest.approx(0.5)
    assert np.isnan(found(np.array([np.nan]))).all()


def test_what_cannot_be_fitted_is_said() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1.0])
    scores = np.array([-3, -2, -1, 1, 2, 3.0])
    with pytest.raises(ValueError, match="separate the truth; use Platt"):
        fit_temperature(scores, truth)
    with pytest.raises(ValueError, match="run against the truth"):
        fit_temperature(-scores, truth)
    for fit in (fit_temperature, fit_platt):
        with pytest.raises(ValueError, match="known positives and negatives, got 0"):
            fit(scores, np.full(6, np.nan))
        with pytest.raises(ValueError, match="take more validation studies"):
            fit(scores, np.ones(6))
    with pytest.raises(ValueError, match="known class and scores, got none"):
        fit_class_temperature(np.zeros((3, 2)), np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match=r"\[n, K\]"):
        fit_class_temperature(np.zeros(3), np.zeros(3))
