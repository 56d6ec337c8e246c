from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """The folder of a real data set beside the project, or a skip."""

    def folder(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"shared/data/{name} not beside the project")
        return DATA / name

    return folder


def dicom(pixels: np.ndarray, *, bits: int | None = None, **elements: Any) -> Any:
    """A small data set around `pixels` ([H, W], [H, W, 3], or with frames in front)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = meta.MediaStorageSOPClassUID
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID = made.SeriesInstanceUID = "1.2.3"
    made.Modality = "DX"
    made.PatientName = "SECRET^NAME"
    colour = pixels.shape[-1] == 3
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.Rows, made.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    if pixels.ndim == (4 if colour else 3):
        made.NumberOfFrames = len(pixels)
    made.BitsAllocated = 8 * pixels.dtype.itemsize
    made.BitsStored = bits or made.BitsAllocated
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


@pytest.fixture
def make_dicom() -> Callable[..., Any]:
    return dicom


@pytest.fixture
def save_dicom(tmp_path: Path) -> Callable[..., Path]:
    """Write `dicom(pixels, ...)` as a file and give its path."""

    def save(pixels: np.ndarray, name: str = "film.dcm", **settings: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dicom(pixels, **settings).save_as(path, enforce_file_format=True)
        return path

    return save


@pytest.fixture
def save_series(tmp_path: Path) -> Callable[..., Path]:
    """A folder of slices of `block` [K, R, C] at `places` [K, 3] (LPS mm), names shuffled."""

    def save(
        block: np.ndarray,
        places: np.ndarray,
        turn: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
        name: str = "series",
        **elements: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        names = np.random.default_rng(3).permutation(len(block))
        for slice_, place, number in zip(block, places, names, strict=True):
            made = dicom(slice_, Modality="CT", **elements)
            made.ImageOrientationPatient = [round(float(value), 10) for value in turn]
            made.ImagePositionPatient = [round(float(value), 8) for value in place]
            made.PixelSpacing = made.get("PixelSpacing") or [0.8, 0.5]
            made.InstanceNumber = int(number)
            uid = str(made.SeriesInstanceUID)
            made.save_as(folder / f"{uid}_{number:03}", enforce_file_format=True)
        return folder

    return save
