"""Makers of solids: ellipsoids, straight rods, bent tubes; see `solids` for what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asclip.phantom.solids import ADDED, Solids


def turn(*, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """Rotation [3, 3] by degrees around x, then y, then z (right-handed).

    >>> np.round(turn(z=90) @ [1, 0, 0], 6)
    array([0., 1., 0.])
    """
    a, b, c = np.deg2rad([x, y, z])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ ry @ rx


def ellipsoids(
    centre: np.ndarray | Sequence[float],
    semi: np.ndarray | Sequence[float] | float,
    *,
    hu: np.ndarray | float,
    level: int = ADDED,
    soft: bool = False,
    rotation: np.ndarray | None = None,
) -> Solids:
    """Ellipsoids of semi-axes `semi` [n, 3] mm around `centre` [n, 3], turned by `rotation`.

    >>> ball = ellipsoids([0, 0, 0], 10.0, hu=0, level=1)
    >>> ball.high
    array([[10., 10., 10.]])
    """
    c = np.atleast_2d(np.asarray(centre, float))
    num = len(c)
    axes = np.broadcast_to(np.eye(3) if rotation is None else rotation, (num, 3, 3))
    half = np.broadcast_to(
        np.asarray(semi, float).reshape(-1, 1 if np.isscalar(semi) else 3), c.shape
    )
    matrix = np.swapaxes(axes, 1, 2) / half[:, :, None]  # rows are the axes over their lengths
    reach = np.sqrt(((axes * half[:, None, :]) ** 2).sum(2))
    return Solids(
        centre=c,
        matrix=matrix,
        planes=_no_planes(num),
        hu=np.broadcast_to(np.asarray(hu, float), (num,)).copy(),
        level=np.full(num, level, np.int16),
        soft=np.full(num, soft),
        owner=np.full(num, -1, np.int16),
        low=c - reach,
        high=c + reach,
    )


def tube(
    points: np.ndarray,
    radius: np.ndarray | float,
    *,
    hu: float,
    level: int = ADDED,
    flat: float = 1.0,
    up: Sequence[float] = (0.0, 0.0, 1.0),
) -> Solids:
    """A bent tube through `points` [m, 3]: m - 1 cylinders that meet at mitred ends.

    The planes between neighbours halve the bend, so that segments neither overlap nor gap and a
    ray through the tube counts nothing twice. `radius` is a number or one per segment; the cross
    section is `radius` along `up` and `flat * radius` across it.
    """
    return tubes([points], [radius], hu=hu, level=level, flat=flat, up=up)


def tubes(
    courses: Sequence[np.ndarray],
    radius: Sequence[np.ndarray | float],
    *,
    hu: float,
    level: int = ADDED,
    flat: float = 1.0,
    up: Sequence[float] = (0.0, 0.0, 1.0),
) -> Solids:
    """Several tubes made at once, each through its own points; see `tube`."""
    num = [len(course) - 1 for course in courses]
    start = np.concatenate([course[:-1] for course in courses])
    end = np.concatenate([course[1:] for course in courses])
    wide = np.concatenate([np.broadcast_to(r, (n,)) for r, n in zip(radius, num, strict=True)])
    along = unit(end - start)
    first, last = along.copy(), along.copy()
    joint = np.ones(len(along) - 1, bool)  # is segment i + 1 the sequel of segment i?
    joint[np.cumsum(num)[:-1] - 1] = False
    middle = unit(along[:-1] + along[1:])[joint]
    last[:-1][joint] = middle
    first[1:][joint] = middle
    solids = rods(start, end, wide, hu=hu, level=level, flat=flat, up=up)
    return replace(solids, planes=_between(start, end, first, last))


def rods(
    start: np.ndarray,
    end: np.ndarray,
    radius: np.ndarray | float,
    *,
    hu: float,
    level: int = ADDED,
    flat: float = 1.0,
    up: Sequence[float] = (0.0, 0.0, 1.0),
) -> Solids:
    """Straight cylinders from `start` [n, 3] to `end` [n, 3] with square ends; see `tube`."""
    along = unit(end - start)
    side = _cross(along, np.asarray(up, float))
    weak = (side**2).sum(1) < 1e-12
    side[weak] = _cross(along[weak], np.array([1.0, 0.0, 0.0]))
    side = unit(side)
    lift = _cross(side, along)
    num = len(along)
    r = np.broadcast_to(np.asarray(radius, float), (num,))[:, None]
    matrix = np.zeros((num, 3, 3))
    matrix[:, 0] = lift / r
    matrix[:, 1] = side / (r * flat)
    reach = np.sqrt((lift * r) ** 2 + (side * r * flat) ** 2)
    reach = reach + 0.4 * r * max(flat, 1.0) * np.abs(along)  # the outer corner of a mitre
    return Solids(
        centre=(start + end) / 2,
        matrix=matrix,
        planes=_between(start, end, along, along),
        hu=np.full(num, float(hu)),
        level=np.full(num, level, np.int16),
        soft=np.zeros(num, bool),
        owner=np.full(num, -1, np.int16),
        low=np.minimum(start, end) - reach,
        high=np.maximum(start, end) + reach,
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] divided by their length."""
    return vectors / np.sqrt((vectors**2).sum(-1, keepdims=True))


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # np.cross costs several times as much on short arrays
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    return np.stack(
        [
            y * b[..., 2] - z * b[..., 1],
            z * b[..., 0] - x * b[..., 2],
            x * b[..., 1] - y * b[..., 0],
        ],
        -1,
    )


def _no_planes(num: int) -> np.ndarray:
    planes = np.zeros((num, 2, 4))
    planes[:, :, 3] = 1.0  # 0 . x <= 1 holds everywhere
    return planes


def _between(start: np.ndarray, end: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Planes [n, 2, 4] through `start` and `end` with normals `first` and `last`."""
    planes = np.zeros((len(start), 2, 4))
    planes[:, 0, :3], planes[:, 0, 3] = -first, -(first * start).sum(1)
    planes[:, 1, :3], planes[:, 1, 3] = last, (last * end).sum(1)
    return planes
