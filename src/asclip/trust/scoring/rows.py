"""Records of a metric for each label and their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from asclip.metrics.bootstrap import bootstrap_mean, percentile_interval, scarce
from asclip.metrics.known import mean_of_defined
from asclip.tasks.provenance import record
from asclip.types import Predictions, Score

# Value, samples [R], studies, and what chance reaches: one number or draws [D], None if unknown.
Part = tuple[float, np.ndarray, int, np.ndarray | None]
Interval = Callable[[float, np.ndarray, np.ndarray | None], tuple[float, float]]
WHOLE = ("",)  # the label of a number that is of no single label


def rng_of(test: Predictions, stream: int = 0) -> np.random.Generator:
    """The random stream of these predictions: equal numbers give the same resamples."""
    seed = int(str(test.provenance["seed"]))
    return np.random.default_rng([seed, stream] if stream else seed)


def plain_interval(
    value: float, samples: np.ndarray, chance: np.ndarray | None
) -> tuple[float, float]:
    """The percentile interval, for metrics that noise pushes neither way."""
    return percentile_interval(samples)


def rows(
    test: Predictions,
    metric: str,
    parts: Sequence[Part],
    why: Sequence[str],
    span: Interval = plain_interval,
    *,
    names: Sequence[str] | None = None,
) -> list[Score]:
    """A record for each of `names` (the labels), and their mean over those that are defined.

    `why` explains each NaN. `WHOLE` as names makes one record, without a mean. A label that few
    patients have, or have not, gets no interval.
    """
    few = [""] * len(parts)
    if names is None:
        names = test.labels
        if test.truth.shape == (len(test.patient), len(parts)):  # not of maps, which have no truth
            usable = np.where(np.isnan(test.scores), np.nan, test.truth)
            few = [scarce(truth, test.patient) for truth in usable.T]
    if names != WHOLE:
        parts, why, few = [*parts, _mean(parts)], [*why, "no label is defined"], [*few, ""]
        names = [*names, "macro"]
    enough = len(np.unique(test.patient)) > 1
    scores = []
    for (value, samples, n, chance), label, reason, scant in zip(
        parts, names, why, few, strict=True
    ):
        missing = bool(np.isnan(value))
        known = enough and not missing and not scant
        low, high = span(value, samples, chance) if known else (np.nan, np.nan)
        reached = None if missing or chance is None else float(np.mean(chance))
        scores.append(
            record(
                test, metric, label=label, value=value, low=low, high=high, n=n,
                why_nan=reason if missing else scant, chance=reached,
            )
        )  # fmt: skip
    return scores


def mean_rows(
    test: Predictions,
    metric: str,
    values: np.ndarray,
    why: Sequence[str],
    *,
    resamples: int,
    chance: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> list[Score]:
    """`rows` of the means of the columns of values [n, K]; NaN does not count. `chance` is [K]."""
    samples = bootstrap_mean(values, groups=test.patient, resamples=resamples, rng=rng_of(test))
    n, means = (~np.isnan(values)).sum(axis=0), mean_of_defined(values)
    parts = [
        (float(means[k]), samples[:, k], int(n[k]), None if chance is None else chance[k])
        for k in range(len(n))
    ]
    return rows(test, metric, parts, why, names=names)


def _mean(parts: Sequence[Part]) -> Part:
    defined = [part for part in parts if not np.isnan(part[0])]
    if not defined:
        return np.nan, np.empty(0), 0, None
    chances = [part[3] for part in defined if part[3] is not None]
    return (
        float(np.mean([part[0] for part in defined])),
        mean_of_defined(np.stack([part[1] for part in defined])),
        max(part[2] for part in defined),
        np.mean(chances, axis=0) if chances else None,
    )
