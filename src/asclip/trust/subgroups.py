"""Subgroups of the studies, and how well each is served.

A group is a value of a metadata column (sex F, age 40-59) or of a crossing of columns (F & 40-59).
Studies that do not state it are shown as "not stated" and take part in no gap. A group with fewer
than `least` positives or negatives, or with few patients who have them, has no AUROC; a small one
has an interval as wide as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asclip.metrics.bootstrap import FEWEST, bootstrap_auroc, percentile_interval, scarce
from asclip.metrics.classification import auroc_columns

NOT_STATED = "not stated"
AGES = (18.0, 40.0, 60.0, 80.0)
MOST_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Groups:
    """An attribute's G groups: `names` [G], `member` [n] number of each study's group or -1."""

    attribute: str
    names: tuple[str, ...]
    member: np.ndarray

    def columns(self, values: np.ndarray) -> np.ndarray:
        """[n, G] `values` [n] in the column of each study's group, NaN elsewhere."""
        inside = self.member[:, None] == np.arange(len(self.names))
        return np.where(inside, np.asarray(values, dtype=np.float64)[:, None], np.nan)


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One group and label. `gap` is its AUROC minus that of all studies, on the same resamples.

    `n` studies state the label, `positives` of them have it. 95 % intervals over patients.
    """

    attribute: str
    group: str
    n: int
    positives: int
    prevalence: float
    auroc: float
    low: float
    high: float
    gap: float
    gap_low: float
    gap_high: float
    why_nan: str = ""


def groups(attribute: str, values: Sequence[object], edges: Sequence[float] = ()) -> Groups:
    """Groups of a metadata column [n]: its values, or bands of its numbers cut at `edges`.

    A number equal to an edge is in the upper band. Numbers without edges are cut at `AGES` where
    the column is called age, and are values of their own otherwise.

    Raises:
        ValueError: no study states it, it has too many values, or edges for words.

    >>> groups("age", [17, 44.0, None]).names
    ('under 18', '40-59')
    """
    stated = [not _missing(value) for value in values]
    if not any(stated):
        raise ValueError(f"{attribute}: no study states it, so there are no groups to compare")
    numeric = all(_number(v) for v, known in zip(values, stated, strict=True) if known)
    if edges and not numeric:
        raise ValueError(f"{attribute}: bands need numbers, got words; leave the edges out")
    if not edges and numeric and attribute.lower() == "age":
        edges = AGES
    if edges:
        cut = np.unique(np.asarray(edges, dtype=np.float64))
        member = np.array(
            [np.searchsorted(cut, float(str(v)), side="right") if known else -1
             for v, known in zip(values, stated, strict=True)]
        )  # fmt: skip
        names = _bands(cut, whole=not (cut % 1).any())
    else:
        words = [_text(v) if known else "" for v, known in zip(values, stated, strict=True)]
        names = sorted({word for word, known in zip(words, stated, strict=True) if known})
        place = {name: k for k, name in enumerate(names)}
        member = np.array([place[w] if k else -1 for w, k in zip(words, stated, strict=True)])
    return _occurring(attribute, names, member)


def cross(first: Groups, second: Groups) -> Groups:
    """The intersections of two attributes that occur, such as "F & 40-59"."""
    width = len(second.names)
    member = first.member * width + second.member
    member = np.where((first.member < 0) | (second.member < 0), -1, member)
    names = [f"{one} & {other}" for one in first.names for other in second.names]
    attribute = f"{first.attribute} & {second.attribute}"
    if (member < 0).all():
        raise ValueError(f"{attribute}: no study states both, so there are no groups to compare")
    return _occurring(attribute, names, member, most=MOST_GROUPS**2)


def table(
    truth: np.ndarray,
    score: np.ndarray,
    among: Groups,
    *,
    patient: np.ndarray,
    seed: int = 0,
    resamples: int = 1000,
    least: int = 10,
) -> list[Subgroup]:
    """A row for each group of one label's truth [n] and scores [n], "not stated" last."""
    columns = with_all(truth, among)
    names = list(among.names)
    if (among.member < 0).any():
        outside = np.where(among.member < 0, np.asarray(truth, dtype=np.float64), np.nan)
        columns, names = np.column_stack([columns, outside]), [*names, NOT_STATED]
    values, samples = aurocs(columns, score, patient=patient, seed=seed, resamples=resamples)
    usable = ~np.isnan(columns) & ~np.isnan(np.asarray(score, dtype=np.float64))[:, None]
    rows = []
    for k, name in enumerate(names, start=1):
        n, positives = int(usable[:, k].sum()), int((columns[usable[:, k], k] == 1).sum())
        why = too_small(np.where(usable[:, k], columns[:, k], np.nan), patient, least)
        spans = [
            percentile_interval(samples[:, k]),
            percentile_interval(samples[:, k] - samples[:, 0]),
        ]
        found = [values[k], *spans[0], values[k] - values[0], *spans[1]]
        found = [math.nan] * 6 if why else [float(number) for number in found]
        share = positives / n if n else math.nan
        rows.append(Subgroup(among.attribute, name, n, positives, share, *found, why_nan=why))
    return rows


