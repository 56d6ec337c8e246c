"""Maps that know nothing of image or phrase: what any method has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asclip.trust.explain.asked import checked

WIDTH = 0.25  # of the middle's hill, as a share of the side


def noise(model: Any, images: np.ndarray, phrases: Sequence[str], *, seed: int = 0) -> np.ndarray:
    """[B, h, w] float32: each region a number from 0 to 1 drawn at random; `seed` fixes them."""
    checked(images, phrases)
    shape = (len(images), *model.encoder.image.grid)
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def middle(model: Any, images: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
    """[B, h, w] float32: a round hill in the middle of every image, where organs tend to be."""
    checked(images, phrases)
    grid = model.encoder.image.grid
    hill = np.ones(grid, np.float32)
    for axis, count in enumerate(grid):
        away = (np.arange(count) + 0.5) / count - 0.5
        slope = np.exp(-0.5 * (away / WIDTH) ** 2).astype(np.float32)
        hill = hill * np.expand_dims(slope, [k for k in range(len(grid)) if k != axis])
    return np.repeat(hill[None], len(images), axis=0)
