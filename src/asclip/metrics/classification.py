"""Classification: AUROC, average precision, decisions at a threshold, several classes.

Two-class metrics take truth [n] (1, 0, NaN) and score [n]; `known.known` says which studies count.
A threshold is chosen on validation data with `best_threshold` and then given to a metric of the
test data: no metric here chooses one on the studies that it scores.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asclip.metrics.known import known, mean_of_defined


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order.

    A tie counts one half, so the value is U / (P N) of Mann and Whitney (1947), exactly: pairs are
    counted in integers. NaN without a positive or without a negative.

    >>> auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positive, score = known(truth, score)
    negatives = np.sort(score[~positive])
    positives = score[positive]
    if not len(negatives) or not len(positives):
        return float("nan")
    below = np.searchsorted(negatives, positives, side="left").sum()
    below_or_tied = np.searchsorted(negatives, positives, side="right").sum()
    return float(below + below_or_tied) / (2.0 * len(negatives) * len(positives))


def auroc_columns(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """AUROC of each column of truth [n, K] and score [n, K]: [K] float64, NaN where undefined.

    >>> truth = np.array([[1, 1], [0, 1], [1, np.nan]])
    >>> auroc_columns(truth, np.array([[3, 0], [1, 0], [2, 0]])).tolist()
    [1.0, nan]
    """
    truth, score = np.asarray(truth), np.asarray(score)
    if truth.ndim != 2 or truth.shape != score.shape:
        raise ValueError(f"truth and score must both be [n, K], got {truth.shape}, {score.shape}")
    return np.array([auroc(truth[:, k], score[:, k]) for k in range(truth.shape[1])])


def average_precision(truth: np.ndarray, score: np.ndarray) -> float:
    """Sum over thresholds of (gain in recall) x (precision), with no interpolation.

    Tied scores share one threshold. NaN without a positive; chance is the prevalence.

    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    positive, score = known(truth, score)
    if not positive.any():
        return float("nan")
    everything, positives = np.sort(score), np.sort(score[positive])
    at = score[positive]
    kept = len(everything) - np.searchsorted(everything, at, side="left")
    hits = len(positives) - np.searchsorted(positives, at, side="left")
    return float((hits / kept).mean())


