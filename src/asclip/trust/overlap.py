"""The same picture or the same words on two sides of a split, also where the file is another one.

    x   means of 32 x 32 cells, less the mean of the 9 x 9 cells around each, at unit length
    y   x less the set's mean and its first 64 principal components (a tenth of n at most), at unit
        length: what is this picture's own, and not the anatomy that all of them share
    two pictures are near-duplicates where y . y' >= 0.8

Why not a hash: films of different patients are alike. Of the two million pairs of patients of a
phantom hospital 1.3 million reach 0.8 in x, none in y, where the largest is 0.73; of 195,625 pairs
of NIH chest films, one a patient, 64 and none (0.61). A copy keeps 0.93 in the phantom and 0.99 in
NIH with JPEG of quality 60, 0.83 and 0.99 at half the resolution (fifth percentiles of 60 films).
A copy that was cut or turned is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID, AROUND, SHARED = 32, 9, 64
ALIKE = 0.8
ROUNDS = 12
BLOCK = 512  # pictures at a time


def cells(items: np.ndarray, *, colour: bool = False) -> np.ndarray:
    """The x [n, 1024] float32 of pictures [n, H, W], [n, H, W, 3] or [n, Z, H, W].

    Of a volume the middle slice counts. A picture of one grey is zeros.
    """
    from scipy.ndimage import uniform_filter

    parts = []
    for start in range(0, len(items), BLOCK):
        some = np.asarray(items[start : start + BLOCK]).astype(np.float32)
        if colour:
            some = some.mean(axis=-1)
        elif some.ndim == 4:
            some = some[:, some.shape[1] // 2]
        for axis in (-2, -1):
            edges = np.linspace(0, some.shape[axis], GRID + 1).astype(int)
            some = np.add.reduceat(some, edges[:-1], axis=axis)
            shape = [-1 if k == axis % 3 else 1 for k in range(3)]
            some /= np.maximum(np.diff(edges), 1).reshape(shape)
        local = some - uniform_filter(some, AROUND, axes=(1, 2), mode="nearest")
        parts.append(_unit(local.reshape(len(some), -1)))
    return np.concatenate([*parts, np.zeros((0, GRID * GRID), np.float32)])


@dataclass(frozen=True, slots=True)
class Shared:
    """What the pictures of a set have in common: a `mean` [1024], orthonormal `parts` [1024, P]."""

    mean: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Shared:
        """Learned from x [n, 1024]; it takes ten pictures for each part."""
        count = min(SHARED, len(x) // 10)
        mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1], np.float32)
        if not count:
            return cls(mean, np.zeros((x.shape[1], 0), np.float32))
        rest = x - mean
        parts = np.random.default_rng(0).standard_normal((x.shape[1], count)).astype(np.float32)
        for _ in range(ROUNDS):  # subspace iteration: an eighth of the time of all components
            parts = np.linalg.qr(rest.T @ (rest @ parts))[0]
        return cls(mean, parts)

    def own(self, x: np.ndarray) -> np.ndarray:
        """The y [n, 1024] of x; zeros where nothing is left."""
        rest = x - self.mean
        rest = _unit(rest - (rest @ self.parts) @ self.parts.T)
        return rest * (np.abs(x).max(axis=1, keepdims=True, initial=0) > 0)


def near(first: np.ndarray, second: np.ndarray, *, least: float = ALIKE) -> np.ndarray:
    """[m, 2] rows of y [n, 1024] and y' [k, 1024] that are near-duplicates, in order."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(first), BLOCK):
        pairs = np.argwhere(first[start : start + BLOCK] @ second.T >= least)
        found.append(pairs + np.array([start, 0]))
    return np.concatenate(found)


def same_texts(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """[n] bool, which texts of `first` stand in `second`; case, spaces and stops aside.

    >>> same_texts(["No  effusion.", "A mass", ""], ["no effusion", "a nodule", ""]).tolist()
    [True, False, False]
    """
    from asclip.data.placeholders import normal

    known = {normal(text) for text in second} - {""}
    return np.array([normal(text) in known for text in first], bool)


def share_known(digests: Sequence[str], learned: Sequence[str]) -> tuple[int, float]:
    """How many images of an evaluation a loaded model has learned from, and their share.

    Both are digests of decoded pixels, as the image table of a data set has them; the share is NaN
    where there is none to ask for.

    >>> share_known(["a", "b", "c", "d"], ["d", "x"])
    (1, 0.25)
    """
    known = set(learned)
    count = sum(digest in known for digest in digests)
    return count, count / len(digests) if len(digests) else float("nan")


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(length > 1e-6, rows / np.maximum(length, 1e-6), 0.0).astype(np.float32)
