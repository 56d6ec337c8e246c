"""Split conformal prediction: sets that hold the truth with probability 1 - alpha or more.

`p` [n, K] are probabilities, `e` nonconformity scores, n calibration studies. A set has every class
with e <= q, where q is the k-th smallest calibration score, k = ceil((n + 1) (1 - alpha)):

    LAC   e_k = 1 - p_k                                             smallest sets on average
    APS   e_k = sum of the p above p_k + u p_k, u ~ U(0, 1)         sets that grow with doubt

Paper    Vovk et al. 2005; Sadinle, Lei and Wasserman 2019, arXiv:1609.00451 (LAC, and one q per
         class); Romano, Sesia and Candes 2020, arXiv:2006.02544, eq. 4 (APS)
Equals   jusiro/CLIP-Conformal in its definition of the quantile
Needs    calibration and test studies that are exchangeable; see `shift`. Several studies of one
         patient are not: with them the coverage holds on average, less sharply.
Differs  u is drawn once a study, from `seed` and the study's row; an empty set is left empty
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from asclip.metrics.known import known


@dataclass(frozen=True, slots=True)
class Lac:
    """Least ambiguous sets: 1 - p."""

    def scores(self, shares: np.ndarray, *, stream: int) -> np.ndarray:
        """[n, K] nonconformity of each class; `stream` is not needed here."""
        return 1.0 - shares


@dataclass(frozen=True, slots=True)
class Aps:
    """Adaptive sets. `randomised` False takes u = 1: larger sets, never empty, no seed."""

    seed: int = 0
    randomised: bool = True

    def scores(self, shares: np.ndarray, *, stream: int) -> np.ndarray:
        """[n, K] nonconformity; `stream` 0 draws u for calibration studies, 1 for others."""
        order = np.argsort(-shares, axis=1, kind="stable")
        ranked = np.take_along_axis(shares, order, axis=1)
        draw = np.random.default_rng([self.seed, stream]).random(len(shares))[:, None]
        own = draw * ranked if self.randomised else ranked
        out = np.empty_like(ranked)
        np.put_along_axis(out, order, np.cumsum(ranked, axis=1) - ranked + own, axis=1)
        return out


@dataclass(frozen=True, slots=True)
class Conformal:
    """Sets of classes; `quantile` [K] (equal where not by class), `n` [K] calibration studies."""

    measure: Lac | Aps
    alpha: float
    quantile: np.ndarray
    n: np.ndarray

    def sets(self, shares: np.ndarray) -> np.ndarray:
        """[n, K] bool of probabilities [n, K]; a study with a NaN keeps every class."""
        shares = _rows_of_shares(shares)
        if shares.shape[1] != len(self.quantile):
            raise ValueError(f"shares must have {len(self.quantile)} classes, got {shares.shape}")
        unknown = np.isnan(shares).any(axis=1, keepdims=True)
        scores = self.measure.scores(np.where(unknown, 0.0, shares), stream=1)
        return (scores <= self.quantile) | unknown


@dataclass(frozen=True, slots=True)
class LabelConformal:
    """Of K labels what cannot be ruled out; `present` [K] and `absent` [K] are thresholds.

    Each label and outcome has its own guarantee: of the studies that have a label, 1 - alpha or
    more keep it in `sets`; of those without it, 1 - alpha or more keep "absent" in `absent_sets`.
    A study with one of the two has a decision, with both none.
    """

    alpha: float
    present: np.ndarray
    absent: np.ndarray

    def sets(self, scores: np.ndarray) -> np.ndarray:
        """[n, K] bool: the label may be present. NaN scores rule nothing out."""
        scores = np.asarray(scores, dtype=np.float64)
        return (scores >= self.present) | np.isnan(scores)

    def absent_sets(self, scores: np.ndarray) -> np.ndarray:
        """[n, K] bool: the label may be absent."""
        scores = np.asarray(scores, dtype=np.float64)
        return (scores <= self.absent) | np.isnan(scores)


def rank(n: int, alpha: float) -> int:
    """Rank ceil((n + 1) (1 - alpha)) of the quantile; more than n means that n is too few.

    Exact for the decimals of `alpha`: no rounding of a product moves it.

    >>> rank(9, 0.1), rank(99, 0.05), rank(8, 0.1)
    (9, 95, 9)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, such as 0.1 for 90 %, got {alpha}")
    return math.ceil((n + 1) * (1 - Fraction(str(float(alpha)))))


def needed(alpha: float) -> int:
    """The fewest calibration studies with which a level can be guaranteed at all.

    >>> needed(0.1), needed(0.05)
    (9, 19)
    """
    rank(0, alpha)
    share = Fraction(str(float(alpha)))
    return math.ceil((1 - share) / share)


