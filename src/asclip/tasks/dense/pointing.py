"""The pointing game: does the region that answers a sentence best lie on the finding?

A region's answer is the model's own score of an image that consists of this region alone, so that
cosines, local similarities and query networks are asked in the same way:

    a_nc = score(v_n, t_c),   point_c = centre of argmax_n a_nc,   hit = point in the widened box

The finest grid that a small tower has is coarse, so boxes are widened by `margin` of the image's
side; a point at random then hits with the share of the image that widened boxes cover.

Source   Zhang et al. 2018 (IJCV), doi:10.1007/s11263-017-1059-x (arXiv:1608.00507)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.errors import ModelError
from asclip.tasks.similarity import similarity
from asclip.types import Encoded


def region_scores(model: Any, images: Encoded, texts: Encoded) -> np.ndarray:
    """[B, N, C] float64: the score of every region alone with every text."""
    if images.local is None:
        raise ModelError("pointing needs local vectors of the images; encode with local=True")
    count, regions, width = images.local.shape
    alone = images.local.reshape(count * regions, width)
    return similarity(model, Encoded(alone, alone[:, None]), texts).reshape(count, regions, -1)


def centres(grid: tuple[int, int]) -> np.ndarray:
    """Centres (x, y) of the cells of a grid (rows, columns), row by row, as shares of the sides.

    >>> centres((1, 2)).tolist()
    [[0.25, 0.5], [0.75, 0.5]]
    """
    rows, columns = grid
    y, x = np.mgrid[0.5:rows, 0.5:columns].reshape(2, -1)
    return np.stack([x / columns, y / rows], 1)


def hits(scores: np.ndarray, grid: tuple[int, int], boxes: np.ndarray, margin: float) -> np.ndarray:
    """[B] 1 or 0: the best region's centre lies in the box; NaN where the box is.

    `scores` [B, N] of the regions of `grid`, `boxes` [B, 4] (x_min, y_min, x_max, y_max) as shares
    of the image's sides. Equal scores, all of them, point nowhere and miss.
    """
    hit = np.diag(_inside(centres(grid)[scores.argmax(1)], boxes, margin))
    return np.where(np.isnan(boxes).any(1), np.nan, hit & (np.ptp(scores, axis=1) > 0))


def gains(
    scores: np.ndarray, grid: tuple[int, int], boxes: np.ndarray, margin: float
) -> np.ndarray:
    """[B] `hits` less the share of the other images' boxes that the same point lies in.

    Lesions have their places, and a coarse grid has few points: one point for all images hits
    often. Here whatever does not look at the image has 0 in the mean. NaN where the box is, and
    where no other image has one.
    """
    known = ~np.isnan(boxes).any(1)
    inside = _inside(centres(grid)[scores.argmax(1)], boxes, margin) & known
    own = np.diag(inside)
    others = (inside.sum(1) - own) / max(known.sum() - 1, 1)
    gain = np.where(np.ptp(scores, axis=1) > 0, own - others, 0.0)
    return np.where(known & (known.sum() > 1), gain, np.nan)


def _inside(points: np.ndarray, boxes: np.ndarray, margin: float) -> np.ndarray:
    """[B, C] bool, point b lies in the widened box c."""
    low, high, point = boxes[:, :2] - margin, boxes[:, 2:] + margin, points[:, None]
    return np.all((point >= low) & (point <= high), axis=2)