def with_all(truth: np.ndarray, among: Groups) -> np.ndarray:
    """[n, 1 + G] truth of all studies, then of each group with NaN outside it."""
    truth = np.asarray(truth, dtype=np.float64)
    if truth.shape != among.member.shape:
        raise ValueError(
            f"{among.attribute} must have one value per study: {among.member.shape} for truth "
            f"{truth.shape}"
        )
    return np.column_stack([truth, among.columns(truth)])


def aurocs(
    columns: np.ndarray, score: np.ndarray, *, patient: np.ndarray, seed: int, resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC [G] and [resamples, G] of one score [n] on each column of truth; same resamples."""
    scores = np.repeat(np.asarray(score, dtype=np.float64)[:, None], columns.shape[1], axis=1)
    rng = np.random.default_rng(seed)
    samples = bootstrap_auroc(columns, scores, groups=patient, resamples=resamples, rng=rng)
    return auroc_columns(columns, scores), samples


def too_small(truth: np.ndarray, patient: np.ndarray, least: int) -> str:
    """Why the AUROC of a group with this truth [n] (NaN: not in it) is not given, "" if it is.

    >>> too_small(np.repeat([1.0, 0.0], [3, 37]), np.arange(40), 10)
    'fewer than 10 positives (3 of 40 studies)'
    """
    n, positives = int((~np.isnan(truth)).sum()), int((truth == 1).sum())
    if not n:
        return "no study of the group states this label and has a score"
    few = [("positives", positives), ("negatives", n - positives)]
    said = "; ".join(f"fewer than {least} {w} ({k} of {n} studies)" for w, k in few if k < least)
    return said or scarce(truth, patient, fewest=min(least, FEWEST))


def _occurring(
    attribute: str, names: Sequence[str], member: np.ndarray, *, most: int = MOST_GROUPS
) -> Groups:
    found, renumbered = np.unique(member[member >= 0], return_inverse=True)
    if len(found) > most:
        raise ValueError(
            f"{attribute} has {len(found)} different values, at most {most} make groups; "
            "give edges for numbers, or a column with fewer values"
        )
    member = member.astype(np.int64)
    member[member >= 0] = renumbered
    return Groups(attribute, tuple(str(names[k]) for k in found), member)


def _bands(cut: np.ndarray, *, whole: bool) -> list[str]:
    inner = [f"{a:g}-{b - 1:g}" if whole else f"{a:g} to {b:g}" for a, b in pairwise(cut)]
    return [f"under {cut[0]:g}", *inner, f"{cut[-1]:g} and over"]


def _missing(value: object) -> bool:
    return value is None or value != value or str(value).strip() in ("", "nan", "<NA>", "NaT")


def _number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _text(value: object) -> str:
    return (
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    )
