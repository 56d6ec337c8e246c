"""Which studies count for a metric, and why a metric has no value."""

from __future__ import annotations

import numpy as np


def known(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Truth [m] bool and score [m] float64 of the studies where neither is NaN.

    `truth` [n] is 1, 0 or NaN and `score` [n] any number or NaN.

    Raises:
        ValueError: shapes differ, or a truth is none of 1, 0, NaN.

    >>> truth, score = known(np.array([1, 0, np.nan]), np.array([0.3, np.nan, 0.1]))
    >>> truth.tolist(), score.tolist()
    ([True], [0.3])
    """
    truth = np.asarray(truth, dtype=np.float64)
    score = np.asarray(score, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != score.shape:
        raise ValueError(
            f"truth and score must be two vectors of one length, got {truth.shape} and "
            f"{score.shape}; for [n, K] use auroc_columns or a loop over the columns"
        )
    counts = ~(np.isnan(truth) | np.isnan(score))
    truth, score = truth[counts], score[counts]
    if not np.isin(truth, (0.0, 1.0)).all():
        odd = truth[~np.isin(truth, (0.0, 1.0))][0]
        raise ValueError(f"truth must be 1, 0 or NaN (not stated), got {odd:g}; map it first")
    return truth == 1.0, score


def why_nan(truth: np.ndarray, score: np.ndarray, *, negatives: bool = True) -> str:
    """Why a metric of this truth and score is NaN, in one phrase; "" when it is defined.

    `negatives` False is for a metric that needs positives only, such as average precision.

    >>> why_nan(np.array([1, 1, np.nan]), np.array([0.2, 0.4, 0.1]))
    'no negative among 2 studies'
    """
    truth = np.asarray(truth, dtype=np.float64)
    if not np.isfinite(truth).any():
        return "no study states this label" if truth.size else "no studies"
    positive, _ = known(truth, score)
    if not positive.size:
        return "no study with a stated label has a score"
    if not positive.any():
        return f"no positive among {positive.size} studies"
    if negatives and positive.all():
        return f"no negative among {positive.size} studies"
    return ""


def mean_of_defined(values: np.ndarray, *, axis: int = 0) -> np.ndarray:
    """Mean along `axis` of the entries that are not NaN; NaN where there is none. No warning.

    >>> float(mean_of_defined(np.array([1.0, np.nan, 3.0])))
    2.0
    """
    values = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    count = defined.sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
