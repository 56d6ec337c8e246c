"""What an oracle that knows the truth would reach in a measure, and what a coin would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from asclip.metrics.classification import auroc_columns
from asclip.phantom.challenges.case import Case, Measure

Bounds = tuple[float | None, float | None]
TOP = 5
NEAREST = 10
ALIKE = 0.5
POINTS = 16
"""Points of a box along a side among which an oracle chooses where to point."""
MARGIN = 0.125
"""The share of the film's side by which a box is widened before it is pointed at."""


def bounds(measure: Measure, cases: Sequence[Case]) -> Bounds:
    """(ceiling, chance) of `measure` on the test cases; None where they leave it undefined.

    The oracle sees in an image every finding with its side, zone and severity, and no more: two
    reports of equal findings are the same to it.
    """
    kept = measure.meant(cases)
    if not kept:
        return None, None
    match measure.metric:
        case "macro auroc":
            whole = all(len({c.value(k) for c in kept}) == 2 for k in measure.columns)
            return (1.0, 0.5) if whole else (None, 0.5)
        case "balanced accuracy":
            return 1.0, 1.0 / len(measure.of)
        case "balanced accuracy of a linear probe":
            return 1.0 / len(measure.of), 1.0 / len(measure.of)  # the best is to tell nothing
        case "recall@5":
            return recall(kept, of_bodies=measure.kind == "cross-modal")
        case "precision@10":
            return precision(kept, measure.columns)
        case "right of two":
            return 1.0, 0.5
        case "hits above others":
            return pointing(measure, kept)
    raise ValueError(f"no bounds are known for the metric {measure.metric!r}")


def pointing(measure: Measure, cases: Sequence[Case]) -> Bounds:
    """The best point of the own box, that is in the fewest boxes of others; blind points: 0."""
    best: list[float] = []
    for column in measure.columns:
        boxes = [np.array(v.split(), float) for c in cases if (v := c.value(column))]
        if len(boxes) > 1:
            low, high = np.stack(boxes)[:, :2], np.stack(boxes)[:, 2:]
            low, high = (low - MARGIN).clip(0, 1), (high + MARGIN).clip(0, 1)
            along = np.linspace(0, 1, POINTS)
            steps = np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)
            points = low[:, None] + steps * (high - low)[:, None]  # [boxes, points, 2]
            others = [
                ((at[:, None] >= low) & (at[:, None] <= high)).all(2).sum(1).min() - 1
                for at in points
            ]
            best.append(1 - float(np.mean(others)) / (len(boxes) - 1))
    return (float(np.mean(best)), 0.0) if best else (None, None)


def counting(measure: Measure, cases: Sequence[Case]) -> float | None:
    """The macro AUROC of the number of findings of a film: who is ill, without knowing of what.

    None for other metrics, and where a column of the truth has one value.
    """
    kept = measure.meant(cases)
    if measure.metric != "macro auroc" or not kept:
        return None
    number = np.array([len(case.visit.findings) for case in kept], float)[:, None]
    truth = np.array([[float(case.value(column)) for column in measure.columns] for case in kept])
    found = auroc_columns(truth, np.repeat(number, truth.shape[1], 1))
    return None if np.isnan(found).any() else float(found.mean())


def recall(cases: Sequence[Case], *, of_bodies: bool) -> Bounds:
    """Recall@5 of one right answer per query; equal findings tie, unless bodies are compared."""
    pool = [c for c in cases if {"PA", "CT"} <= set(c.views)] if of_bodies else list(cases)
    if not pool:
        return None, None
    twins = Counter(c.visit.study if of_bodies else str(sorted(c.facts)) for c in pool)
    best = [min(1.0, TOP / num) for num in twins.values() for _ in range(num)]
    return float(np.mean(best)), min(1.0, TOP / len(pool))


def precision(cases: Sequence[Case], columns: Sequence[str]) -> Bounds:
    """Precision@10 among other patients' images that share half of all findings or more."""
    have = np.array([[int(c.value(k)) for k in columns] for c in cases])
    both = have @ have.T
    either = have.sum(1)[:, None] + have.sum(1)[None] - both
    alike = both >= np.maximum(ALIKE * either, 1)
    patient = np.array([c.visit.patient for c in cases])
    other = patient[:, None] != patient[None]
    asked = have.any(1) & (other.sum(1) >= NEAREST)
    if not asked.any():
        return None, None
    right = (alike & other).sum(1)[asked]
    best = np.minimum(right, NEAREST) / NEAREST
    return float(best.mean()), float((right / other.sum(1)[asked]).mean())
