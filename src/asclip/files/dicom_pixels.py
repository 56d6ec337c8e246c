"""One DICOM frame or all of them -> `Image` values. Needs pydicom.

Grey: stored value -> Modality LUT or rescale slope and intercept (PS3.3 C.11.1) -> float32. Where
the file has neither, or slope 1 and intercept 0, the stored integers stay as they are.
MONOCHROME1 (low values are bright) is mirrored in the full range, so that bright means dense:

    pixel' = full_low + full_high - pixel      window' = (mirror of high, mirror of low)

except for CT and PET, whose values are physical (HU, activity): bright means dense there already,
and MONOCHROME1 only asks for a display. Colour: uint8 or uint16 RGB [..., 3], from RGB, YBR or
a palette.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.errors import FileError
from asclip.files import wavelet
from asclip.files.dicom_header import fact, num_frames, numbers, pixel_spacing
from asclip.files.intensity import window_limits
from asclip.files.wavelet import Coarser
from asclip.types import Image

PHYSICAL = ("CT", "PT")
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
# The quickest decoder of grey frames for a transfer syntax, where it is not pydicom's first choice;
# the values are the same: RLE 6 times faster, JPEG 5 times, JPEG 2000 by a tenth.
QUICKEST = {
    "1.2.840.10008.1.2.5": "pylibjpeg",
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.90": "pillow",
    "1.2.840.10008.1.2.4.91": "pillow",
}


def frame_image(dataset: Any, frame: int = 0, *, coarser: Coarser | None = None) -> Image:
    """One frame as an `Image` of two dimensions; call it in `dicom_header.reading`.

    `coarser` says for a size and a spacing how many times fewer rows and columns would do; where
    the transfer syntax has such a resolution (JPEG 2000), it alone is decoded.
    """
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper()
    spacing = pixel_spacing(dataset, frame=frame)
    stored, step, extent = None, 1, None
    if coarser is not None and wavelet.can_reduce(dataset):
        extent = (int(dataset.Rows), int(dataset.Columns))
        stored, step = wavelet.reduced_frame(dataset, frame, coarser(extent, spacing))
    if stored is None:
        stored, step, extent = stored_frame(dataset, frame), 1, None
    modality = str(dataset.get("Modality") or "").strip().upper()
    view = str(dataset.get("ViewPosition") or "").strip().upper()
    if not photometric.startswith("MONOCHROME"):
        colour, top = _colour(dataset, stored, photometric)
        return Image(colour, modality, spacing, full_range=(0.0, top), view=view)
    pixels, full = modality_values(dataset, stored, frame)
    windows, table = file_windows(dataset, frame), voi_table(dataset)
    if photometric == "MONOCHROME1" and modality not in PHYSICAL:
        low, high = full or (float(pixels.min()), float(pixels.max()))
        pixels = _mirrored(dataset, stored, pixels, (low, high))
        windows = tuple((low + high - end, low + high - start) for start, end in windows)
        if table is not None:
            last = table[0] + len(table[1]) - 1
            table = (low + high - last, (1 - table[1])[::-1])
    return Image(
        pixels,
        modality,
        spacing,
        windows=windows,
        full_range=full,
        voi=table,
        view=view,
        step=step,
        extent=extent,
    )


def stored_frame(dataset: Any, frame: int) -> np.ndarray:
    """Stored values of one frame: [H, W], or [H, W, 3] as RGB. May be read-only."""
    count = num_frames(dataset)
    if not 0 <= frame < count:
        raise FileError(f"the file has {count} frames; index must be 0 to {count - 1}, not {frame}")
    native = _native_frame(dataset, frame, count)
    if native is not None:
        return native
    from pydicom.pixels.utils import pixel_array

    options: dict[str, Any] = {"index": frame} if count > 1 else {}
    syntax = str(dataset.file_meta.get("TransferSyntaxUID") or "")
    available = _decoders(syntax)
    if dataset.get("SamplesPerPixel") == 1 and QUICKEST.get(syntax) in available:
        options["decoding_plugin"] = QUICKEST[syntax]
    return pixel_array(dataset, **options)


def _native_frame(dataset: Any, frame: int, count: int) -> np.ndarray | None:
    """The frame straight from the bytes of an uncompressed grey file, else None.

    Checks of pydicom's general path take longer than a small film itself; this view takes none.
    """
    syntax = str(dataset.file_meta.get("TransferSyntaxUID") or NATIVE[0])
    bits = dataset.get("BitsAllocated")
    if syntax not in NATIVE or bits not in (8, 16) or "PixelData" not in dataset:
        return None
    rows, columns = int(dataset.get("Rows")), int(dataset.get("Columns"))
    samples = int(dataset.get("SamplesPerPixel") or 1)
    value = dataset.get_item("PixelData").value or b""
    expected = rows * columns * samples * count * bits // 8
    if str(dataset.get("PhotometricInterpretation")).startswith("YBR_FULL_422"):
        expected = expected * 2 // 3
    if len(value) < expected:
        raise FileError(
            f"a truncated DICOM file: the pixel data has {len(value)} of {expected} bytes"
        )
    if samples != 1:
        return None
    kind = ("i" if dataset.get("PixelRepresentation") else "u") + str(bits // 8)
    size = rows * columns
    pixels = np.frombuffer(value, "<" + kind, size, offset=frame * size * bits // 8)
    spare = int(bits) - int(dataset.get("BitsStored") or bits)
    low, high = _stored_range(dataset, pixels) or (0, 0)
    if spare > 0 and (pixels.max() > high or pixels.min() < low):
        # Unused high bits may hold anything, overlays for one (PS3.5 8.1.1); the sign is extended.
        pixels = pixels << spare
        pixels >>= spare
    return pixels.reshape(rows, columns)


def _decoders(syntax: str) -> tuple[str, ...]:
    """The decoders installed for a compressed transfer syntax; FileError where there is none."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    if syntax in NATIVE or not UID(syntax).is_compressed:
        return ()
    name = UID(syntax).name
    try:
        available = get_decoder(UID(syntax)).available_plugins
    except NotImplementedError:
        available = ()
    if not available:
        raise FileError(
            f"pixels in the transfer syntax {name!r}, for which no decoder is installed"
            + ("; run: pip install pylibjpeg pylibjpeg-openjpeg" if "2000" in name else "")
        )
    return available


