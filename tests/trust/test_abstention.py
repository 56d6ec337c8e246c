from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from asclip.trust.abstention import aurc, excess_aurc, risk_coverage


def slow_aurc(wrong: np.ndarray, confidence: np.ndarray) -> float:
    order = np.argsort(-confidence, kind="stable")
    return float(np.mean([wrong[order[:k]].mean() for k in range(1, len(order) + 1)]))


def test_aurc_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(200)
    wrong = (rng.random(200) > confidence).astype(float)
    assert aurc(wrong, confidence) == pytest.approx(slow_aurc(wrong, confidence))
    coverage, risk = risk_coverage(wrong, confidence)
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(wrong.mean())
    best = slow_aurc(wrong, -wrong)
    assert excess_aurc(wrong, confidence) == pytest.approx(aurc(wrong, confidence) - best)


def test_ties_have_the_expectation_over_their_orders() -> None:
    wrong, confidence = np.array([1.0, 0, 0, 1]), np.array([0.9, 0.5, 0.5, 0.5])
    orders = [slow_aurc(wrong[[0, *p]], np.arange(4.0)[::-1]) for p in permutations((1, 2, 3))]
    assert aurc(wrong, confidence) == pytest.approx(np.mean(orders))


def test_a_useful_confidence_beats_a_random_one_and_unknown_studies_do_not_count() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(2000)
    wrong = (rng.random(2000) > confidence).astype(float)
    assert aurc(wrong, confidence) < 0.6 * aurc(wrong, rng.random(2000))
    assert aurc(np.append(wrong, np.nan), np.append(confidence, 2.0)) == aurc(wrong, confidence)
    assert np.isnan(aurc(np.array([np.nan]), np.array([1.0])))
    assert np.isnan(excess_aurc(np.array([]), np.array([])))
