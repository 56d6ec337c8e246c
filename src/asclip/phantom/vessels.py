"""Pulmonary vessels: trees that leave the hila, fork and taper towards the pleura."""

from __future__ import annotations

import numpy as np

from asclip.phantom.layout import AERATED, LEFT, RIGHT, Layout
from asclip.phantom.shapes import rods, unit
from asclip.phantom.solids import Solids, join, level_at

BLOOD = 845.0
"""CT number of blood above that of aerated lung."""
SMALLEST = 0.6
ROOTS = 15
LENGTHS = (26.0, 23.0, 20.0, 18.0, 16.0, 13.0)
"""Length in mm of the branches of each generation."""


def trees(layout: Layout, body: Solids, rng: np.random.Generator) -> Solids:
    """Vessels of both lungs, only where `body` shows aerated lung (so not in pleural air)."""
    solids = _grow(layout, rng)
    shows = level_at(body, solids.centre)
    return solids.take(np.isin(shows, AERATED))


def _grow(layout: Layout, rng: np.random.Generator) -> Solids:
    """Both trees by generations; all branches of a generation are made together."""
    s = layout.size
    side = np.repeat([RIGHT, LEFT], ROOTS)
    num = len(side)
    root = np.repeat([layout.hilum(RIGHT), layout.hilum(LEFT)], ROOTS, 0)
    root = root + rng.normal(0, 4.0, (num, 3)) * s
    # 90 is up, 0 sideways
    angle = np.deg2rad(np.tile(np.linspace(78, -88, ROOTS), 2) + rng.normal(0, 6, num))
    out = rng.uniform(-0.75, 0.75, num)
    heading = unit(np.stack([side * (np.cos(angle) + 0.12), out, np.sin(angle)], 1))
    # the lower zones carry more blood when upright
    radius = np.where(heading[:, 2] > 0.3, 3.1 * layout.flow, 4.6) * s * rng.uniform(0.8, 1.1, num)
    parts = []
    for generation, length in enumerate(LENGTHS):
        middle = root + heading * (length * s / 2)
        turned = unit(heading + rng.normal(0, 0.10, (len(root), 3)))
        end = middle + turned * (length * s / 2)
        parts.append(rods(root, middle, radius, hu=BLOOD))
        parts.append(rods(middle, end, radius * 0.92, hu=BLOOD))
        root, side = np.repeat(end, 2, 0), np.repeat(side, 2)
        split = rng.normal(0, 0.34, turned.shape)
        heading = np.concatenate([turned + split, turned - split], 1).reshape(-1, 3)
        heading = unit(heading + _inward(layout, side, root))
        radius = np.repeat(radius, 2) * rng.uniform(0.6, 0.8, len(root))
        keep = (radius > SMALLEST) & (rng.random(len(root)) < (0.96 - 0.05 * generation))
        root, side, heading, radius = root[keep], side[keep], heading[keep], radius[keep]
    return join(parts)


def _inward(layout: Layout, side: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Steer branches away from the pleura, so that they spread inside the lung."""
    right = layout.lung(RIGHT)
    mirror = np.stack([side, np.ones_like(side), np.ones_like(side)], 1)
    offset = at * mirror - right.centre[0]
    r = np.sqrt(((offset @ right.matrix[0].T) ** 2).sum(1, keepdims=True))
    return -0.5 * np.clip(r - 0.72, 0, 1) * offset * mirror / 60.0
