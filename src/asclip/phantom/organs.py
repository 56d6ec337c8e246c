"""Soft organs: outer body, lungs, mediastinum, heart, vessels, diaphragm, abdomen, airways."""

from __future__ import annotations

import numpy as np

from asclip.phantom.layout import (
    AIR,
    FAT,
    LEFT,
    ORGAN,
    PLEURAL_AIR,
    RIGHT,
    SHRUNK,
    SOFT,
    TISSUE_HU,
    Layout,
)
from asclip.phantom.shapes import ellipsoids, tube, turn
from asclip.phantom.solids import Solids, join


def _organ(
    centre: np.ndarray | list[float],
    semi: np.ndarray | list[float] | float,
    *,
    rotation: np.ndarray | None = None,
    level: int = ORGAN,
) -> Solids:
    return ellipsoids(centre, semi, hu=TISSUE_HU[level], level=level, rotation=rotation)


def outer(layout: Layout, rng: np.random.Generator) -> Solids:
    """Skin to muscle: torso, neck, shoulders, breasts; fat outside, soft tissue inside."""
    s, fat = layout.size, layout.person.fat
    width, depth = layout.cage(np.array([-120.0 * s]))
    shapes = [
        ([0.0, -2.0, -150.0], [width[0] / s + 24, depth[0] / s + 22, 430.0], None, fat),
        ([0.0, -22.0, 150.0], [56.0, 60.0, 130.0], None, 0.4 * fat),
    ]
    for side in (RIGHT, LEFT):
        wide = 70.0 if layout.pose.arms_up else 112.0
        shapes.append(
            ([side * 98.0, -22.0, 66.0], [wide, 62.0, 54.0], turn(y=13.0 * side), 0.5 * fat)
        )
        if not layout.pose.arms_up:
            shapes.append(([side * 200.0, -25.0, 10.0], [46.0, 44.0, 110.0], None, 0.6 * fat))
    parts = []
    for centre, semi, rotation, layer in shapes:
        c, half = np.array(centre) * s, np.array(semi) * s
        parts.append(_organ(c, half + layer, rotation=rotation, level=FAT))
        parts.append(_organ(c, half, rotation=rotation, level=SOFT))
    if layout.person.sex == "F":
        big = rng.uniform(0.75, 1.25) + 0.006 * (fat - 14)
        for side in (RIGHT, LEFT):
            c = np.array([side * 84.0, 78.0 + fat, -58.0 - 24 * big]) * s
            # leaning on the chest wall above, so that only the lower border shows
            lean = turn(x=26.0, z=-16.0 * side)
            half = np.array([62.0, 30.0 + 10 * big, 66.0]) * (0.55 + 0.45 * big) * s
            parts.append(_organ(c, half, rotation=lean, level=FAT))
            parts.append(_organ(c, half * 0.6, rotation=lean, level=SOFT))
    return join(parts)


def lungs(layout: Layout) -> Solids:
    """Both lungs; a collapsed one is air in the pleura around a smaller, denser lung."""
    parts = []
    for side in (RIGHT, LEFT):
        lung = layout.lung(side)
        factor = layout.collapse[side]
        if factor < 1:
            # it shrinks towards the lower hilum: the gap is widest at apex and side
            root = layout.hilum(side) + np.array([side * 4.0, 0.0, -55.0 * layout.size])
            parts.append(lung.scaled(factor, root).painted(TISSUE_HU[SHRUNK], SHRUNK))
            lung = lung.painted(TISSUE_HU[PLEURAL_AIR], PLEURAL_AIR)
        parts.append(lung)
    return join(parts)


def heart(layout: Layout) -> Solids:
    """Left ventricle with the apex to the left, front and below; right atrium; outflow."""
    s, h = layout.size, layout.heart
    centre, semi = layout.heart_centre, layout.heart_semi
    tilt = turn(y=-33.0, z=24.0)
    right = np.array([14.0 * s, 16.0 * s, centre[2] + 8.0 * s])
    return join(
        [
            _organ(centre, semi, rotation=tilt),
            _organ(right, np.array([27.0 * (0.4 + 0.6 * h), 36.0, 40.0]) * s),
            _organ(
                np.array([-14.0 * s, 28.0 * s, centre[2] + 36.0 * s]), np.array([32, 28, 36]) * s
            ),
        ]
    )


