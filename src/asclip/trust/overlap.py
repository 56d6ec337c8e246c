"""The same picture or the same words on two sides of a split, also where the file is another one.

    x   means of 32 x 32 cells, less the mean of the 9 x 9 cells around each, at unit length
    y   x less the set's mean and its first 64 principal components (a tenth of n at most; of
        copies one is fitted), at unit length: what is this picture's own, and not the anatomy that
        all of them share
    two pictures are near-duplicates where y . y' >= 0.8

Why not a hash: films of different patients are alike. Of the two million pairs of patients of a
phantom hospital (films of 128 x 128) 1.4 million reach 0.8 in x, none in y, where the largest is
0.72; of 195,625 pairs of NIH chest films, one a patient, 73 and none (0.63). A copy keeps 0.92 in
the phantom and 0.99 in NIH with JPEG of quality 60, 0.77 and 0.99 at half the resolution (fifth
percentiles of 60 films); of one NIH film 40 copies with noise are all found.
A copy that was cut or turned is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID, AROUND, SHARED = 32, 9, 64
ALIKE = 0.8
COPIED = 0.9  # in x, to begin with
MOST = 4096  # pictures to fit on; to tell copies among them takes the square of their number
FITS, ROUNDS = 4, 12
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
        """Learned from x [n, 1024], at most `MOST` of them; it takes ten pictures for each part.

        Many copies of one picture would be a part themselves, and nothing of them would be left to
        be found by. So each fit sees one of those that are alike in y of the fit before, the first
        one of those alike in x. Once is not enough: in x most films of one anatomy are alike, and
        what few of them share is too little, so that others pass for copies.
        """
        if len(x) > MOST:
            x = x[np.sort(np.random.default_rng(0).permutation(len(x))[:MOST])]
        rows = distinct(x, least=COPIED)
        for _ in range(FITS - 1):
            # Of a picture two copies, each ALIKE to it, are that much alike among themselves.
            rows = distinct(cls._fitted(x[rows]).own(x), least=ALIKE**2)
        return cls._fitted(x[rows])

    @classmethod
    def _fitted(cls, x: np.ndarray) -> Shared:
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


def distinct(rows: np.ndarray, *, least: float) -> np.ndarray:
    """Numbers of the rows [n, D], of unit length, that are not `least` alike to one kept before.

    >>> distinct(np.array([[1.0, 0.0], [0.0, 1.0], [0.96, 0.28], [0.0, 0.0]]), least=0.9).tolist()
    [0, 1, 3]
    """
    kept = np.zeros(0, np.int64)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        free = np.ones(len(some), bool)
        for first in range(0, len(kept), BLOCK):  # a block by a block is all that is in memory
            free &= (some @ rows[kept[first : first + BLOCK]].T < least).all(axis=1)
        alike = some @ some.T >= least
        for row in range(len(some)):
            if free[row]:
                free[row + 1 :] &= ~alike[row, row + 1 :]
        kept = np.append(kept, start + np.flatnonzero(free))
    return kept


def near(first: np.ndarray, second: np.ndarray, *, least: float = ALIKE) -> np.ndarray:
    """[m, 2] rows of y [n, 1024] and y' [k, 1024] that are near-duplicates, in order."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(first), BLOCK):
        pairs = np.argwhere(first[start : start + BLOCK] @ second.T >= least)
        found.append(pairs + np.array([start, 0]))
    return np.concatenate(found)


def same_texts(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """[n] bool, which of `first` say of the image what one of `second` says; see `said`.

    >>> same_texts(["No  effusion.", "A mass", ""], ["no effusion", "a nodule", ""]).tolist()
    [True, False, False]
    """
    known = {said(text) for text in second} - {""}
    return np.array([said(text) in known for text in first], bool)


def said(text: str) -> str:
    """What training reads of a report; case, spaces and stops aside.

    >>> said("INDICATION: Cough. FINDINGS: Clear  lungs. IMPRESSION: Normal.")
    'clear lungs. normal'
    """
    from asclip.data.placeholders import normal
    from asclip.data.texts import told

    return normal(told(text))


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
