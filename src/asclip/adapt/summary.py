"""Curves over seeds: means with intervals, and what an adapter gains on the texts alone.

    mean +- t(.975, S - 1) sd / sqrt(S)   of S seeds (Student's t), cut to what the metric can be

The seeds draw other examples; patients of the scored split are the same. So the interval says how
much the drawn studies matter, and is not known where all seeds have the same ones (100 %); how much
the scored patients matter is in each row's own interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asclip.adapt.draws import NONE
from asclip.adapt.rows import Row


@dataclass(frozen=True, slots=True)
class Line:
    """One method at one amount, for one metric and side, over those `seeds` of `fits` with a value.

    `gain` is the mean difference to zero-shot seed by seed, with its own interval; NaN where there
    is no zero-shot row. `seconds` is the mean time of a fit.
    """

    method: str
    side: str
    metric: str
    amount: str
    studies: float
    fits: int
    seeds: int
    mean: float
    low: float
    high: float
    lowest: float
    highest: float
    gain: float
    gain_low: float
    gain_high: float
    seconds: float


def summary(rows: Sequence[Row]) -> list[Line]:
    """The lines of all rows, in their order."""
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    floors: dict[tuple[str, str], float] = {}
    for row in rows:
        metric = row.score.metric
        groups.setdefault((row.method, row.side, metric, row.drawn.amount), []).append(row)
        if row.drawn.amount == NONE:
            floors[row.side, metric] = row.score.value
    return [_line(key, some, floors) for key, some in groups.items()]


def _line(
    key: tuple[str, str, str, str], rows: Sequence[Row], floors: dict[tuple[str, str], float]
) -> Line:
    method, side, metric, amount = key
    values = [row.score.value for row in rows if not math.isnan(row.score.value)]
    mean, low, high = interval(values)
    gain = interval([value - floors.get((side, metric), math.nan) for value in values])
    if len({row.drawn.digest for row in rows}) == 1:  # all studies: seeds draw nothing
        low = high = math.nan
        gain = (gain[0], math.nan, math.nan)
    return Line(
        method, side, metric, amount,
        studies=sum(row.drawn.studies for row in rows) / len(rows),
        fits=len(rows), seeds=len(values), mean=mean, low=within(low), high=within(high),
        lowest=min(values, default=math.nan), highest=max(values, default=math.nan),
        gain=gain[0], gain_low=gain[1], gain_high=gain[2],
        seconds=sum(row.seconds for row in rows) / len(rows),
    )  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t; NaN bounds of fewer than two values.

    >>> [round(one, 3) for one in interval([0.6, 0.7, 0.8])]
    [0.7, 0.452, 0.948]
    """
    from scipy.stats import t

    if not values:
        return math.nan, math.nan, math.nan
    number = len(values)
    mean = math.fsum(values) / number
    if number < 2:
        return mean, math.nan, math.nan
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (number - 1))
    half = float(t.ppf(0.975, number - 1)) * spread / math.sqrt(number)
    return mean, mean - half, mean + half


def within(bound: float) -> float:
    """A bound cut to 0 ... 1, between which all these metrics lie; NaN stays."""
    return bound if math.isnan(bound) else min(1.0, max(0.0, bound))
