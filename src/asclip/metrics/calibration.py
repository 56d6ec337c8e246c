"""Calibration of probabilities: how far "0.8" is from "true eight times in ten".

Two-class metrics take truth [n] (1, 0, NaN) and probabilities [n]. Bins are closed on the left, the
last one on both sides. `equal_width` and `equal_mass` say where they are; equal scores never stand
in two bins. `biased.biased_interval` is the interval of an error: noise alone makes it large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asclip.metrics.bootstrap import bootstrap_mean
from asclip.metrics.known import known, mean_of_defined

# Of the logarithm of a probability; as in scikit-learn, so that a sure mistake costs 36.04 nats.
SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of B bins: edges [B + 1], mean probability [B], share of positives [B], studies [B].

    The means of an empty bin are NaN.
    """

    edges: np.ndarray
    confidence: np.ndarray
    frequency: np.ndarray
    n: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean |share - probability|, each bin by its studies."""
        gap = np.where(self.n > 0, np.abs(self.frequency - self.confidence), 0.0)
        return float((gap * self.n).sum() / self.n.sum()) if self.n.sum() else float("nan")


def equal_width(bins: int = 15) -> np.ndarray:
    """[bins + 1] edges of equally wide bins of [0, 1] (Naeini et al. 2015).

    >>> equal_width(4).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return np.arange(_checked(bins) + 1) / bins


def equal_mass(score: np.ndarray, bins: int = 15) -> np.ndarray:
    """[B + 1] edges from 0 to 1 with equally many scores [n] a bin (Nguyen and O'Connor 2015).

    Equal scores go to one side of the nearest edge, so that with many of them B is less than
    `bins`. NaN does not count.

    >>> equal_mass(np.array([0.1, 0.2, 0.3, 0.9]), 2).tolist()
    [0.0, 0.3, 1.0]
    """
    score = np.asarray(score, dtype=np.float64)
    score = np.sort(score[~np.isnan(score)])
    wanted = np.arange(1, _checked(bins)) * score.size / bins
    places = np.flatnonzero(np.diff(score)) + 1  # where another value begins
    if not places.size:
        return np.array([0.0, 1.0])
    nearest = np.abs(wanted[:, None] - places).argmin(axis=1)
    # Where the scores of exactly 1 make a bin, it begins and ends at 1.
    return np.append(np.unique([0.0, *score[places[nearest]]]), 1.0)


def reliability(truth: np.ndarray, score: np.ndarray, edges: np.ndarray) -> Reliability:
    """The table behind a reliability diagram, over the bins between `edges` [B + 1].

    >>> found = reliability(np.array([1, 0, 1]), np.array([0.2, 0.4, 0.9]), equal_width(2))
    >>> found.frequency.tolist(), found.n.tolist()
    ([0.5, 1.0], [2, 1])
    """
    positive, score = _probabilities(truth, score)
    member, bins = _member(score, edges), len(edges) - 1
    n = np.bincount(member, minlength=bins)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(member, weights=values, minlength=bins)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)

    return Reliability(np.asarray(edges, np.float64), mean(score), mean(positive), n)


def ece(truth: np.ndarray, score: np.ndarray, *, bins: int = 15) -> float:
    """Expected calibration error over `bins` equally wide bins; NaN without a study.

    Mean |share of positives - mean probability|, each bin weighted by its number of studies
    (Naeini et al. 2015, for the positive class).

    >>> round(ece(np.array([1, 0, 1, 1]), np.array([0.8, 0.8, 0.8, 0.8])), 3)
    0.05
    """
    return reliability(truth, score, equal_width(bins)).error


def adaptive_ece(truth: np.ndarray, score: np.ndarray, *, bins: int = 15) -> float:
    """`ece` over bins with equally many studies (Nixon et al. 2019, arXiv:1904.01685, section 4).

    Rare findings have all their scores in one equally wide bin; these bins tell them apart.
    """
    positive, score = _probabilities(truth, score)
    return reliability(positive, score, equal_mass(score, bins)).error


def classwise_ece(
    truth: np.ndarray,
    score: np.ndarray,
    *,
    bins: int = 15,
    metric: Callable[..., float] = ece,
) -> float:
    """Mean over the columns of truth [n, K], score [n, K] of `ece` or `adaptive_ece`.

    Kull et al. 2019, arXiv:1910.12656, section 2. Classes without a study do not count.
    """
    truth, score = np.asarray(truth, np.float64), np.asarray(score, np.float64)
    if truth.ndim != 2 or truth.shape != score.shape:
        raise ValueError(f"truth and score must both be [n, K], got {truth.shape}, {score.shape}")
    columns = [metric(truth[:, k], score[:, k], bins=bins) for k in range(truth.shape[1])]
    return float(mean_of_defined(np.array(columns))) if columns else float("nan")


