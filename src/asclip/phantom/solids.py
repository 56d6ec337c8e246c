"""One primitive for the whole body: an ellipsoid or elliptic cylinder, cut by at most two planes.

A solid holds the points with |M (x - c)| <= 1, n1.x <= b1 and n2.x <= b2; M has a zero third row
for a cylinder. It is convex, so every ray meets it in one interval, found in closed form.

Two kinds fill the body with density, alike for films and CT:

    painted   level >= 0: where solids overlap, the lowest level wins and `hu` is its CT number
    additive  level == ADDED: `hu` is added to what is painted; `soft` ones fade as (1 - r^2)^2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

ADDED = -1
WATER = 0.0193
"""Linear attenuation of water per mm at the effective energy (about 70 keV) of all films."""


@dataclass(frozen=True, slots=True)
class Solids:
    """n solids as arrays: `centre` [n, 3] mm, `matrix` [n, 3, 3], `planes` [n, 2, 4] (normal, b).

    `hu` [n] CT number (or its increment), `level` [n], `soft` [n] bool, `owner` [n] the index of
    the finding that a solid shows, -1 for anatomy; `low`, `high` [n, 3] mm a box around each.
    """

    centre: np.ndarray
    matrix: np.ndarray
    planes: np.ndarray
    hu: np.ndarray
    level: np.ndarray
    soft: np.ndarray
    owner: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.hu)

    def take(self, index: np.ndarray) -> Solids:
        """The solids that `index` (positions or booleans) selects."""
        return Solids(*(getattr(self, f.name)[index] for f in fields(self)))

    def owned(self, owner: int) -> Solids:
        """The same solids, shown as part of finding number `owner`."""
        return replace(self, owner=np.full(len(self), owner, np.int16))

    def painted(self, hu: float, level: int) -> Solids:
        """The same shapes as painted solids of another tissue."""
        num = len(self)
        return replace(
            self, hu=np.full(num, hu), level=np.full(num, level, np.int16), soft=np.zeros(num, bool)
        )

    def cut(self, normal: Sequence[float], offset: float) -> Solids:
        """The same solids without what lies beyond `normal . x <= offset`, in a free plane."""
        planes = self.planes.copy()
        for row in planes:
            free = int(np.any(row[0, :3]))
            if np.any(row[free, :3]):
                raise ValueError("a solid has room for two planes, both are taken")
            row[free] = [*normal, offset]
        return replace(self, planes=planes)

    def scaled(self, factor: float, about: np.ndarray) -> Solids:
        """The same solids shrunk or grown by `factor` around the point `about`, cuts included."""
        planes = self.planes.copy()
        inner = planes[..., :3] @ about
        cut = np.any(planes[..., :3] != 0, axis=-1)
        planes[..., 3] = np.where(cut, factor * (planes[..., 3] - inner) + inner, planes[..., 3])
        return replace(
            self,
            centre=about + factor * (self.centre - about),
            matrix=self.matrix / factor,
            planes=planes,
            low=about + factor * (self.low - about),
            high=about + factor * (self.high - about),
        )


def join(parts: Sequence[Solids]) -> Solids:
    """All solids of `parts`, in order."""
    return Solids(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Solids)))


def nothing() -> Solids:
    """No solids at all."""
    zero = np.zeros((0, 3))
    none = np.zeros(0, np.int16)
    return Solids(
        centre=zero,
        matrix=np.zeros((0, 3, 3)),
        planes=np.zeros((0, 2, 4)),
        hu=np.zeros(0),
        level=none,
        soft=np.zeros(0, bool),
        owner=none,
        low=zero,
        high=zero,
    )


def radius_at(solids: Solids, points: np.ndarray) -> np.ndarray:
    """|M (x - c)| of every solid at every point [n, p], infinite beyond a plane: inside is <= 1."""
    num = len(solids)
    shift = np.einsum("nij,nj->ni", solids.matrix, solids.centre).reshape(-1)
    q = solids.matrix.reshape(num * 3, 3) @ points.T - shift[:, None]
    q = q.reshape(num, 3, -1)
    r = np.sqrt(q[:, 0] ** 2 + q[:, 1] ** 2 + q[:, 2] ** 2)
    for j in (0, 1):
        cut = np.flatnonzero(np.any(solids.planes[:, j, :3] != 0, axis=1))
        plane = solids.planes[cut, j]
        r[cut] = np.where(plane[:, :3] @ points.T > plane[:, 3:], np.inf, r[cut])
    return r


def level_at(solids: Solids, points: np.ndarray) -> np.ndarray:
    """Level [p] of the painted solid that shows at each point [p, 3]; 99 outside the body."""
    paint = solids.take(solids.level >= 0)
    if len(points) == 0 or len(paint) == 0:
        return np.full(len(points), 99)
    inside = radius_at(paint, points) <= 1.0
    return np.where(inside, paint.level[:, None], 99).min(0)
