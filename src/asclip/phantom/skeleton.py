"""Bones: cortical shells around marrow, added to the soft tissue in which they lie."""

from __future__ import annotations

import numpy as np

from asclip.phantom.layout import BONE, LEFT, MARROW, RIGHT, SOFT, TISSUE_HU, Layout
from asclip.phantom.shapes import ellipsoids, rods, tubes, turn
from asclip.phantom.solids import Solids, join

SHELL = BONE - TISSUE_HU[SOFT]
CORE = MARROW - BONE
RIB_HEIGHT = (7.0, 6.8, 6.6, 6.4, 6.4, 6.4, 6.4, 6.4, 6.2, 5.8, 5.0, 4.2)
"""Half height of each rib in mm; it is higher than thick."""


def plate(centre: np.ndarray, semi: np.ndarray, rotation: np.ndarray, hu: float) -> Solids:
    """A flat bone: one thin ellipsoid."""
    return ellipsoids(centre, semi, hu=hu, rotation=rotation)


def ribs(layout: Layout, broken: dict[tuple[int, int], list[np.ndarray]] | None = None) -> Solids:
    """Twelve pairs; `broken` gives other courses for some (side, number)."""
    courses, heights = [], []
    for side in (RIGHT, LEFT):
        for number in range(1, 13):
            pieces = (broken or {}).get((side, number), [layout.rib(side, number)])
            courses += pieces
            heights += [RIB_HEIGHT[number - 1] * layout.size] * len(pieces)
    inner = [0.76 * height for height in heights]
    return join(
        [
            tubes(courses, heights, hu=SHELL, flat=0.55),
            tubes(courses, inner, hu=CORE, flat=0.55),
        ]
    )


def spine(layout: Layout) -> Solids:
    """Vertebral bodies with end plates, pedicles, transverse and spinous processes."""
    s = layout.size
    at = np.array([layout.vertebra(k) for k in range(-4, 16)])
    upper = np.array([layout.vertebra(k - 1) for k in range(-4, 16)])
    gap = (upper - at)[:, 2]
    width = np.linspace(13.0, 21.0, len(at)) * s
    half = gap[:, None] * [0.0, 0.0, 0.40]
    lid = np.array([0.0, 0.0, 0.9])
    box = {"flat": 0.8, "up": (1.0, 0.0, 0.0)}
    parts = [rods(at - half, at + half, width, hu=240.0, **box)]
    for end in (at - half, at + half):
        parts.append(rods(end - lid, end + lid, width * 1.03, hu=560.0, **box))
    back = np.array([0.0, -20.0 * s, 2.0 * s])
    for side in (RIGHT, LEFT):
        pedicle = at + back + np.stack([side * 0.62 * width, 0 * width, 0 * width], 1)
        parts.append(ellipsoids(pedicle, np.array([3.2, 9.0, 5.2]) * s, hu=520.0))
        process = at + back + np.array([side * 25.0 * s, -8.0 * s, 2.0 * s])
        parts.append(ellipsoids(process, np.array([13.0, 4.0, 5.0]) * s, hu=300.0))
    tip = at + np.array([0.0, -36.0 * s, -9.0 * s])
    parts.append(ellipsoids(tip, np.array([2.4, 12.0, 7.0]) * s, hu=300.0))
    return join(parts)


def girdle(layout: Layout, rng: np.random.Generator) -> Solids:
    """Clavicles, scapulae, upper humeri and sternum."""
    s = layout.size
    high = np.array([0.0, 0.0, rng.uniform(-5.0, 5.0)])
    courses, radii, flesh = [], [], []
    for side in (RIGHT, LEFT):
        mirror = np.array([side, 1, 1]) * s
        courses.append(CLAVICLE * mirror + high)
        radii.append(np.array([8.2, 6.4, 5.6, 6.0, 7.0]) * s)
        flesh += _scapula(side, s, high)
        if layout.pose.arms_up:
            continue
        ball = np.array([186.0, -16.0, 72.0]) * mirror + high
        flesh.append(ellipsoids(ball, 23.0 * s, hu=260.0))
        courses.append(ball + HUMERUS * mirror)
        radii.append(np.full(2, 11.0 * s))
    front = layout.cage(np.array([-40.0 * s]))[1][0] + 2.0
    return join(
        [
            tubes(courses, radii, hu=SHELL, flat=0.95),
            tubes(courses, [0.66 * r for r in radii], hu=CORE, flat=0.95),
            *flesh,
            plate(np.array([0, front - 22, 45 * s]), np.array([27, 6, 26]) * s, turn(x=-24), 220.0),
            plate(np.array([0, front, -32 * s]), np.array([17, 5, 62]) * s, turn(x=-8), 200.0),
        ]
    )


CLAVICLE = np.array(
    [[20, 62, 62], [45, 62, 70], [80, 46, 82], [115, 22, 92], [150, 4, 98], [168, -4, 98.0]]
)
HUMERUS = np.array([[0, 0, 0], [18, 0, -60], [30, 0, -200.0]])
RIDGE = np.array([[112, -88, 52], [140, -90, 66], [172, -60, 92.0]])
EDGE = np.array([[164, -50, 58], [156, -64, 10], [146, -76, -44.0]])


def _scapula(side: int, s: float, high: np.ndarray) -> list[Solids]:
    """A thin blade behind the outer lung, its spine, the glenoid and the outer edge."""
    mirror = np.array([side, 1, 1]) * s
    facing = turn(y=-14.0 * side, z=38.0 * side)
    middle = np.array([140.0, -78.0, 22.0]) * mirror + high
    glenoid = np.array([166.0, -36.0, 66.0]) * mirror + high
    return [
        plate(middle, np.array([34.0, 2.6, 72.0]) * s, facing, 360.0),
        tubes([RIDGE * mirror + high, EDGE * mirror + high], [4.6 * s, 4.0 * s], hu=450.0),
        ellipsoids(glenoid, 11.0 * s, hu=260.0),
    ]