def top_label(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the likeliest of K classes is right [n] (1, 0, NaN), and its probability [n].

    With these, `ece` is that of Guo et al. 2017 (arXiv:1706.04599, eq. 3). `truth` [n, K] is
    one-hot or NaN, `score` [n, K] probabilities; among equals the first class is taken.

    >>> [part.tolist() for part in top_label(np.array([[0, 1]]), np.array([[0.3, 0.7]]))]
    [[1.0], [0.7]]
    """
    truth, score = np.asarray(truth, np.float64), np.asarray(score, np.float64)
    if truth.ndim != 2 or truth.shape != score.shape or not truth.shape[1]:
        raise ValueError(f"truth and score must both be [n, K], got {truth.shape}, {score.shape}")
    unknown = np.isnan(score.sum(axis=1))
    rows, top = np.arange(len(score)), np.where(unknown[:, None], 0.0, score).argmax(axis=1)
    right = np.where(unknown | np.isnan(truth).any(axis=1), np.nan, truth[rows, top])
    return right, np.where(unknown, np.nan, score[rows, top])


def brier(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean squared distance of probability and truth (Brier 1950, two classes); 0 is best.

    NaN without a study.

    >>> brier(np.array([1, 0]), np.array([0.5, 0.5]))
    0.25
    """
    return float(mean_of_defined(brier_of_each(truth, score)))


def log_loss(truth: np.ndarray, score: np.ndarray) -> float:
    """Mean -log of the probability of what is true, in nats; NaN without a study.

    Probabilities are kept `SMALLEST` away from 0 and 1, so that a sure mistake costs a finite sum.

    >>> round(log_loss(np.array([1, 0]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    return float(mean_of_defined(log_loss_of_each(truth, score)))


def brier_of_each(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """[n] squared distance of each study, NaN where it does not count."""
    return _each(truth, score, lambda true, share: (share - true) ** 2)


def log_loss_of_each(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """[n] -log probability of the truth of each study, NaN where it does not count."""

    def loss(true: np.ndarray, share: np.ndarray) -> np.ndarray:
        share = np.clip(share, SMALLEST, 1 - SMALLEST)
        return -np.log(np.where(true, share, 1 - share))

    return _each(truth, score, loss)


def bootstrap_ece(
    truth: np.ndarray,
    score: np.ndarray,
    edges: np.ndarray,
    *,
    groups: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """[resamples] calibration error of each resample of the patients, over the bins of `edges`.

    Bins of equal mass stay those of all studies: a resample does not cut them anew.
    """
    _probabilities(truth, score)
    truth, score = np.asarray(truth, np.float64), np.asarray(score, np.float64)
    gap = truth - score
    counts = ~np.isnan(gap)
    # Its own bin's column for each study and 0 elsewhere: the mean of a column is gap x share.
    by_bin = np.where(counts[:, None], 0.0, np.nan) * np.ones(len(edges) - 1)
    by_bin[counts, _member(score[counts], edges)] = gap[counts]
    means = bootstrap_mean(by_bin, groups=groups, resamples=resamples, rng=rng)
    return np.abs(means).sum(axis=1)


def calibrated_ece(
    score: np.ndarray, edges: np.ndarray, *, rng: np.random.Generator, draws: int = 200
) -> np.ndarray:
    """[draws] errors that chance alone gives to these probabilities [n] if they were true.

    Truth is drawn from them (consistency resampling: Broecker and Smith 2007, section 3), each
    study by itself. An `ece` within these is no evidence of miscalibration. NaN does not count.
    """
    score = np.asarray(score, dtype=np.float64)
    score = score[~np.isnan(score)]
    drawn = (rng.random((draws, len(score))) < score).astype(np.float64)
    return np.array([reliability(row, score, edges).error for row in drawn])


def _each(
    truth: np.ndarray, score: np.ndarray, loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    positive, share = _probabilities(truth, score)
    out = np.full(len(np.asarray(truth)), np.nan)
    out[~(np.isnan(np.asarray(truth, float)) | np.isnan(np.asarray(score, float)))] = loss(
        positive, share
    )
    return out


def _probabilities(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, score = known(truth, score)
    if score.size and (score.min() < 0 or score.max() > 1):
        raise ValueError(
            f"a calibration metric needs probabilities in [0, 1], got {score.min():g} to "
            f"{score.max():g}; turn the scores into probabilities first"
        )
    return positive, score


def _member(score: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.asarray(edges)[1:-1], score, side="right")


def _checked(bins: int) -> int:
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}")
    return bins