# --- decisions at a threshold: formulas on counts (scalars or arrays) -----------------------------


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    below = np.asarray(below, dtype=np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return np.where(tp + fn > 0, _ratio(2 * tp, 2 * tp + fp + fn), np.nan)


def _mcc(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    said = np.sqrt((tp + fp) * (tn + fn))
    true = np.sqrt((tp + fn) * (tn + fp))
    value = (tp * tn - fp * fn) / np.where(said * true > 0, said * true, 1.0)
    return np.where(true > 0, value, np.nan)


def _sensitivity(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return _ratio(tp, tp + fn)


def _specificity(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return _ratio(tn, tn + fp)


def _accuracy(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return _ratio(tp + tn, tp + fp + fn + tn)


def _balanced(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> np.ndarray:
    return (_sensitivity(tp, fp, fn, tn) + _specificity(tp, fp, fn, tn)) / 2


def _at(
    formula: Callable[..., np.ndarray], truth: np.ndarray, score: np.ndarray, t: float
) -> float:
    positive, score = known(truth, score)
    said = score >= t
    counts = (positive & said, ~positive & said, positive & ~said, ~positive & ~said)
    return float(formula(*(np.float64(np.count_nonzero(part)) for part in counts)))


def f1(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """F1 of "score >= threshold": 2 TP / (2 TP + FP + FN); NaN without a positive.

    >>> round(f1(np.array([1, 1, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1])), 3)
    0.5
    """
    return _at(_f1, truth, score, threshold)


def mcc(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """Matthews correlation of "score >= threshold" with the truth; NaN when the truth is constant.

    0 where every study gets the same decision (the usual limit of 0 / 0).

    >>> mcc(np.array([1, 1, 0, 0]), np.array([0.9, 0.7, 0.6, 0.1]), threshold=0.65)
    1.0
    """
    return _at(_mcc, truth, score, threshold)


def sensitivity(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """Share of the positives with "score >= threshold"; NaN without a positive.

    >>> sensitivity(np.array([1, 1, 0]), np.array([0.9, 0.2, 0.6]))
    0.5
    """
    return _at(_sensitivity, truth, score, threshold)


def specificity(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """Share of the negatives with "score < threshold"; NaN without a negative.

    >>> specificity(np.array([1, 0, 0]), np.array([0.9, 0.2, 0.6]))
    0.5
    """
    return _at(_specificity, truth, score, threshold)


def accuracy(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """Share of right decisions of "score >= threshold"; NaN without a study.

    >>> accuracy(np.array([1, 0, 0, np.nan]), np.array([0.9, 0.2, 0.4, 0.8]))
    1.0
    """
    return _at(_accuracy, truth, score, threshold)


def balanced_accuracy(truth: np.ndarray, score: np.ndarray, *, threshold: float = 0.5) -> float:
    """Mean of sensitivity and specificity; NaN when either is.

    >>> balanced_accuracy(np.array([1, 0, 0]), np.array([0.9, 0.2, 0.6]))
    0.75
    """
    return _at(_balanced, truth, score, threshold)


# The formula behind each metric, on TP, FP, FN, TN: scalars, arrays, counts or shares of counts.
FORMULAS: dict[Callable[..., float], Callable[..., np.ndarray]] = {
    f1: _f1,
    mcc: _mcc,
    sensitivity: _sensitivity,
    specificity: _specificity,
    accuracy: _accuracy,
    balanced_accuracy: _balanced,
}


def best_threshold(
    truth: np.ndarray, score: np.ndarray, metric: Callable[..., float] = f1
) -> float:
    """The threshold at which `metric` is highest on these (validation) studies; NaN if undefined.

    `metric` is one of the functions of this module that take a threshold. Candidates are the
    scores themselves; among equals the highest threshold wins (the fewest positive decisions).

    Raises:
        ValueError: `metric` takes no threshold.

    >>> best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), f1)
    0.35
    """
    if metric not in FORMULAS:
        raise ValueError(f"metric must be f1, mcc, accuracy or balanced_accuracy, got {metric!r}")
    positive, score = known(truth, score)
    if not positive.size:
        return float("nan")
    candidates = np.unique(score)[::-1]
    ascending, ascending_positive = np.sort(score), np.sort(score[positive])
    said = len(score) - np.searchsorted(ascending, candidates, side="left")
    tp = (len(ascending_positive) - np.searchsorted(ascending_positive, candidates)).astype(float)
    fn = positive.sum() - tp
    values = FORMULAS[metric](tp, said - tp, fn, len(score) - said - fn)
    return float("nan") if np.isnan(values).all() else float(candidates[np.nanargmax(values)])


# --- several classes ------------------------------------------------------------------------------


def multiclass_hits(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """[n] share of a hit per study: 1 if the true class alone has the top score, 1/m if m tie.

    `truth` [n, K] has one 1 per row, or a NaN row (unknown); `score` [n, K]. NaN where unknown or
    not scored. Sharing ties makes a constant score reach exactly 1 / K, as chance does.

    >>> multiclass_hits(np.array([[1, 0], [0, 1]]), np.array([[2, 1], [5, 5]])).tolist()
    [1.0, 0.5]
    """
    truth, score = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != score.shape:
        raise ValueError(f"truth and score must both be [n, K], got {truth.shape}, {score.shape}")
    counts = ~(np.isnan(truth).any(axis=1) | np.isnan(score).any(axis=1))
    if not (np.isin(truth[counts], (0.0, 1.0)).all() and (truth[counts].sum(axis=1) == 1).all()):
        raise ValueError("each row of truth must have exactly one 1 and else 0, or be NaN")
    top = score == score.max(axis=1, keepdims=True)
    shares = (top & (truth == 1.0)).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    return np.where(counts, shares, np.nan)


def multiclass_accuracy(truth: np.ndarray, score: np.ndarray) -> float:
    """Share of studies whose true class has the top score, ties shared; NaN without a study."""
    return float(mean_of_defined(multiclass_hits(truth, score)))


def multiclass_balanced_accuracy(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean over the classes that occur of the share of hits in each; NaN without a study."""
    return float(mean_of_defined(mean_of_defined(hits_by_class(truth, score))))


def hits_by_class(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """[n, K] the hits of each study in the column of its true class, NaN elsewhere."""
    hits = multiclass_hits(truth, score)
    return np.where(np.asarray(truth, dtype=np.float64) == 1.0, hits[:, None], np.nan)
