"""Onto a model's grid: anti-aliased resampling, then centre crop or black border.

All grids share their centre. Linear interpolation; where the grid becomes coarser, the kernel
grows with the step (Pillow's BILINEAR), so that nothing aliases. uint8 in, uint8 out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a resampling: source samples [start, stop) become `length` out of `size`.

    The remaining `size - length` samples are border, `before` of them in front.
    """

    start: float
    stop: float
    length: int
    size: int

    @property
    def before(self) -> int:
        """Border samples in front; the odd one goes behind."""
        return (self.size - self.length) // 2

    def coarse(self, step: int) -> Axis:
        """The same axis over every `step`-th sample: sample k of them is sample k * step.

        Ends are the edges of samples, half a sample before and behind.

        >>> Axis(0.0, 8.0, 4, 4).coarse(2)
        Axis(start=0.25, stop=4.25, length=4, size=4)
        """
        start, stop = ((end - 0.5) / step + 0.5 for end in (self.start, self.stop))
        return replace(self, start=start, stop=stop)


def plan(
    shape: tuple[int, ...],
    size: tuple[int, ...],
    *,
    spacing: tuple[float, ...],
    target: tuple[float, ...] | None = None,
    fit: str = "pad",
) -> tuple[Axis, ...]:
    """How each axis of `shape` is brought to `size`.

    `spacing` is the source's in mm (or all ones), `target` the wanted one in mm. With a target,
    the field is cropped or padded to `size` and `fit` plays no part. Without it, "pad" shows the
    whole field and "crop" fills the whole size, both with the true aspect; "squash" stretches.
    A length is rounded to whole output samples, so the step is true to half a sample a field.

    >>> [axis.length for axis in plan((100, 50), (64, 64), spacing=(1.0, 1.0))]
    [64, 32]
    """
    extents = [count * step for count, step in zip(shape, spacing, strict=True)]
    if target is not None:
        steps = list(target)
    elif fit == "squash":
        steps = [extent / wanted for extent, wanted in zip(extents, size, strict=True)]
    else:
        ratios = [extent / wanted for extent, wanted in zip(extents, size, strict=True)]
        steps = [max(ratios) if fit == "pad" else min(ratios)] * len(size)
    return tuple(map(_axis, shape, extents, steps, size))


def _axis(count: int, extent: float, step: float, size: int) -> Axis:
    length = max(1, math.floor(extent / step + 0.5))
    if length <= size:
        return Axis(0.0, float(count), length, size)
    half = count * (size * step / extent) / 2
    return Axis(max(0.0, count / 2 - half), min(float(count), count / 2 + half), size, size)


def resample(pixels: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    """`pixels` [H, W], [H, W, 3] or, with three axes, [Z, H, W] on the planned grid, uint8."""
    if len(axes) == 3:
        depth, rows, columns = axes
        shrinks = depth.length < depth.stop - depth.start
        # The axis that loses most samples should go first; in practice that is z or the plane.
        if shrinks:
            pixels = _along_depth(pixels, depth)
        plane = np.stack([_plane(piece, rows, columns) for piece in pixels])
        return _bordered(plane if shrinks else _along_depth(plane, depth), axes)
    return _bordered(_plane(pixels, *axes), axes)


def _along_depth(pixels: np.ndarray, depth: Axis) -> np.ndarray:
    if (depth.start, depth.stop, depth.length) == (0, len(pixels), len(pixels)):
        return pixels
    # Z as rows of one wide picture: Pillow then resamples along z alone.
    flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    moved = _plane(flat, depth, Axis(0.0, float(flat.shape[1]), flat.shape[1], flat.shape[1]))
    return moved.reshape(depth.length, *pixels.shape[1:])


def _plane(pixels: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    height, width = pixels.shape[:2]
    box = (columns.start, rows.start, columns.stop, rows.stop)
    if (rows.length, columns.length) == (height, width) and box == (0, 0, width, height):
        return pixels
    from PIL import Image

    beyond = (math.ceil(rows.stop) - height, math.ceil(columns.stop) - width)
    if max(beyond) > 0:  # the last sample stands for the part of its cell that lies behind it
        pad = [(0, max(0, more)) for more in beyond] + [(0, 0)] * (pixels.ndim - 2)
        pixels = np.pad(pixels, pad, mode="edge")
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    # reducing_gap 3: a box average first where the step is large; no visible difference, faster.
    resized = picture.resize(
        (columns.length, rows.length), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0
    )
    return np.asarray(resized)


def _bordered(pixels: np.ndarray, axes: tuple[Axis, ...]) -> np.ndarray:
    size = tuple(axis.size for axis in axes)
    if pixels.shape[: len(size)] == size:
        return np.ascontiguousarray(pixels)
    canvas = np.zeros(size + pixels.shape[len(size) :], np.uint8)
    canvas[tuple(slice(a.before, a.before + a.length) for a in axes)] = pixels
    return canvas
