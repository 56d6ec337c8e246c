"""A CT of the same body: HU on a grid, and 3-D masks of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asclip.phantom.body import Body
from asclip.phantom.findings import Finding
from asclip.phantom.layout import TISSUE_HU
from asclip.phantom.shapes import turn
from asclip.phantom.solids import ADDED, Solids

LOWEST, HIGHEST = -1024, 3071
FINE = 3


@dataclass(frozen=True, slots=True)
class Volume:
    """`hu` [Z, H, W] int16, slices from feet to head, rows to the back, columns to the left.

    `affine` [4, 4] takes (column, row, slice, 1) to RAS+ mm; `spacing` is (slice, row, column)
    mm. `masks` [Z, H, W] bool, one per finding in order.
    """

    hu: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, float, float]
    masks: tuple[np.ndarray, ...]


def scan(
    body: Body,
    findings: Sequence[Finding] = (),
    *,
    shape: tuple[int, int, int] = (64, 96, 96),
    spacing: tuple[float, float, float] = (4.5, 4.0, 4.0),
    noise: float = 12.0,
    rng: np.random.Generator,
) -> Volume:
    """The CT of `body` with `noise` (standard deviation, HU), centred on the chest.

    `shape` and `spacing` are (slices, rows, columns) and mm. Organs are sampled at voxel centres,
    small solids averaged over 27 points per voxel.
    """
    affine = np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])
    middle = np.array([shape[2] - 1, shape[1] - 1, shape[0] - 1]) / 2
    affine[:3, 3] = np.array([0.0, 0.0, -44.0 * body.layout.size]) - affine[:3, :3] @ middle
    grid = _Grid(shape, affine, turn(z=body.layout.pose.rotation))
    hu = np.full(shape, -1000.0, np.float32)
    level = np.full(shape, 99, np.int8)
    paint = body.paint
    for k in np.argsort(-paint.level, kind="stable"):
        solid = paint.take(np.array([k]))
        block = grid.block(solid)
        if block is None:
            continue
        inside = grid.radius(solid, block) <= 1.0
        hu[block][inside] = TISSUE_HU[int(solid.level[0])]
        level[block][inside] = solid.level[0]
    details = body.details
    for k in range(len(details)):
        solid = details.take(np.array([k]))
        block = grid.block(solid)
        if block is not None:
            hu[block] += solid.hu[0] * _share(solid, grid, block)
    if noise > 0:
        hu += rng.normal(0.0, noise, shape).astype(np.float32)
    masks = tuple(_mask(body.solids, owner, grid, level) for owner in range(len(findings)))
    return Volume(np.clip(np.rint(hu), LOWEST, HIGHEST).astype(np.int16), affine, spacing, masks)


Block = tuple[slice, slice, slice]


class _Grid:
    """Voxel centres in the body's own coordinates, block by block."""

    def __init__(self, shape: tuple[int, int, int], affine: np.ndarray, spin: np.ndarray) -> None:
        self.shape = shape
        self.step = spin @ affine[:3, :3]  # body mm per (column, row, slice)
        self.start = spin @ affine[:3, 3]

    def block(self, solid: Solids) -> Block | None:
        """Indices (slice, row, column) around a solid's box, None where the grid ends before."""
        pick = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], bool)
        corners = np.where(pick, solid.high[0], solid.low[0])
        at = (corners - self.start) @ np.linalg.inv(self.step).T  # (column, row, slice)
        low = np.maximum(np.floor(at.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(at.max(0)).astype(int) + 1, self.shape[::-1])
        if np.any(high <= low):
            return None
        return slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0])

    def radius(self, solid: Solids, block: Block, fine: int = 1) -> np.ndarray:
        """|M (x - c)| of one solid at a block's voxels, or on a grid `fine` times as dense.

        Infinite beyond a plane; see `solids.radius_at`. Along the grid all is linear, so that
        three sums of one-dimensional arrays do.
        """
        axes = [(np.arange((s.stop - s.start) * fine) + 0.5) / fine - 0.5 + s.start for s in block]
        total = np.zeros([len(axis) for axis in axes])
        for row in solid.matrix[0]:
            total += self._along(row, -float(row @ solid.centre[0]), axes) ** 2
        radius = np.sqrt(total)
        for plane in solid.planes[0]:
            if np.any(plane[:3]):
                radius[self._along(plane[:3], -float(plane[3]), axes) > 0] = np.inf
        return radius

    def _along(self, row: np.ndarray, constant: float, axes: list[np.ndarray]) -> np.ndarray:
        """The value of `row . x + constant` on the grid of `axes` (slice, row, column indices)."""
        column, line, slab = row @ self.step
        k, j, i = axes
        rest = float(row @ self.start) + constant
        return (k * slab + rest)[:, None, None] + (j * line)[:, None] + i * column


def _share(solid: Solids, grid: _Grid, block: Block) -> np.ndarray:
    """How much of each voxel of the block a small solid fills, 0-1; soft ones by their profile."""
    r = grid.radius(solid, block, FINE)
    part = np.maximum(1 - np.minimum(r, 1.0) ** 2, 0) ** 2 if solid.soft[0] else r <= 1.0
    num = [n // FINE for n in r.shape]
    return part.reshape(num[0], FINE, num[1], FINE, num[2], FINE).mean((1, 3, 5))


def _mask(solids: Solids, owner: int, grid: _Grid, level: np.ndarray) -> np.ndarray:
    """Voxels of one finding that no tissue of a lower level covers."""
    mask = np.zeros(grid.shape, bool)
    for k in np.flatnonzero(solids.owner == owner):
        solid = solids.take(np.array([k]))
        block = grid.block(solid)
        if block is None:
            continue
        if solid.level[0] == ADDED:
            mask[block] |= _share(solid, grid, block) > 0.15
        else:
            shows = level[block] >= solid.level[0]
            mask[block] |= (grid.radius(solid, block) <= 1.0) & shows
    return mask


__all__ = ["Volume", "scan"]
