"""Calibration of probabilities: how far "0.8" is from "true eight times in ten"."""

from __future__ import annotations

import numpy as np

from asclip.metrics.known import known


def _probabilities(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, score = known(truth, score)
    if score.size and (score.min() < 0 or score.max() > 1):
        raise ValueError(
            f"a calibration metric needs probabilities in [0, 1], got {score.min():g} to "
            f"{score.max():g}; turn the scores into probabilities first"
        )
    return positive, score


def brier(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean squared distance of probability and truth (Brier 1950, two classes); 0 is best.

    NaN without a study.

    >>> brier(np.array([1, 0]), np.array([0.5, 0.5]))
    0.25
    """
    positive, score = _probabilities(truth, score)
    return float(np.mean((score - positive) ** 2)) if score.size else float("nan")


def ece(truth: np.ndarray, score: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error: mean |share of positives - mean probability| over `bins`.

    Bins are equally wide and closed on the left, each weighted by its number of studies (Naeini et
    al. 2015, for the positive class). NaN without a study.

    >>> round(ece(np.array([1, 0, 1, 1]), np.array([0.8, 0.8, 0.8, 0.8])), 3)
    0.05
    """
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}")
    positive, score = _probabilities(truth, score)
    if not score.size:
        return float("nan")
    member = np.minimum((score * bins).astype(np.int64), bins - 1)
    # |sum of truth - sum of probability| per bin is the bin's gap times its number of studies.
    gap = np.bincount(member, weights=positive - score, minlength=bins)
    return float(np.abs(gap).sum() / score.size)
