"""A DICOM header: loaded, refused where it is no image, and asked for facts. Needs pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asclip.errors import AsclipError, FileError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

NOT_AN_IMAGE = {
    "SEG": "a segmentation object, not an image",
    "SR": "a structured report, not an image",
    "KO": "a key object selection, not an image",
    "PR": "a presentation state, not an image",
    "DOC": "an encapsulated document, not an image",
    "REG": "a registration object, not an image",
    "RTSTRUCT": "a set of radiotherapy contours, not an image",
    "RTPLAN": "a radiotherapy plan, not an image",
    "RTDOSE": "a radiotherapy dose grid, not an image",
    "ECG": "a waveform, not an image",
    "HD": "a waveform, not an image",
    "AU": "a sound recording, not an image",
}
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Where enhanced objects keep a fact of each frame (PS3.3 C.7.6.16.2).
MACROS = {
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
}


@contextmanager
def reading() -> Iterator[None]:
    """Turn whatever pydicom and the decoders raise into one `FileError`, and keep them quiet.

    Third-party decoders raise a zoo of types, and their messages and warnings may quote element
    values, that is, patients; so neither is shown. Memory errors and interrupts pass.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (AsclipError, MemoryError):
            raise
        except Exception as error:
            raise FileError(
                f"a DICOM file that breaks the standard or is damaged ({type(error).__name__} "
                "while it was decoded); export it again, or check that it opens in a viewer"
            ) from None


def load(path: str | Path, *, pixels: bool = True) -> FileDataset:
    """The data set of a DICOM file, without pixel data where `pixels` is False.

    Raises `FileError` for an object that is no image or has no pixel data. Call it in `reading`.
    """
    from pydicom import dcmread

    dataset = dcmread(path, force=True, stop_before_pixels=not pixels)
    modality = str(dataset.get("Modality") or "").strip().upper()
    if modality in NOT_AN_IMAGE:
        raise FileError(f"a DICOM {modality} file: {NOT_AN_IMAGE[modality]}")
    if pixels and not any(name in dataset for name in PIXELS):
        raise FileError(
            f"a DICOM file without pixel data ({_kind(dataset)}): cut off, or not an image object"
        )
    if not dataset.get("Rows") or not dataset.get("Columns"):
        raise FileError(f"a DICOM file without rows and columns ({_kind(dataset)}): no image")
    return dataset


def _kind(dataset: Any) -> str:
    """The SOP class in words; names of the standard only, nothing typed by people."""
    from pydicom.uid import UID

    uid = UID(str(dataset.get("SOPClassUID") or ""))
    return uid.name if uid.name != uid else "unknown SOP class"


def fact(dataset: Any, keyword: str, *, frame: int = 0) -> Any:
    """An element's value: of the frame's functional group, else the shared one, else the header.

    None where it is absent or empty.
    """
    macro = MACROS.get(keyword)
    if macro is not None:
        for groups, place in (
            (dataset.get("PerFrameFunctionalGroupsSequence"), frame),
            (dataset.get("SharedFunctionalGroupsSequence"), 0),
        ):
            if groups and place < len(groups):
                items = groups[place].get(macro)
                value = items[0].get(keyword) if items else None
                if value is not None and value != "":
                    return value
    value = dataset.get(keyword)
    return None if value is None or value == "" else value


def numbers(value: Any) -> tuple[float, ...]:
    """A numeric element's values as floats, () where it is absent.

    >>> numbers(None), numbers("40"), numbers([40, 300])
    ((), (40.0,), (40.0, 300.0))
    """
    if value is None:
        return ()
    if isinstance(value, (str, int, float)):
        return (float(value),)
    return tuple(float(item) for item in value)


def pixel_spacing(dataset: Any, *, frame: int = 0) -> tuple[float, float]:
    """Millimetres between rows and between columns, NaN where the file does not say.

    PixelSpacing is in the patient; ImagerPixelSpacing, the fall-back, is at the detector and so
    larger than in the body by the magnification (PS3.3 10.7.1.3). Zero means not known.
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        values = numbers(fact(dataset, keyword, frame=frame))
        if len(values) == 2 and min(values) > 0:
            return values[0], values[1]
    return float("nan"), float("nan")


def num_frames(dataset: Any) -> int:
    """Frames in the file, 1 where it does not say."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))
