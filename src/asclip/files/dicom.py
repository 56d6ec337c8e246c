"""DICOM files -> `Image`: one film, one frame, or a series as a volume. Needs pydicom.

`read(file)`: a picture [H, W] or [H, W, 3]. A multi-frame file whose frames have a position and an
orientation in the patient is a volume; other frames (cine, several echoes) are pictures, and
without `index` the middle one, frame n // 2, is taken.

`read_series(folder)`: the slices of one series, ordered by ImagePositionPatient along the slice
normal, never by file name or InstanceNumber. A volume's `pixels` are [row, column, slice].
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import FileError
from asclip.files.dicom_header import fact, load, num_frames, numbers, pixel_spacing, reading
from asclip.files.dicom_pixels import frame_image
from asclip.files.dicom_plain import plain_header
from asclip.files.geometry import stack, voxel_spacing
from asclip.files.wavelet import Coarser
from asclip.types import Image


def read(path: str | Path, *, index: int | None = None, coarser: Coarser | None = None) -> Image:
    """The image in a DICOM file; `index` chooses a frame (from 0) of a multi-frame file.

    `coarser` is that of `dicom_pixels.frame_image`.
    Raises `FileError` with the reason where there is none.
    """
    with reading():
        dataset = plain_header(path) or load(path)
        count = num_frames(dataset)
        if index is None and count > 1:
            places = _frame_positions(dataset, count)
            if places is not None:
                return _volume_of_frames(dataset, places)
        frame = count // 2 if index is None else index
        return frame_image(dataset, frame, coarser=coarser)


def _frame_positions(dataset: Any, count: int) -> np.ndarray | None:
    """ImagePositionPatient [n, 3] of each frame, None where frames have no places of their own."""
    orientation = numbers(fact(dataset, "ImageOrientationPatient"))
    first = numbers(fact(dataset, "ImagePositionPatient"))
    if len(orientation) != 6 or len(first) != 3:
        return None
    if dataset.get("PerFrameFunctionalGroupsSequence"):
        places = [numbers(fact(dataset, "ImagePositionPatient", frame=k)) for k in range(count)]
        turns = [numbers(fact(dataset, "ImageOrientationPatient", frame=k)) for k in range(count)]
        if any(len(place) != 3 for place in places) or not np.allclose(turns, turns[0], atol=1e-3):
            return None
        array = np.array(places)
        # Frames that share a position are phases or echoes, not a stack.
        return array if len(np.unique(array.round(3), axis=0)) == count else None
    normal = np.cross(orientation[:3], orientation[3:])
    offsets = np.array(numbers(dataset.get("GridFrameOffsetVector")))
    gap = numbers(dataset.get("SpacingBetweenSlices"))
    if len(offsets) != count:
        if not gap or gap[0] <= 0 or dataset.get("FrameTime") is not None:
            return None
        offsets = np.arange(count) * gap[0]
    return np.array(first) + offsets[:, None] * normal


def _volume_of_frames(dataset: Any, places: np.ndarray) -> Image:
    orientation = np.array(numbers(fact(dataset, "ImageOrientationPatient")))
    order, affine = stack(places, orientation, pixel_spacing(dataset))
    return _volume([frame_image(dataset, int(k)) for k in order], affine)


def _volume(slices: list[Image], affine: np.ndarray) -> Image:
    """Stack slices that are in order; the middle slice's window stands for the volume."""
    middle = slices[len(slices) // 2]
    if any(piece.is_colour for piece in slices):
        raise FileError("slices of a volume must be grey, and these are in colour; give an index")
    # Slices in one block, then a view: copying into [row, column, slice] strides is much slower.
    block = np.stack([piece.pixels for piece in slices])
    ranges = [piece.full_range for piece in slices if piece.full_range is not None]
    full = None
    if len(ranges) == len(slices):
        full = (min(low for low, _ in ranges), max(high for _, high in ranges))
    return Image(
        block.transpose(1, 2, 0),
        middle.modality,
        voxel_spacing(affine),
        affine,
        middle.windows,
        full,
        middle.voi,
        middle.view,
    )


def read_series(folder: str | Path, *, index: int | None = None) -> Image:
    """The volume of a folder's DICOM series; `index` chooses among several series.

    Series are counted from 0 in the order of SeriesNumber. Sub-folders and files that are not
    DICOM are left aside. A series of one single-frame file is a picture, as `read` gives it.
    Raises `FileError` for several series without `index` (the message lists them), for slices of
    different shape or direction, for missing and for repeated slices.
    """
    series = _series(Path(folder))
    if index is None and len(series) > 1:
        raise FileError(
            f"the folder holds {len(series)} series; choose one with index=0 to "
            f"{len(series) - 1}, or keep one series in a folder: "
            + "; ".join(map(_caption, series))
        )
    if index is not None and not 0 <= index < len(series):
        raise FileError(f"the folder holds {len(series)} series; index must be below, not {index}")
    headers = series[index or 0][1]
    if len(headers) == 1:
        return read(headers[0][0])
    with reading():
        order, affine = _place(headers)
        paths = [headers[k][0] for k in order]
        return _volume([frame_image(plain_header(path) or load(path)) for path in paths], affine)


_Header = tuple[Path, Any]


def _series(folder: Path) -> list[tuple[str, list[_Header]]]:
    """(caption, headers) of each series, by SeriesNumber and then by UID."""
    from asclip.files.reader import is_dicom

    paths = sorted(path for path in folder.iterdir() if path.is_file())
    groups: dict[tuple[float, str], list[_Header]] = defaultdict(list)
    for path in paths:
        if path.name == "DICOMDIR" or not is_dicom(path):
            continue
        with reading():
            header = load(path, pixels=False)
            number = (numbers(header.get("SeriesNumber")) or (float("inf"),))[0]
            groups[number, str(header.get("SeriesInstanceUID") or "")].append((path, header))
    if not groups:
        raise FileError(
            f"a folder without DICOM images ({len(paths)} other files); name a file, or the "
            "folder that directly holds the slices"
        )
    ordered = [groups[key] for key in sorted(groups)]
    return [(f"index {place}", headers) for place, headers in enumerate(ordered)]


def _caption(series: tuple[str, list[_Header]]) -> str:
    name, headers = series
    first = headers[0][1]
    files = "1 file" if len(headers) == 1 else f"{len(headers)} files"
    return f"{name}: {first.get('Modality') or '?'}, {files}, {first.Rows} x {first.Columns}"


def _place(headers: list[_Header]) -> tuple[np.ndarray, np.ndarray]:
    """Order and affine of the slices of one series, after the checks that need no pixels."""
    shapes = {(int(header.Rows), int(header.Columns)) for _, header in headers}
    if len(shapes) > 1 or any(num_frames(header) > 1 for _, header in headers):
        kinds = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(shapes))
        raise FileError(
            f"slices of a series must have one shape and one frame each; got {kinds} pixels"
        )
    places = [numbers(header.get("ImagePositionPatient")) for _, header in headers]
    turns = [numbers(header.get("ImageOrientationPatient")) for _, header in headers]
    unplaced = sum(len(p) != 3 or len(t) != 6 for p, t in zip(places, turns, strict=True))
    if unplaced:
        raise FileError(
            f"{unplaced} of {len(headers)} slices have no position or orientation in the patient, "
            "so they form no volume; read the files one by one"
        )
    if not np.allclose(turns, turns[0], atol=1e-3):
        raise FileError(
            "slices of a series must have one orientation, and these have several (a localizer "
            "among them?); put each orientation into a folder of its own"
        )
    gaps = {pixel_spacing(header) for _, header in headers}
    spacing = pixel_spacing(headers[0][1])
    if len(gaps) > 1 and not np.allclose(list(gaps), spacing, rtol=1e-3):
        raise FileError("slices of a series must have one pixel spacing, and these have several")
    return stack(np.array(places), np.array(turns[0]), spacing)
