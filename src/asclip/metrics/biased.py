"""Intervals of metrics that noise pushes one way: calibration errors, gaps between groups.

Such a metric is an absolute value or a maximum, so a sample has more of it than there is, and a
resample more still: a percentile interval can lie above the truth. The reflected one ("basic" in
Davison and Hinkley 1997, eq. 5.6) takes the resamples' excess off, but is too short where the value
is near its bound. This interval is the smallest that holds both; it covers more than it says.
"""

from __future__ import annotations

import math

import numpy as np

from asclip.metrics.bootstrap import percentile_interval


def biased_interval(
    value: float,
    samples: np.ndarray,
    by_chance: np.ndarray | None = None,
    *,
    level: float = 0.95,
) -> tuple[float, float]:
    """(low, high) around `value` from resamples [R], kept in [0, 1].

    `by_chance` [D] are values where nothing is to be found; one that chance gives so easily has 0
    as its low end (a one-sided test). NaN, NaN where `value` is NaN or fewer than half of the
    resamples are defined.

    >>> biased_interval(0.5, np.linspace(0.5, 0.75, 101), level=0.5)
    (0.3125, 0.6875)
    """
    low, high = percentile_interval(samples, level=level)
    if math.isnan(value) or math.isnan(low):
        return float("nan"), float("nan")
    ends = (low, high, 2 * value - low, 2 * value - high, value)
    nothing = by_chance is not None and value <= np.quantile(by_chance, (1 + level) / 2)
    return 0.0 if nothing else max(float(min(ends)), 0.0), min(float(max(ends)), 1.0)
