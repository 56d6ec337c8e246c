"""The true boxes of findings, as a data set holds them, on the items that a model sees.

A fact `truth:box NAME` of a study (a column `meta:truth:box NAME` of its table) holds
"x_min y_min x_max y_max", several with ";" between: x to the right, y down, as shares of the sides
of the study's first image, as the file has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet
from asclip.errors import DataError
from asclip.files.resample import Axis, plan

COLUMN = "truth:box "


def boxes_of(part: Dataset, prompts: PromptSet) -> dict[str, list[np.ndarray]]:
    """For each class of `prompts` that has a column: boxes [M, 4] of each study, M often 0.

    As shares of the item's sides: what a crop has cut off is cut off, and what lies outside is
    left out. Nothing for volumes.

    Raises:
        DataError: a cell that is no list of boxes.
    """
    if part.preprocessing.is_volume:
        return {}
    found: dict[str, list[np.ndarray]] = {}
    ways = _ways(part)
    for name in part.meta_names:
        label = prompts.resolve(name.removeprefix(COLUMN)) if name.startswith(COLUMN) else None
        if label is not None:
            cells = part.meta(name).tolist()
            found[label] = [_moved(_parsed(c, name), w) for c, w in zip(cells, ways, strict=True)]
    return found


def _parsed(cell: object, name: str) -> np.ndarray:
    if not isinstance(cell, str) or not cell.strip():
        return np.zeros((0, 4))
    boxes, good = np.zeros((0, 4)), False
    try:
        boxes = np.array([one.split() for one in cell.split(";")], np.float64)
        good = boxes.shape[1:] == (4,) and bool((boxes[:, :2] < boxes[:, 2:]).all())
    except ValueError:
        pass  # no numbers, or not as many in each: told below
    if not good:
        raise DataError(
            f"meta:{name} must hold boxes as 'x_min y_min x_max y_max', shares of the image's "
            f"sides with ';' between boxes; got {cell[:60]!r}; write it so, or leave it empty"
        )
    return boxes


def _ways(part: Dataset) -> list[np.ndarray | None]:
    """[2, 2] scale and shift of y, x from a study's first image to its item; None without."""
    how: Any = part.preprocessing
    out: list[np.ndarray | None] = [None] * len(part)
    first = part.images.drop_duplicates("study")
    for study, shape, spacing in zip(first["study"], first["shape"], first["spacing"], strict=True):
        if spacing is not None and len(spacing) != 2:
            continue  # a slice of a volume, which has no box
        steps = np.array([np.nan] * 2 if spacing is None else spacing, np.float64)
        known = tuple(steps) if (steps > 0).all() else (1.0, 1.0)  # as `Preprocessing` has it
        sides = tuple(int(count) for count in shape[:2])
        axes = plan(sides, how.size, spacing=known, target=how.spacing, fit=how.fit)
        out[int(study)] = np.stack([_way(*pair) for pair in zip(sides, axes, strict=True)])
    return out


def _way(count: int, axis: Axis) -> np.ndarray:
    """Scale and shift of a share of a side with `count` samples; see `files.resample.Axis`."""
    step = axis.length / (axis.stop - axis.start)  # item samples a source sample
    return np.array([count * step, axis.before - axis.start * step]) / axis.size


def _moved(boxes: np.ndarray, way: np.ndarray | None) -> np.ndarray:
    """Boxes as shares of the file's sides -> of the item's."""
    if way is None or not len(boxes):
        return np.zeros((0, 4))
    scale, shift = (np.tile(column[::-1], 2) for column in way.T)  # x, y, x, y
    out = boxes * scale + shift
    inside = (out[:, :2] < 1).all(1) & (out[:, 2:] > 0).all(1)
    return np.clip(out[inside], 0.0, 1.0)
