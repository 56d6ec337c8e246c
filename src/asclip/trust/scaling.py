"""From scores to probabilities that hold: temperature and Platt scaling, fitted on validation.

`s` are log-odds, `beta` a slope, `b` a bias; truth y is 1, 0 or NaN.

    temperature, labels     p = sigmoid(s / T), one T for all labels
    temperature, classes    p = softmax(log p / T)
    Platt                   p = sigmoid(beta s + b), one pair per label

Paper    Guo et al. 2017, arXiv:1706.04599, section 4 (temperature); Platt 1999 with the targets of
         its eq. 11 and the solver of Lin, Lin and Weng 2007 (doi:10.1007/s10994-007-5018-6)
Differs  beta is never negative: no scaling turns the order of the studies round. Each loss is
         convex, so the result does not depend on a start or a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asclip.metrics.known import known

# 1 / T is looked for here; scores that want more separate the truth, those that want less deny it.
LOWEST, HIGHEST = 1e-4, 1e4
STEPS = 100


@dataclass(frozen=True, slots=True)
class Temperature:
    """One temperature for all labels, or for all classes where a study has one of them."""

    value: float
    single_label: bool = False

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of log-odds [n, K]; NaN stays NaN."""
        if not self.single_label:
            return sigmoid(np.asarray(scores, dtype=np.float64) / self.value)
        logits = -np.logaddexp(0.0, -np.asarray(scores, dtype=np.float64)) / self.value
        return np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Platt:
    """Slope and bias of one label."""

    slope: float
    bias: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores of any shape; NaN stays NaN."""
        return sigmoid(self.slope * np.asarray(scores, dtype=np.float64) + self.bias)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-scores)), without overflow.

    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    small = np.exp(-np.abs(scores))
    return np.where(np.less(scores, 0), small, 1.0) / (1.0 + small)


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> Temperature:
    """The temperature of log-odds [n, K] or [n], all their known entries together.

    Raises:
        ValueError: no known entry or one outcome only; scores that separate the truth, or run
            against it, so that no finite temperature is best.
    """
    positive, known_scores = known(np.ravel(truth), np.ravel(scores))
    if not positive.any() or positive.all():
        raise ValueError(
            f"a temperature needs known positives and negatives, got {int(positive.sum())} "
            f"positives among {positive.size}; take more validation studies"
        )

    def gradient(beta: float) -> float:
        return float(((sigmoid(beta * known_scores) - positive) * known_scores).mean())

    return Temperature(1.0 / _root(gradient))


def fit_class_temperature(scores: np.ndarray, truth: np.ndarray) -> Temperature:
    """The temperature of one-against-rest log-odds [n, K] of K classes, truth [n, K] one-hot.

    Rows with a NaN do not count.

    Raises:
        ValueError: shapes differ, no known row, or no finite temperature is best.
    """
    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if scores.ndim != 2 or scores.shape != truth.shape:
        raise ValueError(f"scores and truth must both be [n, K], got {scores.shape}, {truth.shape}")
    rows = ~(np.isnan(scores) | np.isnan(truth)).any(axis=1)
    if not rows.any():
        raise ValueError("a temperature needs a study with a known class and scores, got none")
    scores, truth = scores[rows], truth[rows]
    logs = -np.logaddexp(0.0, -scores)

    def gradient(beta: float) -> float:
        share = Temperature(1.0 / beta, single_label=True)(scores)
        return float(((share - truth) * logs).sum(axis=1).mean())

    return Temperature(1.0 / _root(gradient), single_label=True)


def fit_platt(scores: np.ndarray, truth: np.ndarray) -> Platt:
    """Slope and bias of one label's scores [n], which may be any real numbers.

    Targets are (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0, so that the best is finite.

    Raises:
        ValueError: no known positive or no known negative.
    """
    positive, scores = known(truth, scores)
    num_positive, num_negative = int(positive.sum()), int((~positive).sum())
    if not num_positive or not num_negative:
        raise ValueError(
            f"Platt scaling needs known positives and negatives, got {num_positive} and "
            f"{num_negative}; take more validation studies"
        )
    target = np.where(positive, (num_positive + 1) / (num_positive + 2), 1 / (num_negative + 2))
    centre, spread = scores.mean(), scores.std()
    # Fitted on scores of unit spread: the curvature is then of one size in both directions.
    unit = (scores - centre) / spread if spread > 0 else np.zeros_like(scores)
    slope, bias = _newton(unit, target)
    if slope <= 0 or spread == 0:
        share = target.mean()
        return Platt(0.0, float(np.log(share / (1 - share))))
    return Platt(float(slope / spread), float(bias - slope * centre / spread))


def _root(gradient) -> float:
    """Where the growing `gradient` of 1 / T is zero, by halving on a logarithmic scale."""
    if gradient(LOWEST) >= 0 or gradient(HIGHEST) <= 0:
        against = gradient(LOWEST) >= 0
        raise ValueError(
            "no temperature fits: the validation scores "
            + ("run against the truth or do not order it" if against else "separate the truth")
            + "; use Platt scaling" * (not against)
            + "; look at the AUROC before calibrating" * against
        )
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if gradient(float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp((low + high) / 2))


def _newton(scores: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Slope and bias of the least cross-entropy with soft targets, by Newton steps."""
    columns = np.stack([scores, np.ones_like(scores)], axis=1)  # [n, 2]
    weight = np.array([0.0, np.log(target.mean() / (1 - target.mean()))])

    def loss(at: np.ndarray) -> float:
        logit = columns @ at
        return float((np.logaddexp(0.0, logit) - target * logit).mean())

    for _ in range(STEPS):
        share = sigmoid(columns @ weight)
        gradient = columns.T @ (share - target) / len(target)
        curve = (columns * (share * (1 - share))[:, None]).T @ columns / len(target)
        step = np.linalg.solve(curve + 1e-12 * np.eye(2), gradient)
        if np.abs(step).max() < 1e-12:
            break
        size = 1.0
        while loss(weight - size * step) > loss(weight) and size > 1e-8:
            size /= 2
        weight = weight - size * step
    return float(weight[0]), float(weight[1])
