"""How well a map points: numbers of maps and boxes, without a model.

    pointing game         the map's highest place lies in a box (`tasks.dense.pointing`)
    contrast to noise     |mean inside - mean outside| / sqrt(variance inside + variance outside)
    overlap               intersection over union of box and places above a threshold
    insertion, deletion   area under the model's score while the highest pixels are added to a
                          blurred image, or taken from the true one
    rank correlation      Spearman's, of two maps

Boxes are (x_min, y_min, x_max, y_max) as shares of the image's sides; of several, any may be hit,
and all count as inside.

Source   Zhang et al. 2018, arXiv:1608.00507 (pointing); Boecking et al. 2022, arXiv:2204.09817
         (contrast to noise of phrases); Petsiuk et al. 2018 (BMVC), arXiv:1806.07421 (insertion
         and deletion); Adebayo et al. 2018 (NeurIPS), arXiv:1810.03292 (rank correlation)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from asclip.tasks.dense.pointing import hits

# Of the image's side: the standard deviation of the blur. More of it (1/12, 1/5) and grey made
# images that a model answers as surely as true ones, or more so; true boxes then lost to noise.
BLUR = 1 / 32
THRESHOLDS = np.linspace(0.05, 0.95, 19)


def enlarged(maps: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Maps [..., h, w] on [..., H, W], linear between the centres of their places."""

    def along(small: int, large: int) -> np.ndarray:
        at, known = (np.arange(large) + 0.5) / large, (np.arange(small) + 0.5) / small
        return np.stack([np.interp(at, known, one) for one in np.eye(small)], axis=1)

    rows, columns = (along(s, n) for s, n in zip(maps.shape[-2:], shape, strict=True))
    return rows @ np.asarray(maps, np.float64) @ columns.T


def inside(boxes: np.ndarray, shape: tuple[int, int], margin: float = 0.0) -> np.ndarray:
    """[H, W] bool: pixels whose centre lies in one of the boxes [M, 4], widened by `margin`."""
    y, x = ((np.arange(count) + 0.5) / count for count in shape)
    mask = np.zeros(shape, bool)
    for left, top, right, bottom in np.asarray(boxes, np.float64):
        tall = (y >= top - margin) & (y <= bottom + margin)
        mask |= tall[:, None] & ((x >= left - margin) & (x <= right + margin))
    return mask


def pointing(maps: np.ndarray, boxes: Sequence[np.ndarray], margin: float) -> np.ndarray:
    """[B] 1 or 0: the best place of a map [h, w] is in one of its boxes [M, 4]; NaN without one."""
    out = np.full(len(maps), np.nan)
    grid = (maps.shape[1], maps.shape[2])
    for row, several in enumerate(boxes):
        if len(several):
            flat = np.repeat(maps[row].reshape(1, -1), len(several), axis=0)
            out[row] = hits(flat, grid, np.asarray(several, np.float64), margin).max()
    return out


def pointing_chance(
    boxes: Sequence[np.ndarray], grid: tuple[int, int], margin: float
) -> np.ndarray:
    """[B] the share of a grid's places that lie in the widened boxes; NaN without one."""
    return np.array([inside(b, grid, margin).mean() if len(b) else np.nan for b in boxes])


def contrast_to_noise(heat: np.ndarray, mask: np.ndarray) -> float:
    """How far a map [H, W] is apart inside and outside of `mask`; NaN where one of them is empty.

    It does not ask which of the two is higher. 0 for a map that is the same everywhere.
    """
    one, other = heat[mask], heat[~mask]
    if not one.size or not other.size:
        return float("nan")
    noise = float(np.sqrt(one.var() + other.var()))
    apart = float(abs(one.mean() - other.mean()))
    return apart / noise if noise > 0 else (0.0 if apart == 0 else float("nan"))


def scaled(heat: np.ndarray) -> np.ndarray:
    """A map from 0 (its lowest place) to 1; zeros where all places are alike."""
    low, high = float(heat.min()), float(heat.max())
    return (heat - low) / (high - low) if high > low else np.zeros(heat.shape)


def overlap(heat: np.ndarray, mask: np.ndarray, threshold: float) -> float:
    """Intersection over union of `mask` and the places of `scaled` above `threshold`."""
    said = scaled(heat) > threshold
    either = (said | mask).sum()
    return float((said & mask).sum() / either) if mask.any() and either else float("nan")


def best_threshold(heats: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    """The threshold of the best mean `overlap`: to be chosen on validation studies; NaN without."""
    pairs = [(h, m) for h, m in zip(heats, masks, strict=True) if m.any()]
    if not pairs:
        return float("nan")
    means = [np.mean([overlap(h, m, t) for h, m in pairs]) for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(means))])


def blurred(image: np.ndarray) -> np.ndarray:
    """The image [H, W] or [H, W, 3] uint8 with everything small smoothed away."""
    from scipy.ndimage import gaussian_filter

    sigma = [BLUR * side for side in image.shape[:2]] + [0.0] * (image.ndim - 2)
    return np.rint(gaussian_filter(image.astype(np.float64), sigma)).astype(np.uint8)


def steps_of(image: np.ndarray, heat: np.ndarray, steps: int, *, insert: bool) -> np.ndarray:
    """[steps + 1, *image] uint8: the image while its pixels are added to, or hidden by, the blur.

    Highest places of `heat` [H, W] first, an equal share of all pixels a step.
    """
    order = np.argsort(-heat, axis=None, kind="stable").argsort().reshape(heat.shape)
    start, end = (blurred(image), image) if insert else (image, blurred(image))
    limits = np.linspace(0, order.size, steps + 1)[:, None, None]
    done = order[None] < limits  # [steps + 1, H, W]
    done = done.reshape(done.shape + (1,) * (image.ndim - 2))
    return np.where(done, end[None], start[None])


def areas(
    score: Callable[[np.ndarray], np.ndarray], image: np.ndarray, heat: np.ndarray, steps: int = 10
) -> tuple[float, float]:
    """(insertion, deletion): mean height of the score's curve, by trapezoids.

    `score` gives numbers [n] of images [n, *image]. A map that knows what matters has a high first
    and a low second number.
    """
    found = []
    for insert in (True, False):
        curve = np.asarray(score(steps_of(image, heat, steps, insert=insert)), np.float64)
        found.append(float((curve[1:] + curve[:-1]).mean() / 2))
    return found[0], found[1]


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two maps of one shape; NaN where one of them is flat."""
    from scipy.stats import rankdata

    first, second = (rankdata(heat.ravel()) for heat in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second / size) if size > 0 else float("nan")