def fit(
    shares: np.ndarray,
    truth: np.ndarray,
    alpha: float,
    *,
    measure: Lac | Aps | None = None,
    by_class: bool = False,
    labels: Sequence[str] = (),
) -> Conformal:
    """Sets of one class of K, from validation probabilities [n, K] and one-hot truth [n, K].

    `measure` is LAC by default. `by_class` guarantees the coverage within each class (Mondrian).
    Rows with a NaN do not count. `labels` are names for messages.

    Raises:
        ValueError: alpha is not in (0, 1), no probabilities, or too few studies (of a class).
    """
    measure = measure or Lac()
    shares, truth = _rows_of_shares(shares), np.asarray(truth, dtype=np.float64)
    if shares.shape != truth.shape:
        raise ValueError(f"shares and truth must both be [n, K], got {shares.shape}, {truth.shape}")
    rows = ~(np.isnan(shares) | np.isnan(truth)).any(axis=1)
    if not ((truth[rows] == 1).sum(axis=1) == 1).all():
        raise ValueError("each row of truth must have exactly one 1 and else 0, or be NaN")
    scores = measure.scores(shares[rows], stream=0)
    own, classes = truth[rows] == 1, shares.shape[1]
    if by_class:
        parts = [scores[own[:, k], k] for k in range(classes)]
        names = labels or [f"class {k}" for k in range(classes)]
        quantile = np.array([_quantile(e, alpha, n) for n, e in zip(names, parts, strict=True)])
        return Conformal(measure, alpha, quantile, np.array([len(e) for e in parts]))
    quantile = np.full(classes, _quantile(scores[own], alpha, "the sets"))
    return Conformal(measure, alpha, quantile, np.full(classes, int(rows.sum())))


def fit_labels(
    scores: np.ndarray, truth: np.ndarray, alpha: float, *, labels: Sequence[str] = ()
) -> LabelConformal:
    """What can be ruled out of K labels, from validation scores [n, K] (any numbers) and truth.

    `labels` are names for messages.

    Raises:
        ValueError: alpha is not in (0, 1), or a label has too few positives or negatives.
    """
    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if scores.ndim != 2 or scores.shape != truth.shape:
        raise ValueError(f"scores and truth must both be [n, K], got {scores.shape}, {truth.shape}")
    present, absent = np.empty(scores.shape[1]), np.empty(scores.shape[1])
    for k in range(scores.shape[1]):
        name = labels[k] if labels else f"label {k}"
        positive, score = known(truth[:, k], scores[:, k])
        present[k] = -_quantile(-score[positive], alpha, f"studies with {name}")
        absent[k] = _quantile(score[~positive], alpha, f"studies without {name}")
    return LabelConformal(alpha, present, absent)


def covered(sets: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[n, K] 1 where a true class or label is in the set [n, K], 0 where not; NaN elsewhere.

    The mean of all known entries is the coverage, that of a column the coverage of its class.

    >>> covered(np.array([[True, False]]), np.array([[0, 1]])).tolist()
    [[nan, 0.0]]
    """
    sets, truth = np.asarray(sets, dtype=bool), np.asarray(truth, dtype=np.float64)
    if sets.ndim != 2 or sets.shape != truth.shape:
        raise ValueError(f"sets and truth must both be [n, K], got {sets.shape}, {truth.shape}")
    return np.where(truth == 1, sets.astype(np.float64), np.nan)


def surprise(hits: int, m: int, n: int, alpha: float) -> float:
    """Probability of at most `hits` covered of m test studies, with n calibration studies.

    Exact for exchangeable studies of continuous scores, whatever their distribution: the coverage
    that a calibration set gives is itself Beta(k, n + 1 - k) distributed, k as in `rank` (Vovk
    2012). With few calibration studies a coverage far below its nominal level is no surprise.

    >>> round(surprise(80, 100, 1000, 0.1), 4), round(surprise(80, 100, 19, 0.1), 4)
    (0.0032, 0.1056)
    """
    from scipy.stats import betabinom

    k = rank(n, alpha)
    return float(betabinom.cdf(hits, m, k, n + 1 - k))


def _quantile(scores: np.ndarray, alpha: float, what: str) -> float:
    k = rank(len(scores), alpha)
    if k > len(scores):
        raise ValueError(
            f"a coverage of {1 - alpha:.6g} needs {needed(alpha)} calibration studies or more for "
            f"{what}, got {len(scores)}; take a larger validation split or a larger alpha"
        )
    return float(np.partition(scores, k - 1)[k - 1])


def _rows_of_shares(shares: np.ndarray) -> np.ndarray:
    shares = np.asarray(shares, dtype=np.float64)
    if shares.ndim != 2:
        raise ValueError(f"shares must be [n, K], got {shares.shape}")
    rows = shares[~np.isnan(shares).any(axis=1)]
    if rows.size and (rows.min() < 0 or np.abs(rows.sum(axis=1) - 1).max() > 1e-6):
        raise ValueError(
            "shares must be probabilities that add up to 1 in each row, got sums of "
            f"{rows.sum(axis=1).min():g} to {rows.sum(axis=1).max():g}; take a softmax first"
        )
    return shares
