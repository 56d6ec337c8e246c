from __future__ import annotations

import warnings

import numpy as np
import pytest

from asclip.errors import FileError
from asclip.files.dicom_header import fact, num_frames, numbers, pixel_spacing, reading

FILM = np.zeros((4, 5), np.uint8)


def test_facts_come_from_the_frame_then_all_frames_then_the_header(make_dicom):
    from pydicom.dataset import Dataset

    def groups(slope: float) -> Dataset:
        inner, outer = Dataset(), Dataset()
        inner.RescaleSlope = slope
        outer.PixelValueTransformationSequence = [inner]
        return outer

    made = make_dicom(FILM, RescaleSlope=1, RescaleIntercept=7)
    assert fact(made, "RescaleSlope") == 1
    made.SharedFunctionalGroupsSequence = [groups(2)]
    assert fact(made, "RescaleSlope", frame=1) == 2
    made.PerFrameFunctionalGroupsSequence = [groups(3), groups(4)]
    assert fact(made, "RescaleSlope", frame=1) == 4
    assert fact(made, "RescaleIntercept", frame=1) == 7
    assert fact(made, "WindowCenter") is None


def test_numbers_spacing_and_frames(make_dicom):
    made = make_dicom(FILM, PixelSpacing=[0, 0], ImagerPixelSpacing=[0.1, 0.2])
    assert pixel_spacing(made) == (0.1, 0.2)
    assert numbers(made.ImagerPixelSpacing) == (0.1, 0.2)
    assert num_frames(made) == 1
    assert num_frames(make_dicom(np.stack([FILM, FILM]))) == 2


def test_errors_of_libraries_are_not_quoted():
    def decode() -> None:
        with reading():
            warnings.warn("bad value SECRET", stacklevel=1)
            raise ValueError("bad value SECRET")

    with pytest.raises(FileError) as caught:
        decode()
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(MemoryError), reading():
        raise MemoryError
