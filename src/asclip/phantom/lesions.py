"""Findings of lung and pleura as changes of the body.

`prepare` changes the layout before organs are made, `place` returns the finding's solids; both
are tables from the finding's name to a function. See `structures` for the other findings.
"""

from __future__ import annotations

import numpy as np

from asclip.phantom.body import Draft
from asclip.phantom.findings import Finding
from asclip.phantom.layout import (
    AERATED,
    AFLOAT,
    FLUID,
    LESION,
    PLEURAL_AIR,
    SIDES,
    TISSUE_HU,
    Layout,
)
from asclip.phantom.shapes import ellipsoids, rods, turn
from asclip.phantom.solids import Solids, join, level_at, nothing


def spot(
    draft: Draft, side: int, zone: str, rng: np.random.Generator, *, margin: float
) -> np.ndarray:
    """A point [3] in aerated lung of `zone`, `margin` mm from other organs, beside the heart."""
    layout, s = draft.layout, draft.layout.size
    first, second = layout.zone_edges(side)
    base = max(layout.dome[side], second - 70.0)
    inner = min(0.6 * margin, 18.0)  # a large lesion lies near the middle of its zone
    span = {
        "upper": (first + inner, layout.apex - 10 - inner),
        "mid": (second + inner, first - inner),
        "lower": (base + 0.8 * margin, second - inner),
    }[zone]
    num = 48
    z = rng.uniform(min(span), max(span), num)
    at = np.stack([side * rng.uniform(36, 128, num) * s, rng.uniform(-60, 50, num) * s, z], 1)
    around = margin * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1], [0, 1, 0]])
    shown = level_at(draft.organs, (at[:, None] + around).reshape(-1, 3)).reshape(num, -1)
    free = np.isin(shown, AERATED).sum(1)
    edge = layout.heart_centre[0] - layout.heart_semi[0] if side < 0 else -38.0 * layout.heart * s
    behind = (np.abs(at[:, 0]) < abs(edge)) & (z < layout.heart_centre[2] + 40 * s)
    return at[np.argmax(free - 3 * behind)]