def modality_values(
    dataset: Any, stored: np.ndarray, frame: int = 0
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Values after the modality LUT, and the range that the stored bits allow in the same units."""
    full = _stored_range(dataset, stored)
    items = dataset.get("ModalityLUTSequence")
    if items:
        first, outputs, _ = _table(items[0], signed=bool(dataset.get("PixelRepresentation")))
        places = np.clip(stored.astype(np.int64) - first, 0, len(outputs) - 1)
        return outputs[places].astype(np.float32), (float(outputs.min()), float(outputs.max()))
    slope = (numbers(fact(dataset, "RescaleSlope", frame=frame)) or (1.0,))[0] or 1.0
    intercept = (numbers(fact(dataset, "RescaleIntercept", frame=frame)) or (0.0,))[0]
    if slope == 1 and intercept == 0:
        return (stored if stored.dtype.itemsize <= 2 else stored.astype(np.float32)), full
    if stored.dtype.itemsize <= 2:
        values = stored.astype(np.float32)
        values *= np.float32(slope)
        values += np.float32(intercept)
    else:
        values = (stored * slope + intercept).astype(np.float32)
    if full is not None:
        ends = sorted((full[0] * slope + intercept, full[1] * slope + intercept))
        full = (ends[0], ends[1])
    return values, full


def _stored_range(dataset: Any, stored: np.ndarray) -> tuple[float, float] | None:
    if stored.dtype.kind == "f":
        return None
    bits = int(dataset.get("BitsStored") or 8 * stored.dtype.itemsize)
    if dataset.get("PixelRepresentation"):
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1


def file_windows(dataset: Any, frame: int = 0) -> tuple[tuple[float, float], ...]:
    """The (low, high) windows that the file proposes, in units after the modality LUT."""
    centers = numbers(fact(dataset, "WindowCenter", frame=frame))
    widths = numbers(fact(dataset, "WindowWidth", frame=frame))
    function = str(fact(dataset, "VOILUTFunction", frame=frame) or "LINEAR")
    return tuple(
        window_limits(center, width, function)
        for center, width in zip(centers, widths, strict=False)
        if width > 0 and np.isfinite(center)
    )


def voi_table(dataset: Any) -> tuple[float, np.ndarray] | None:
    """The first VOI LUT as (first input, outputs float32 in 0..1), or None (PS3.3 C.11.2.1.1)."""
    items = dataset.get("VOILUTSequence")
    if not items:
        return None
    signed = bool(dataset.get("PixelRepresentation")) and not dataset.get("ModalityLUTSequence")
    first, outputs, bits = _table(items[0], signed=signed)
    return float(first), (outputs / np.float32(2.0**bits - 1)).astype(np.float32)


def _table(item: Any, *, signed: bool) -> tuple[int, np.ndarray, int]:
    """(first input, outputs, bits) of a LUT item: 8-bit entries may be packed in 16-bit words."""
    count, first, bits = (int(value) for value in item.LUTDescriptor)
    count = count or 65536
    if signed and first > 32767:
        first -= 65536
    data = item.LUTData
    if not isinstance(data, (bytes, bytearray)):
        data = np.atleast_1d(np.asarray(data)).astype("<u2").tobytes()
    wide = len(data) >= 2 * count
    outputs = np.frombuffer(data, "<u2" if wide else "u1")[:count].astype(np.float32)
    if len(outputs) < count:
        raise FileError(f"a look-up table must have {count} entries and has {len(outputs)}")
    return first, outputs, bits


def _mirrored(
    dataset: Any, stored: np.ndarray, pixels: np.ndarray, full: tuple[float, float]
) -> np.ndarray:
    total = full[0] + full[1]
    if pixels.dtype.kind in "iu" and full[0] <= pixels.min() and pixels.max() <= full[1]:
        mirrored = (total - pixels.astype(np.int32)).astype(pixels.dtype)
    else:
        mirrored = np.subtract(np.float32(total), pixels, dtype=np.float32)
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int):
        # Padding was set to show as black before the mirror, so it is black after it, too.
        limit = dataset.get("PixelPaddingRangeLimit")
        ends = sorted((padding, limit if isinstance(limit, int) else padding))
        mirrored[(stored >= ends[0]) & (stored <= ends[1])] = full[0]
    return mirrored


def _colour(dataset: Any, stored: np.ndarray, photometric: str) -> tuple[np.ndarray, float]:
    if photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        stored = apply_color_lut(stored, dataset)
        top = 255.0 if stored.dtype == np.uint8 else 65535.0
        return np.ascontiguousarray(stored[..., :3]), top
    if stored.ndim != 3 or stored.shape[-1] != 3 or stored.dtype.kind != "u":
        raise FileError(f"pixels of the kind {photometric!r} are neither grey nor RGB")
    bits = int(dataset.get("BitsStored") or 8 * stored.dtype.itemsize)
    return stored, 2.0**bits - 1
