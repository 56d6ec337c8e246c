"""Augmentation of a batch of images: `Jitter` is deterministic, `RandomJitter` draws one.

There is no flip, ever: left and right are findings. Everything works on the whole batch at once.
The slices of a volume move together, each within its own plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Jitter:
    """One drawn change per image; every array has B rows.

    `angle` in radians, `zoom` > 1 enlarges, `shift` [B, 2] (x, y) in shares of the half side,
    `gain` multiplies the contrast about the middle grey, `bias` is added, both on the 0-1 scale.
    """

    angle: np.ndarray
    zoom: np.ndarray
    shift: np.ndarray
    gain: np.ndarray
    bias: np.ndarray

    def __getitem__(self, rows: slice) -> Jitter:
        """The changes of some rows."""
        return Jitter(
            self.angle[rows], self.zoom[rows], self.shift[rows], self.gain[rows], self.bias[rows]
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Changed images [B, C, H, W] or [B, C, Z, H, W], float32 in 0-1; outside is black."""
        if images.ndim == 5:  # slices as channels: all of a volume get its one change
            return self(images.flatten(1, 2)).view_as(images)
        cos = torch.from_numpy((np.cos(self.angle) / self.zoom).astype(np.float32))
        sin = torch.from_numpy((np.sin(self.angle) / self.zoom).astype(np.float32))
        shift = torch.from_numpy(self.shift.astype(np.float32))
        rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
        grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
        moved = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
        gain = torch.from_numpy(self.gain.astype(np.float32))[:, None, None, None]
        bias = torch.from_numpy(self.bias.astype(np.float32))[:, None, None, None]
        return moved.sub_(0.5).mul_(gain).add_(bias + 0.5).clamp_(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class RandomJitter:
    """Draws a `Jitter`: at strength 1 within 6 degrees, 8 % zoom and shift, 20 % contrast."""

    strength: float = 1.0

    def draw(self, count: int, rng: np.random.Generator) -> Jitter:
        """Independent changes for `count` images."""
        s = self.strength

        def around(width: float, *shape: int) -> np.ndarray:
            return rng.uniform(-width * s, width * s, (count, *shape))

        return Jitter(
            angle=around(np.deg2rad(6.0)),
            zoom=np.exp(around(0.08)),
            shift=around(0.08, 2),
            gain=np.exp(around(0.2)),
            bias=around(0.08),
        )
