"""Rays through solids: where they enter and leave, and how much of each tissue they cross.

A film is a line integral per pixel. All solids are convex, so a ray meets each in one interval;
small ones are met in one flat list of (solid, pixel) pairs, large ones tile by tile, where the
intervals of a ray are painted over each other by level. Both are exact up to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asclip.phantom.solids import Solids

TILE = 24
BLOCK = 8192
"""Pairs at a time: their arrays stay in the processor's cache."""
LEVELS = 12
SHELLS = (8, 9)
"""Levels of muscle and fat: together with what is deeper, each is one thing inside the next."""
NOWHERE = np.float32(-1e6)


@dataclass(frozen=True)
class Beam:
    """A cone beam from `source` onto a flat detector of `shape` (rows, columns) pixels.

    `corner` is the centre of pixel (0, 0), `right` and `down` the steps (mm) from one column and
    one row to the next, all in the body's RAS+ mm; `pitch` is the length of a step.
    """

    source: np.ndarray
    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    shape: tuple[int, int]
    pitch: float

    @cached_property
    def rays(self) -> np.ndarray:
        """Rays [6, H, W] float32: the point of the ray nearest to the origin, unit direction."""
        rows, columns = (np.arange(n, dtype=np.float64) for n in self.shape)
        to = (self.corner - self.source)[:, None, None] + self.down[:, None, None] * rows[:, None]
        to = to + self.right[:, None, None] * columns  # [3, H, W]
        to /= np.sqrt(to[0] ** 2 + to[1] ** 2 + to[2] ** 2)
        # float32 wants an origin inside the body: the source is 2 m away
        origin = self.source[:, None, None] - to * np.tensordot(self.source, to, 1)
        return np.concatenate([origin, to]).astype(np.float32)

    def project(self, points: np.ndarray) -> np.ndarray:
        """(row, column) [..., 2] in pixels at which points [..., 3] appear on the film."""
        normal = np.cross(self.right, self.down)
        offset = points - self.source
        scale = ((self.corner - self.source) @ normal) / (offset @ normal)
        on_film = offset * scale[..., None] + self.source - self.corner
        return np.stack([on_film @ self.down, on_film @ self.right], -1) / self.pitch**2

    def bounds(self, solids: Solids) -> np.ndarray:
        """First and last row and column [n, 4] int of each solid's shadow; empty if outside."""
        pick = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], bool)
        corners = np.where(pick, solids.high[:, None], solids.low[:, None])  # [n, 8, 3]
        at = self.project(corners)
        low, high = np.ceil(at.min(1) - 0.01), np.floor(at.max(1) + 0.01)
        limit = np.array(self.shape) - 1
        low, high = np.maximum(low, 0), np.minimum(high, limit)
        return np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1).astype(int)


