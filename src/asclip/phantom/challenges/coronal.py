"""A coronal view of a body's CT: the mean of a slab, without scanning the whole volume."""

from __future__ import annotations

import numpy as np

from asclip.phantom.body import Body
from asclip.phantom.layout import TISSUE_HU
from asclip.phantom.rays import Beam, added
from asclip.phantom.shapes import turn
from asclip.phantom.solids import level_at

DEPTHS = (-42.0, -9.0, 24.0)
"""Planes (y in mm) whose mean is shown; together they stand for a slab of 99 mm."""
SLAB = (-58.5, 40.5)
SLACK = 12.0
"""How far (mm) a turned plane may leave its depth at the body's sides."""
WINDOW = (-1000.0, 300.0)
FIELD = 384.0
FAR = 50_000.0


def coronal(body: Body, size: int, *, noise: float = 25.0, rng: np.random.Generator) -> np.ndarray:
    """The slab's mean [size, size] uint8 in the window, hung as a frontal film.

    Organs are sampled on the planes, small solids (ribs, vessels, hazes) whose centre lies in the
    slab are traced by nearly parallel rays. `noise` is its standard deviation in HU.
    """
    s = body.layout.size
    pitch = FIELD * s / size
    spin = turn(z=body.layout.pose.rotation)
    across, forward = spin @ [-1.0, 0.0, 0.0], spin @ [0.0, 1.0, 0.0]
    down = np.array([0.0, 0.0, -1.0])
    half = (size - 1) / 2
    corner = np.array([0.0, 0.0, -40.0 * s]) - (across + down) * half * pitch
    i, j = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    flat = corner + i[..., None] * pitch * down + j[..., None] * pitch * across
    hu, paint = np.zeros((size, size)), body.paint
    for depth in DEPTHS:
        near = (paint.low[:, 1] < depth * s + SLACK) & (paint.high[:, 1] > depth * s - SLACK)
        shown = level_at(paint.take(near), (flat + depth * s * forward).reshape(-1, 3))
        hu += _hounsfield(shown).reshape(size, size) / len(DEPTHS)
    details = body.details
    low, high = SLAB
    inside = (details.centre @ forward > low * s) & (details.centre @ forward < high * s)
    source = np.array([0.0, 0.0, -40.0 * s]) - forward * FAR
    beam = Beam(source, corner, across * pitch, down * pitch, (size, size), pitch)
    hu += added(details.take(inside), beam) / ((high - low) * s)
    hu += rng.normal(0.0, noise, hu.shape)
    grey = (hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _hounsfield(levels: np.ndarray) -> np.ndarray:
    """HU of each tissue level; air where there is no body."""
    table = np.full(100, -1000.0)
    for level, hu in TISSUE_HU.items():
        table[level] = hu
    return table[levels]