def nodule(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A round opacity of 6-30 mm."""
    at = spot(draft, SIDES[finding.side], finding.zone, rng, margin=14.0)
    half = finding.size / 2 * np.array([[1, 1, 1], [0.8, 0.85, 0.8]])
    shift = np.array([[0, 0, 0], rng.normal(0, 0.12 * finding.size, 3)])
    return ellipsoids(at + shift, half, hu=TISSUE_HU[LESION], level=LESION)


def mass(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A lobulated opacity of more than 3 cm."""
    at = spot(draft, SIDES[finding.side], finding.zone, rng, margin=30.0)
    half = finding.size / 2
    shift = rng.normal(0, 0.30, (7, 3)) * half
    semi = half * rng.uniform(0.42, 0.68, (7, 3))
    shift[0], semi[0] = 0, 0.82 * half
    return ellipsoids(at + shift, semi, hu=TISSUE_HU[LESION], level=LESION)


def haze(
    draft: Draft, centre: np.ndarray, reach: np.ndarray, *, num: int, hu: float, seed: int
) -> Solids:
    """Fluffy opacity: `num` soft blobs around `centre`, in lung only; `hu` is their sum's peak."""
    rng = np.random.default_rng(seed)
    at = centre + rng.normal(0, 0.5, (num, 3)) * reach
    semi = rng.uniform(0.32, 0.62, (num, 1)) * reach
    shown = level_at(draft.organs, at)
    keep = np.isin(shown, AERATED)
    at, semi = at[keep], semi[keep]
    if len(at) == 0:
        return nothing()
    near = np.linalg.norm((at[:, None] - at[None]) / semi[None], axis=2)
    overlap = (np.maximum(1 - near**2, 0) ** 2).sum(1)
    return ellipsoids(at, semi, hu=hu / max(np.percentile(overlap, 90), 1.0), soft=True)


def consolidation(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Patchy to dense airspace opacity with vague borders."""
    parts = []
    for side in finding.sides:
        at = spot(draft, SIDES[side], finding.zone, rng, margin=22.0)
        reach = finding.size / 2 * np.array([1.0, 1.15, 0.9])
        seed = int(rng.integers(2**31))
        parts.append(haze(draft, at, reach, num=70, hu=980.0, seed=seed))
    return join(parts)


def effusion(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Fluid at the base of the pleural space, around the rounded bottom of the floating lung.

    So the film's border is a meniscus that fades upwards; below a pneumothorax it is a flat level.
    """
    layout, s = draft.layout, draft.layout.size
    parts = []
    for side in finding.sides:
        sign = SIDES[side]
        other = rng.normal(0, 0.08) if finding.side == "bilateral" else 0.0
        level = layout.floor + (10.0 + 112.0 * np.clip(finding.grade + other, 0, 1)) * s
        rise = 52.0 * s if layout.collapse[sign] == 1 else 0.0
        lung = layout.lung(sign).take(np.array([0]))
        fluid = lung.painted(TISSUE_HU[FLUID], FLUID)
        parts.append(fluid.cut([0.0, 0.0, 1.0], level + rise))
        if rise:
            top = (level + rise - lung.centre[0, 2]) / (182.0 * s)
            narrow = 0.94 * np.sqrt(1 - max(top, 0) ** 2)
            x = lung.centre[0, 0] - sign * 0.13 * top * 182.0 * s
            afloat = ellipsoids(
                np.array([x, -2.0 * s, level + rise]),
                np.array([78.0 * narrow * s, 92.0 * narrow * s, rise]),
                hu=TISSUE_HU[AFLOAT],
                level=AFLOAT,
            )
            parts.append(afloat.cut([0.0, 0.0, 1.0], level + rise))
    return join(parts)


def collapse(layout: Layout, finding: Finding) -> None:
    """Shrink the lung of a pneumothorax."""
    layout.collapse[SIDES[finding.side]] = 0.91 - 0.36 * finding.grade


def pneumothorax(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Air in the pleural space around the shrunk lung."""
    lung = draft.layout.lung(SIDES[finding.side])
    return lung.painted(TISSUE_HU[PLEURAL_AIR], PLEURAL_AIR)


def lose_volume(layout: Layout, finding: Finding) -> None:
    """Raise the diaphragm a little, as a lung that lost air does."""
    amount = {"atelectasis": 4.0 + 10.0 * finding.grade, "fibrosis": 4.0 + 12.0 * finding.grade}
    for side in finding.sides:
        layout.dome[SIDES[side]] += amount[finding.name]


def atelectasis(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Plates of airless lung: bands, thin in height and deep, mostly above the diaphragm."""
    s = draft.layout.size
    parts = []
    for side in finding.sides:
        sign = SIDES[side]
        at = spot(draft, sign, finding.zone, rng, margin=14.0)
        for i in range(1 + int(finding.grade * 2.99)):
            tilt = turn(y=rng.uniform(-26, 26), x=rng.uniform(-8, 8))
            semi = np.array(
                [24 + 18 * finding.grade, 22 + 14 * finding.grade, 2.6 + 2.2 * finding.grade]
            )
            here = at + np.array([sign * rng.normal(0, 6), 0, (i - 0.5) * 13.0]) * s
            parts.append(
                ellipsoids(here, semi * s, hu=TISSUE_HU[LESION], level=LESION, rotation=tilt)
            )
    return join(parts)


def widen_vessels(layout: Layout, finding: Finding) -> None:
    """Blood flows to the upper zones when the heart fails."""
    layout.flow = 1.25 + 0.35 * finding.grade


def oedema(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Perihilar haze on both sides, and short septal lines at the outer bases."""
    layout, s = draft.layout, draft.layout.size
    parts = []
    for side in finding.sides:
        sign = SIDES[side]
        centre = layout.hilum(sign) + np.array([sign * 26.0, 0.0, -22.0]) * s
        reach = np.array([50.0, 56.0, 66.0]) * s * (0.82 + 0.3 * finding.grade)
        hu = 360.0 + 420.0 * finding.grade
        parts.append(haze(draft, centre, reach, num=64, hu=hu, seed=int(rng.integers(2**31))))
        num = int(10 + 16 * finding.grade)
        at = np.stack(
            [
                sign * rng.uniform(104, 128, num) * s,
                rng.uniform(-40, 40, num) * s,
                rng.uniform(-135, -70, num) * s,
            ],
            1,
        )
        at = at[np.isin(level_at(draft.organs, at), AERATED)]
        if len(at):
            ends = at + np.array([sign * 16.0, 0.0, 0.0]) + rng.normal(0, 1.5, at.shape)
            parts.append(rods(at, ends, 1.1, hu=800.0))
    return join(parts)


def fibrosis(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A net of short lines and small rings near the pleura, in the bases or the apices."""
    layout, s = draft.layout, draft.layout.size
    parts = []
    for side in finding.sides:
        sign = SIDES[side]
        lung = layout.lung(sign)
        first, second = layout.zone_edges(sign)
        span = (first - 14, layout.apex) if finding.zone == "upper" else (-158.0 * s, second + 18)
        num = int(700 + 800 * finding.grade)
        at = rng.uniform(lung.low.min(0), lung.high.max(0), (num * 5, 3))
        at[:, 2] = rng.uniform(*span, num * 5)
        q = np.linalg.norm((at - lung.centre[0]) @ lung.matrix[0].T, axis=1)
        inner = 0.80 - 0.25 * finding.grade
        at = at[
            ((q > inner) | (finding.zone == "upper"))
            & (np.isin(level_at(draft.organs, at), AERATED))
        ][:num]
        if len(at) == 0:
            continue
        way = rng.normal(0, 1, at.shape)
        way *= rng.uniform(3.0, 7.0, (len(at), 1)) / np.linalg.norm(way, axis=1, keepdims=True)
        thick = rng.uniform(1.1, 2.2, len(at)) * (0.9 + 0.3 * finding.grade)
        parts.append(rods(at - way, at + way, thick, hu=780.0))
    return join(parts) if parts else nothing()
