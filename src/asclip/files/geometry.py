"""Where voxels lie: affines in RAS+ millimetres, stacks of slices, and the house's own axis order.

RAS+, as in NIfTI: x grows towards the patient's right, y anterior, z superior. DICOM counts in
LPS+ (PS3.3 C.7.6.2.1.1), so x and y change sign.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from asclip.errors import FileError

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
# What a stack may deviate from even spacing: 5 % of a step, and the rounding of written positions.
RELATIVE_TOLERANCE = 0.05
ABSOLUTE_TOLERANCE = 0.02  # mm


def stack(
    positions: np.ndarray,
    orientation: np.ndarray,
    spacing: tuple[float, float],
    *,
    thickness: float = float("nan"),
) -> tuple[np.ndarray, np.ndarray]:
    """Order of slices along their normal, and the affine of the stack [row, column, slice].

    `positions` [n, 3] are ImagePositionPatient and `orientation` [6] ImageOrientationPatient, in
    LPS mm; `spacing` is PixelSpacing (between rows, between columns) in mm; `thickness` is the
    step in mm for a stack of one. Returns `order` [n], so that slice k of the stack is
    `positions[order[k]]`, and the affine [4, 4] from (row, column, slice) to RAS+ mm. Slices
    ascend along row direction x column direction. A constant shear (gantry tilt) is kept in the
    affine.

    Raises `FileError` for two slices at one position and for a gap, naming the place.
    """
    along_row, along_column = _directions(orientation)
    normal = np.cross(along_row, along_column)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    count = len(order)
    if count == 1:
        step = normal * (thickness if np.isfinite(thickness) and thickness > 0 else np.nan)
    else:
        _check_even(heights[order])
        step = (positions[order[-1]] - positions[order[0]]) / (count - 1)
        _check_straight(positions[order], step)
    affine = np.eye(4)
    affine[:3, 0] = along_column * spacing[0]  # the next row lies along the columns
    affine[:3, 1] = along_row * spacing[1]
    affine[:3, 2] = step
    affine[:3, 3] = positions[order[0]]
    affine[:3] *= LPS_TO_RAS[:, None]
    return order, affine


def _directions(orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.asarray(orientation, float)[:3], np.asarray(orientation, float)[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or abs(row @ column) > 0.02 * lengths[0] * lengths[1]:
        raise FileError(
            "ImageOrientationPatient must hold two perpendicular directions and does not; "
            "the slices cannot be placed in space"
        )
    return row / lengths[0], column / lengths[1]


def _check_even(heights: np.ndarray) -> None:
    steps = np.diff(heights)
    usual = float(np.median(steps))
    if steps.min() < ABSOLUTE_TOLERANCE or usual < ABSOLUTE_TOLERANCE:
        twins = int((steps < ABSOLUTE_TOLERANCE).sum())
        raise FileError(
            f"{twins} of {len(heights)} slices lie at the position of another one (several "
            "echoes, phases or reconstructions?); keep one slice for each position"
        )
    off = np.abs(steps - usual) > RELATIVE_TOLERANCE * usual + ABSOLUTE_TOLERANCE
    if off.any():
        place = int(np.argmax(off))
        missing = round(float(steps[place]) / usual) - 1
        guess = f"; {missing} missing" if missing > 0 else ""
        raise FileError(
            f"slices must be evenly spaced: between slice {place + 1} and {place + 2} of "
            f"{len(heights)}, counted along the normal, the gap is {steps[place]:.2f} mm where "
            f"{usual:.2f} mm is usual{guess}; add the missing slices or split the series"
        )


def _check_straight(positions: np.ndarray, step: np.ndarray) -> None:
    line = positions[0] + np.arange(len(positions))[:, None] * step
    off = np.linalg.norm(positions - line, axis=1)
    # Small deviations of single steps add up along a stack; half a step is clearly another line.
    if off.max() > 0.5 * float(np.linalg.norm(step)):
        raise FileError(
            f"slices must lie on one line: slice {int(off.argmax()) + 1} of {len(positions)} is "
            f"{off.max():.2f} mm beside it; several stacks in one series?"
        )


def voxel_spacing(affine: np.ndarray) -> tuple[float, ...]:
    """Millimetres along each voxel axis: the lengths of the affine's columns.

    >>> voxel_spacing(np.diag([-2.0, 3.0, 5.0, 1.0]))
    (2.0, 3.0, 5.0)
    """
    return tuple(float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))


def house_axes(affine: np.ndarray) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which voxel axis becomes Z, H, W of the house order, and which of them are flipped.

    House order: Z runs inferior -> superior, H anterior -> posterior, W patient right -> left, as
    radiologists look at axial slices. Oblique volumes take the nearest axes; nothing is rotated.
    Raises `FileError` where the affine is not finite or has an axis without length.

    >>> house_axes(np.eye(4))
    ((2, 1, 0), (False, True, True))
    """
    matrix = np.asarray(affine, float)[:3, :3]
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or lengths.min() <= 0:
        raise FileError(
            "a volume needs a known size and direction of each voxel axis, and this file does not "
            "state them; read one slice instead, or write the geometry into the file"
        )
    cosines = matrix / lengths  # [world x y z, voxel axis]
    best = max(
        permutations(range(3)),
        key=lambda axes: sum(abs(cosines[world, axis]) for world, axis in enumerate(axes)),
    )
    right, anterior, superior = best
    return (superior, anterior, right), (
        bool(cosines[2, superior] < 0),
        bool(cosines[1, anterior] > 0),
        bool(cosines[0, right] > 0),
    )


def to_house(
    pixels: np.ndarray, affine: np.ndarray
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """View of a volume as [Z, H, W] in house order, and its spacing (z, y, x) in mm; no copy."""
    axes, flips = house_axes(affine)
    turned = pixels.transpose(axes)
    turned = turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    lengths = voxel_spacing(affine)
    return turned, (lengths[axes[0]], lengths[axes[1]], lengths[axes[2]])