class Meeting:
    """The numbers of `solids` as float32, ready to be met by rays (origins [3, R], directions)."""

    def __init__(self, solids: Solids) -> None:
        # M (x - c) = M x - M c: the constant is computed once, in float64
        shift = np.einsum("nij,nj->ni", solids.matrix, solids.centre)
        self._matrix = solids.matrix.astype(np.float32)
        self._shift = shift.astype(np.float32)
        self._planes = solids.planes.astype(np.float32)
        self._cut = np.any(solids.planes[:, :, :3] != 0, axis=2)  # [n, 2]
        self._rows = self._matrix.reshape(-1, 9).T.copy()
        self._shifts = self._shift.T.copy()
        self._bounds = self._planes.transpose(1, 2, 0).copy()

    def every(self, k: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Entry and exit (mm along the ray) [K, R] of all solids `k` on all `rays` [6, R]."""
        matrix = self._matrix[k].reshape(-1, 3)
        q = (matrix @ rays[:3]).reshape(len(k), 3, -1) - self._shift[k][:, :, None]
        e = (matrix @ rays[3:]).reshape(len(k), 3, -1)
        enter, leave, _ = _chord(q.transpose(1, 0, 2), e.transpose(1, 0, 2))
        for j in (0, 1):
            rows = np.flatnonzero(self._cut[k, j])
            plane = self._planes[k[rows], j]
            room = plane[:, 3:] - plane[:, :3] @ rays[:3]
            enter[rows], leave[rows] = _cut(room, plane[:, :3] @ rays[3:], enter[rows], leave[rows])
        hit = leave > enter
        return np.where(hit, enter, 0), np.where(hit, leave, 0)

    def one_each(self, k: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chord length (mm) and 1 - r^2 at the nearest point [P]: solid k[i] on ray i of [6, P]."""
        matrix, shift = np.take(self._rows, k, axis=1), np.take(self._shifts, k, axis=1)
        x, y, z, dx, dy, dz = rays
        q, e = np.empty_like(shift), np.empty_like(shift)
        for i in range(3):
            a, b, c = matrix[3 * i : 3 * i + 3]
            q[i] = a * x + b * y + c * z - shift[i]
            e[i] = a * dx + b * dy + c * dz
        enter, leave, gap = _chord(q, e)
        for j in (0, 1):
            nx, ny, nz, b = np.take(self._bounds[j], k, axis=1)
            room = b - (nx * x + ny * y + nz * z)
            enter, leave = _cut(room, nx * dx + ny * dy + nz * dz, enter, leave)
        return np.maximum(leave - enter, 0), gap


def _chord(q: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entry, exit and 1 - r^2 of rays q + t e (first axis: three coordinates) in the unit ball."""
    ee = e[0] * e[0] + e[1] * e[1] + e[2] * e[2]
    near = -(q[0] * e[0] + q[1] * e[1] + q[2] * e[2]) / ee
    a, b, c = (q[i] + near * e[i] for i in range(3))
    gap = np.maximum(1.0 - (a * a + b * b + c * c), 0)
    half = np.sqrt(gap / ee)
    return near - half, near + half, gap


def _cut(
    room: np.ndarray, rise: np.ndarray, enter: np.ndarray, leave: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shorten intervals to where t * rise <= room."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        at = room / rise
    np.minimum(leave, at, out=leave, where=rise > 0)
    np.maximum(enter, at, out=enter, where=rise < 0)
    np.copyto(leave, enter, where=(rise == 0) & (room < 0))  # parallel, on the far side
    return enter, leave


def pairs(bounds: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat list of (solid, pixel number) for all pixels inside each solid's bounds [n, 4]."""
    rows = np.maximum(bounds[:, 1] - bounds[:, 0] + 1, 0)
    columns = np.maximum(bounds[:, 3] - bounds[:, 2] + 1, 0)
    count = np.where(columns > 0, rows, 0) * columns
    k = np.repeat(np.arange(len(bounds)), count)
    within = np.arange(len(k)) - np.repeat(np.cumsum(count) - count, count)
    row, column = np.divmod(within, np.maximum(columns, 1)[k])
    return k, (bounds[k, 0] + row) * width + bounds[k, 2] + column


def added(solids: Solids, beam: Beam) -> np.ndarray:
    """Sum of HU x length (HU mm) [H, W] of the additive `solids`."""
    shape, rays = beam.shape, beam.rays
    total = np.zeros(shape[0] * shape[1])
    if len(solids) == 0:
        return total.reshape(shape)
    solid, pixel = pairs(beam.bounds(solids), shape[1])
    meeting, flat = Meeting(solids), rays.reshape(6, -1)
    length = np.empty(len(solid), np.float32)
    for first in range(0, len(solid), BLOCK):
        part = slice(first, first + BLOCK)
        k = solid[part]
        length[part], gap = meeting.one_each(k, np.take(flat, pixel[part], axis=1))
        # a soft solid's density (1 - r^2)^2 integrates to 8/15 gap^2 of its chord
        length[part] *= np.where(solids.soft[k], gap * gap * np.float32(8 / 15), np.float32(1))
    total += np.bincount(pixel, solids.hu[solid] * length, minlength=len(total))
    return total.reshape(shape)


def visible(solids: Solids, beam: Beam, *, only: int | None = None) -> np.ndarray:
    """Length (mm) [LEVELS, H, W] of each level along each ray, where no lower level covers it.

    With `only`, tiles that no solid of that level meets are left at 0, which saves time.
    """
    (height, width), rays = beam.shape, beam.rays
    total = np.zeros((LEVELS, height, width), np.float32)
    if len(solids) == 0:
        return total
    bounds = beam.bounds(solids)
    meeting = Meeting(solids)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            met = (bounds[:, 0] < top + TILE) & (bounds[:, 1] >= top)
            met &= (bounds[:, 2] < left + TILE) & (bounds[:, 3] >= left)
            here = np.flatnonzero(met)
            if len(here) == 0 or (only is not None and only not in solids.level[here]):
                continue
            tile = rays[:, top : top + TILE, left : left + TILE]
            enter, leave = meeting.every(here, tile.reshape(6, -1))
            hit = (leave > enter).any(1)
            length = _paint(enter[hit], leave[hit], solids.level[here[hit]])
            total[:, top : top + TILE, left : left + TILE] = length.reshape(-1, *tile.shape[1:])
    return total


def _paint(enter: np.ndarray, leave: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Visible length [LEVELS, R] of each level, from intervals [K, R] of solids of `level` [K].

    With U(m) the union of all intervals of level <= m, level m shows along |U(m)| - |U(m-1)|. A
    shell holds all that lies deeper, so there U(m) is the union of the shell's own intervals.
    """
    out = np.zeros((LEVELS, enter.shape[1]), np.float32)
    before = np.zeros(enter.shape[1], np.float32)
    inner = level < min(SHELLS)
    organs = _in_order(enter[inner], leave[inner], level[inner])
    for m in np.unique(level):
        if m in SHELLS:
            mine = level == m
            start, end, _ = _in_order(enter[mine], leave[mine], level[mine])
        else:
            start, end, rank = organs
            end = np.where(rank <= m, end, NOWHERE)
        union = _union(start, end)
        out[m] = np.maximum(union - before, 0)
        before = np.maximum(union, before)
    return out


def _in_order(
    enter: np.ndarray, leave: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The intervals [K, R] of each ray sorted by entry, with their levels."""
    if len(enter) < 2:
        return enter, leave, np.broadcast_to(level[:, None], enter.shape)
    order = np.argsort(enter, axis=0)
    column = np.arange(enter.shape[1])
    return enter[order, column], leave[order, column], level.astype(np.int8)[order]


def _union(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Length [R] of the union of intervals [K, R] sorted by their start."""
    total = np.zeros(start.shape[1], np.float32)
    reached = np.full(start.shape[1], NOWHERE)
    for first, last in zip(start, end, strict=True):  # a loop beats maximum.accumulate
        total += np.maximum(last - np.maximum(first, reached), 0)
        np.maximum(reached, last, out=reached)
    return total
