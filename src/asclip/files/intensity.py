"""From pixel values to 8 bits: windows, look-up tables, percentiles. Numpy only.

A window is kept as (low, high): values <= low are black (0), values >= high are white (255),

    y = 255 (x - low) / (high - low)    in between, rounded to the nearest integer.

DICOM's (centre c, width w) become, with PS3.3 C.11.2.1.2.1 and C.11.2.1.3:

    LINEAR         low = c - 0.5 - (w - 1)/2    high = c - 0.5 + (w - 1)/2
    LINEAR_EXACT   low = c - w/2                high = c + w/2
    SIGMOID        as LINEAR_EXACT: the ramp with the sigmoid's centre and its slope there, 1/w
"""

from __future__ import annotations

import numpy as np

PERCENTILES = (0.5, 99.5)
MAX_VALUES = 1 << 20  # percentiles look at no more values than this
BLOCK = 1 << 16  # values that are windowed at a time


def window_limits(center: float, width: float, function: str = "LINEAR") -> tuple[float, float]:
    """(low, high) of a DICOM window; see the formulas above.

    A LINEAR width below 1 breaks the standard (scaled PET and MR have it) and is read as exact.

    >>> window_limits(40, 400)
    (-160.0, 239.0)
    >>> window_limits(40, 400, "LINEAR_EXACT")
    (-160.0, 240.0)
    """
    if function.strip().upper() in ("LINEAR_EXACT", "SIGMOID") or width < 1:
        return float(center - width / 2), float(center + width / 2)
    return float(center - 0.5 - (width - 1) / 2), float(center - 0.5 + (width - 1) / 2)


def to_uint8(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of the window (low, high) as uint8, same shape; NaN becomes black.

    uint8 values with the window (0, 255) come back as they are, without a copy. Where low = high
    (a window of width 1) values above it are white, all others black.

    >>> to_uint8(np.array([-2000.0, -1000.0, -300.0, 400.0, float("nan")]), -1000, 400).tolist()
    [0, 0, 128, 255, 0]
    """
    if pixels.dtype == np.uint8 and low == 0 and high == 255:
        return pixels
    if high <= low:
        return np.where(pixels > low, np.uint8(255), np.uint8(0))
    # One small float32 buffer, worked on in place, row block by row block: fresh pages for large
    # temporaries cost more than the arithmetic, and a 65,536-entry table is twice as slow.
    levels = np.empty(pixels.shape, np.uint8)
    rows = max(1, BLOCK * max(1, len(pixels)) // max(1, pixels.size))
    buffer = np.empty((rows, *pixels.shape[1:]), np.float32)
    scale = np.float32(255 / (high - low))
    for start in range(0, len(pixels), rows):
        block = pixels[start : start + rows]
        scaled = buffer[: len(block)]
        np.subtract(block, np.float32(low), out=scaled, dtype=np.float32)
        scaled *= scale
        np.clip(scaled, 0, 255, out=scaled)
        if pixels.dtype.kind == "f":
            unknown = np.isnan(scaled)
            if unknown.any():
                scaled[unknown] = 0
        scaled += np.float32(0.5)
        np.copyto(levels[start : start + rows], scaled, casting="unsafe")
    return levels


def apply_table(pixels: np.ndarray, table: tuple[float, np.ndarray]) -> np.ndarray:
    """Values through a VOI look-up table (first input, outputs in 0..1) as uint8 (C.11.2.1.1).

    Inputs before the first entry take the first output, those after the last the last.

    >>> apply_table(np.array([9, 10, 11, 40]), (10.0, np.array([0.0, 0.5, 1.0]))).tolist()
    [0, 0, 128, 255]
    """
    first, outputs = table
    levels = to_uint8(outputs, 0.0, 1.0)
    places = np.clip(np.nan_to_num(np.rint(pixels - np.float64(first))), 0, len(levels) - 1)
    return levels[places.astype(np.intp)]


def percentile_limits(pixels: np.ndarray) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of the finite values, (0, 1) where there are none.

    Of large arrays a regular grid of values is looked at, at most 2^20 of them.

    >>> percentile_limits(np.arange(1001))
    (5.0, 995.0)
    """
    step = max(1, int(np.ceil((pixels.size / MAX_VALUES) ** (1 / max(pixels.ndim, 1)))))
    sample = pixels[tuple(slice(step // 2, None, step) for _ in pixels.shape)].ravel()
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(sample, PERCENTILES)
    return float(low), float(high)


def luma(colour: np.ndarray) -> np.ndarray:
    """Grey [H, W] of uint8 colour [H, W, 3] with the weights of ITU-R BT.601.

    The weights add up to one, so a grey picture stored as colour keeps its values exactly.

    >>> luma(np.array([[[7, 7, 7], [255, 0, 0]]], np.uint8)).tolist()
    [[7, 76]]
    """
    weighted = colour.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighted + 32768) >> 16).astype(np.uint8)
