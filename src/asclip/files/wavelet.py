"""JPEG 2000 at the resolution that is wanted, not at the one that is stored.

A JPEG 2000 frame is a pyramid (ISO/IEC 15444-1, annex F): its low-pass band of level n has every
2^n-th sample, smoothed, and takes about 1 / 4^n of the time to decode. A film of 2,000 columns that
a model sees at 224 needs no finer level than 500. Sample k of the band lies on sample k * 2^n of
the film, not in the middle of a cell, as an average over cells would; `resample.Axis.coarse` takes
that into account.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

Coarser = Callable[[tuple[int, int], tuple[float, ...] | None], int]
# Films: large, and their window shows nearly all values. A narrow CT window cuts at bone and air,
# where smoothing before the window is not smoothing after it (up to 40 grey levels of 255).
FILMS = ("CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO")
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")


def can_reduce(dataset: Any) -> bool:
    """True for a grey JPEG 2000 film with a window: percentiles would look at other samples."""
    return (
        str(dataset.file_meta.get("TransferSyntaxUID") or "") in JPEG_2000
        and str(dataset.get("Modality")) in FILMS
        and dataset.get("SamplesPerPixel") == 1
        and int(dataset.get("NumberOfFrames") or 1) == 1
        and bool(dataset.get("WindowCenter"))
        and "PixelPaddingValue" not in dataset
    )


def reduced_frame(dataset: Any, frame: int, coarser: int) -> tuple[np.ndarray | None, int]:
    """Stored values at the coarsest level whose step 2^n is at most `coarser`, and that step.

    None where a full decoding is needed: `coarser` below 2, a stream with fewer levels, or one
    whose bits are not those that the header states.
    """
    levels = int(np.log2(max(coarser, 1)))
    if levels < 1:
        return None, 1
    from PIL import Image as Pillow
    from pydicom.encaps import get_frame
    from pydicom.pixels.utils import get_j2k_parameters

    stream = get_frame(dataset.PixelData, frame, number_of_frames=1)
    bits, signed = int(dataset.get("BitsStored") or 0), bool(dataset.get("PixelRepresentation"))
    said = get_j2k_parameters(stream)
    as_stated = (said.get("precision"), said.get("is_signed")) == (bits, signed)
    if not as_stated or not 0 < bits <= 16:
        return None, 1
    step = 2**levels
    try:
        picture = Pillow.open(BytesIO(stream), formats=("JPEG2000",))
        picture.reduce = levels  # pyright: ignore[reportAttributeAccessIssue]
        # Pillow rounds size / step to the nearest, the standard (B-15) up; a multiple suits both.
        picture._size = tuple(-(-side // step) * step for side in picture.size)
        values = np.array(picture)
    except (OSError, ValueError):  # fewer levels than that
        return reduced_frame(dataset, frame, 2 ** (levels - 1))
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if values.dtype.kind != "u" or values.shape != (-(-rows // step), -(-columns // step)):
        return None, 1
    # Pillow gives unsigned values that fill 8 or 16 bits.
    width = 8 * values.dtype.itemsize
    if signed:
        values = values.view(f"i{values.dtype.itemsize}")
        values ^= values.dtype.type(-(2 ** (width - 1)))
    return values >> (width - bits), step