def mediastinum(layout: Layout) -> Solids:
    """Great vessels and what holds them: aorta with its knob, vena cava, pulmonary trunk, spine."""
    s = layout.size
    wide = 1.0 + 0.006 * max(layout.person.age - 45, 0)  # the aorta widens and unfolds with age
    knob = -27.0 * (0.75 + 0.25 * wide)
    arch = np.array(
        [
            [8.0, 22.0, -40.0],
            [13.0, 20.0, -5.0],
            [8.0, 10.0, 22.0],
            [-8.0, -6.0, 33.0],
            [knob + 3, -24.0, 26.0],
            [knob, -42.0, 8.0],
            [knob + 5, -52.0, -30.0],
            [knob + 7, -54.0, -90.0],
            [-14.0, -50.0, -190.0],
        ]
    )
    parts = [
        tube(arch * s, 12.5 * wide * s, hu=TISSUE_HU[ORGAN], level=ORGAN),
        tube(
            np.array([[20.0, 8.0, 75.0], [23.0, 6.0, 20.0], [24.0, 6.0, -60.0]]) * s,
            11.0 * s,
            hu=TISSUE_HU[ORGAN],
            level=ORGAN,
        ),
        _organ(np.array([-24.0, 14.0, -20.0]) * s, np.array([19.0, 22.0, 20.0]) * s),
        _organ(np.array([2.0, -6.0, 70.0]) * s, np.array([24.0, 44.0, 92.0]) * s),
        _organ(np.array([0.0, 4.0, -80.0]) * s, np.array([27.0, 60.0, 120.0]) * s),
        # the tissue of the hila
        *(
            _organ(layout.hilum(side) - np.array([0, 0, 8 * s]), np.array([9.0, 12.0, 17.0]) * s)
            for side in (RIGHT, LEFT)
        ),
        # nothing aerated reaches the front of the sternum or the back of the spine
        _organ(np.array([0.0, -70.0, -80.0]) * s, np.array([25.0, 28.0, 260.0]) * s),
    ]
    return join(parts)


def dome(layout: Layout, side: int, top: float) -> Solids:
    """One dome of the diaphragm with the organ below it, its highest point at `top` mm."""
    s = layout.size
    floor = layout.floor - 12.0 * s
    height = max(top - floor, 20.0)
    centre = np.array([side * 63.0 * s, 0.0, floor])
    return _organ(centre, np.array([86.0 * s, 95.0 * s, height]))


def abdomen(layout: Layout, rng: np.random.Generator) -> Solids:
    """Domes, and gas in stomach and colon below the left one."""
    s = layout.size
    left = layout.dome[LEFT]
    wide = rng.uniform(20.0, 32.0) * s
    gas = np.array([-56.0 * s, 22.0 * s, left - 24.0 * s])
    bubble = _organ(gas, np.array([wide, 26.0 * s, 15.0 * s]), level=AIR)
    if layout.pose.upright:
        bubble = bubble.cut([0.0, 0.0, -1.0], -(gas[2] - 7.0 * s))
    parts = [dome(layout, side, layout.dome[side]) for side in (RIGHT, LEFT)]
    parts.append(bubble)
    for _ in range(rng.integers(0, 4)):
        at = np.array(
            [-rng.uniform(70, 112) * s, rng.uniform(0, 50) * s, left - rng.uniform(50, 75)]
        )
        parts.append(_organ(at, rng.uniform(7.0, 13.0, 3) * s, level=AIR))
    return join(parts)


def airways(layout: Layout) -> Solids:
    """Trachea and main bronchi; the right one is the steeper."""
    s = layout.size
    trachea = np.array([[0.0, 2.0, 170.0], [1.0, -8.0, 80.0], [3.0, -16.0, 0.0]])
    right = np.array([[3.0, -16.0, 3.0], [20.0, -17.0, -18.0], [34.0, -16.0, -42.0]])
    left = np.array([[3.0, -16.0, 3.0], [-22.0, -18.0, -17.0], [-46.0, -18.0, -30.0]])
    air = {"hu": TISSUE_HU[AIR], "level": AIR}
    return join(
        [
            tube(trachea * s, 8.5 * s, **air),
            tube(right * s, 6.5 * s, **air),
            tube(left * s, 5.5 * s, **air),
        ]
    )
