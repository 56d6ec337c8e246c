from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from asclip.metrics.calibration import brier, ece


def test_brier_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, score = (rng.random(100) < 0.3).astype(float), rng.random(100)
    assert brier(truth, score) == pytest.approx(brier_score_loss(truth, score))


def test_ece_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    score = rng.random(500)
    truth = (rng.random(500) < score**2).astype(float)
    total = 0.0
    for low in np.arange(10) / 10:
        inside = (score >= low) & (score < low + 0.1)
        total += inside.sum() / 500 * abs(truth[inside].mean() - score[inside].mean())
    assert ece(truth, score, bins=10) == pytest.approx(total, abs=1e-9)


def test_calibrated_is_small_and_overconfident_is_large() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random(20_000)
    truth = (rng.random(20_000) < probability).astype(float)
    assert ece(truth, probability) < 0.02
    assert ece(truth, (probability > 0.5).astype(float)) > 0.2


def test_edges() -> None:
    assert ece(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0
    assert np.isnan(ece(np.array([np.nan]), np.array([0.5])))
    assert np.isnan(brier(np.array([]), np.array([])))
    with pytest.raises(ValueError, match="probabilities"):
        brier(np.array([1.0]), np.array([3.0]))
    with pytest.raises(ValueError, match="bins"):
        ece(np.array([1.0]), np.array([0.3]), bins=0)
