"""Findings of heart, diaphragm, ribs and devices as changes of the body; the table of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from asclip.phantom import lesions, organs
from asclip.phantom.body import Body, Draft, build
from asclip.phantom.findings import Finding
from asclip.phantom.layout import (
    AFLOAT,
    AIR,
    LESION,
    METAL,
    ORGAN,
    SIDES,
    TISSUE_HU,
    Layout,
    Person,
    Pose,
)
from asclip.phantom.shapes import ellipsoids, tube, turn
from asclip.phantom.solids import Solids, join


def enlarge_heart(layout: Layout, finding: Finding) -> None:
    """Widen the heart to a cardiothoracic ratio above one half."""
    layout.heart = 1.30 + 0.38 * finding.grade


def cardiomegaly(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """The enlarged heart itself."""
    return organs.heart(draft.layout)


def raise_dome(layout: Layout, finding: Finding) -> None:
    """Lift one dome of the diaphragm."""
    layout.dome[SIDES[finding.side]] += (26.0 + 34.0 * finding.grade) * layout.size


def elevated_diaphragm(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """The part of the dome that lies above its usual place."""
    layout, side = draft.layout, SIDES[finding.side]
    usual = Layout(layout.person, layout.pose).dome[side]
    return organs.dome(layout, side, layout.dome[side]).cut([0.0, 0.0, -1.0], -(usual - 8.0))


def hiatal_hernia(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """Stomach behind the heart, with gas above a level of fluid."""
    s = draft.layout.size
    half = finding.size / 2
    at = np.array([rng.uniform(-16, -2) * s, -34.0 * s, -112.0 * s + 0.55 * half])
    semi = np.array([half, 0.72 * half, 0.80 * half])
    sack = ellipsoids(at, semi, hu=TISSUE_HU[ORGAN], level=ORGAN)
    gas = ellipsoids(at, semi * 0.86, hu=TISSUE_HU[AIR], level=AIR)
    return join([sack, gas.cut([0.0, 0.0, -1.0], -(at[2] + rng.uniform(-0.35, 0.0) * half))])


def rib_fracture(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """One to four neighbouring ribs broken with a step, and blood under the pleura."""
    layout, side, s = draft.layout, SIDES[finding.side], draft.layout.size
    first = {"upper": 2, "mid": 4, "lower": 6}[finding.zone] + int(rng.integers(0, 2))
    cut = 5 + int(rng.integers(0, 3))
    parts = []
    for number in range(first, first + 1 + int(finding.grade * 3.99)):
        points = layout.rib(side, number)
        step = np.array([side * -2.0, 0.0, -1.0]) * (4.0 + 4.5 * finding.grade) * s
        along = points[cut + 1] - points[cut]
        front = points[cut:] + step
        front[0] = front[0] + 0.22 * along
        draft.broken[side, number] = [points[: cut + 1], front]
        middle = points[cut]
        blood = np.array([side * -5.0, 0.0, 0.0]) * s + middle
        semi = np.array([12.0 + 7 * finding.grade, 28.0, 18.0 + 6 * finding.grade]) * s
        parts.append(ellipsoids(blood, semi, hu=TISSUE_HU[LESION], level=LESION))
        parts.append(ellipsoids(middle + step / 2, 7.5 * s, hu=420.0, soft=True))  # callus
    return join(parts)


def _wire(points: Sequence[Sequence[float]], radius: float, hu: float, scale: float) -> Solids:
    """A smooth wire through `points` (mm before scaling)."""
    course = np.array(points, float)
    at = np.linspace(0, 1, len(course))
    fine = np.linspace(0, 1, 5 * len(course))
    smooth = np.stack([_spline(at, course[:, i], fine) for i in range(3)], 1)
    return tube(smooth * scale, radius, hu=hu)


def _spline(at: np.ndarray, value: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Catmull-Rom interpolation of `value` at equally spaced `at`, evaluated at `fine`."""
    num = len(at) - 1
    k = np.clip((fine * num).astype(int), 0, num - 1)
    t = fine * num - k
    padded = np.concatenate([[2 * value[0] - value[1]], value, [2 * value[-1] - value[-2]]])
    a, b, c, d = (padded[k + i] for i in range(4))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def pacemaker(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A generator under the skin below the clavicle, and leads to the right heart."""
    layout, s, side = draft.layout, draft.layout.size, SIDES[finding.side]
    width, depth = layout.cage(np.array([38.0 * s]))
    front = depth[0] / s + 14.0
    box = np.array([side * (width[0] / s - 14.0), 0.72 * front, 42.0]) * s
    case = ellipsoids(
        box, np.array([22.0, 5.0, 19.0]) * s, hu=METAL, rotation=turn(z=28.0 * side, y=12.0 * side)
    )
    apex = layout.heart_centre / s + np.array([-20.0, 22.0, -26.0])
    veins = [
        (box / s).tolist(),
        [side * 92, 40, 74],
        [side * 50, 24, 74],
        [24 if side > 0 else 6, 8, 58],
        [25, 6, 10],
        [24, 8, -50],
    ]
    parts = [case, _wire([*veins, [10, 22, -92], apex.tolist()], 1.1 * s, METAL, s)]
    if finding.grade > 0.4:
        parts.append(_wire([*veins, [34, 20, -76], [36, 26, -58]], 1.0 * s, METAL, s))
    return join(parts)


def central_line(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A catheter from the neck or the subclavian vein to the lower vena cava superior."""
    s = draft.layout.size
    tip = [25.0, 6.0, -12.0 - 34.0 * finding.grade]
    if finding.side == "right":
        course = [[52, 2, 150], [40, 8, 118], [28, 8, 82], [24, 6, 40], tip]
    else:
        course = [[-120, 44, 60], [-84, 40, 82], [-40, 24, 74], [4, 14, 56], [22, 8, 34], tip]
    return _wire(course, 1.5 * s, 11000.0, s)


def endotracheal_tube(draft: Draft, finding: Finding, rng: np.random.Generator) -> Solids:
    """A tube in the trachea with a radio-opaque line; the tip 2-6 cm above the carina."""
    s = draft.layout.size
    tip = 22.0 + 38.0 * (1 - finding.grade)
    course = [[0, 1, 172], [1, -4, 125], [1, -8, 0.5 * (tip + 100)], [2, -11, tip]]
    wall = [_wire(course, 5.4 * s, 1200.0, s), _wire(course, 4.2 * s, -1200.0, s)]
    return join([*wall, _wire([[x + 4, y, z] for x, y, z in course], 1.5 * s, 12000.0, s)])


PREPARE: dict[str, Callable[[Layout, Finding], None]] = {
    "cardiomegaly": enlarge_heart,
    "elevated diaphragm": raise_dome,
    "pneumothorax": lesions.collapse,
    "atelectasis": lesions.lose_volume,
    "fibrosis": lesions.lose_volume,
    "pulmonary oedema": lesions.widen_vessels,
}
"""What changes before organs are made."""
PLACE: dict[str, Callable[[Draft, Finding, np.random.Generator], Solids]] = {
    "nodule": lesions.nodule,
    "mass": lesions.mass,
    "consolidation": lesions.consolidation,
    "pleural effusion": lesions.effusion,
    "pneumothorax": lesions.pneumothorax,
    "cardiomegaly": cardiomegaly,
    "atelectasis": lesions.atelectasis,
    "pulmonary oedema": lesions.oedema,
    "rib fracture": rib_fracture,
    "hiatal hernia": hiatal_hernia,
    "elevated diaphragm": elevated_diaphragm,
    "fibrosis": lesions.fibrosis,
    "pacemaker": pacemaker,
    "central line": central_line,
    "endotracheal tube": endotracheal_tube,
}
"""The solids of each finding."""


def ill(person: Person, pose: Pose, findings: Sequence[Finding]) -> Body:
    """The body of `person` with `findings`; the i-th one's solids have owner i."""
    changes = [partial(_prepared, finding=f) for f in findings if f.name in PREPARE]
    places = [partial(_owned, finding=f, owner=i) for i, f in enumerate(findings)]
    return build(person, pose, changes, places)


def _prepared(layout: Layout, *, finding: Finding) -> None:
    PREPARE[finding.name](layout, finding)


def _owned(draft: Draft, *, finding: Finding, owner: int) -> Solids:
    solids = PLACE[finding.name](draft, finding, np.random.default_rng(finding.seed))
    mine = solids.owned(owner)
    return replace(mine, owner=np.where(mine.level == AFLOAT, -1, mine.owner))  # lung is anatomy
