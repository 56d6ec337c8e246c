"""JPEG 2000 at a lower resolution: an item as near to exact resampling as the full decoding's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from openjpeg import encode
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    generate_uid,
)

from asclip.files import read
from asclip.files.preprocessing import Preprocessing


def film(rows: int, columns: int) -> np.ndarray:
    """A smooth picture with a gradient and a sharp bright square, 12 bits."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    pixels = 1200 + 900 * np.sin(7 * x + 3 * y) + 700 * y
    pixels[rows // 4 : rows // 2, columns // 3 : columns // 2] += 900
    return pixels.clip(0, 4095).astype(np.uint16)


def write(path: Path, pixels: np.ndarray, *, signed: bool = False, **elements: object) -> Path:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = ComputedRadiographyImageStorage
    header.SOPInstanceUID = generate_uid()
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.Modality = "CR"
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = int(signed)
    header.PixelSpacing = [0.2, 0.2]
    header.WindowCenter, header.WindowWidth = (-48 if signed else 2000), 4000
    for name, value in elements.items():
        setattr(header, name, value)
    header.PixelData = encapsulate([encode(pixels, bits_stored=12)])
    header["PixelData"].VR = "OW"
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = JPEG2000Lossless
    header.save_as(path, enforce_file_format=True)
    return path


def both(path: Path, **settings: object) -> tuple[np.ndarray, np.ndarray, int]:
    """Item of the quick way, of the full way, and the step of the quick one."""
    quick, full = Preprocessing(**settings), Preprocessing(decode="full", **settings)
    image = read(path, coarser=quick.coarser)
    whole = read(path, coarser=full.coarser)
    assert whole.step == 1
    assert image.shape == whole.shape
    assert image.spacing == whole.spacing
    return quick(image).astype(int), full(whole).astype(int), image.step


def exact(pixels: np.ndarray, size: int) -> np.ndarray:
    """The whole film in 0-255 without rounding anywhere, stretched to [size, size], float32."""
    grey = (pixels / np.float32(3999) * 255).clip(0, 255).astype(np.float32)
    return np.asarray(Pillow.fromarray(grey).resize((size, size), Pillow.Resampling.BILINEAR))


@pytest.mark.parametrize("shape", [(512, 512), (515, 601), (600, 431)])
def test_quick_is_as_near_to_exact_resampling_as_full(tmp_path: Path, shape) -> None:
    pixels = film(*shape)
    path = write(tmp_path / "film.dcm", pixels)
    quick, full, step = both(path, size=(64, 64), fit="squash")
    assert step >= 2
    truth = exact(pixels, 64)
    assert np.abs(quick - truth).mean() < np.abs(full - truth).mean() + 0.1
    assert abs((quick - truth).mean()) < 0.15


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_borders_and_crops_are_those_of_the_full_decoding(tmp_path: Path, fit) -> None:
    path = write(tmp_path / "film.dcm", film(601, 515))
    quick, full, step = both(path, size=(64, 64), fit=fit)
    assert step == 4
    assert np.abs(quick - full).mean() < 0.6
    assert ((quick == 0).all(0) == (full == 0).all(0)).all()


def test_half_a_pixel_is_not_lost(tmp_path: Path) -> None:
    """At step 8 a band taken for cell averages lies 3.5 pixels off: 1.8 levels on this ramp."""
    ramp = np.tile(np.arange(512, dtype=np.uint16) * 7, (512, 1))
    quick, _, step = both(write(tmp_path / "ramp.dcm", ramp), size=(32, 32))
    assert step == 8
    assert np.abs(quick - exact(ramp, 32)).max() < 1


def test_signed_values_are_those_of_the_full_decoding(tmp_path: Path) -> None:
    pixels = film(512, 512).astype(np.int16) - 2048
    path = write(tmp_path / "signed.dcm", pixels, signed=True)
    quick, full, step = both(path, size=(64, 64))
    assert step == 4
    assert full.std() > 20
    assert np.abs(quick - full).mean() < 0.6


@pytest.mark.parametrize(
    ("settings", "elements"),
    [
        ({"size": (300, 300)}, {}),  # not twice as fine
        ({"size": (64, 64), "window": "percentile"}, {}),
        ({"size": (64, 64)}, {"WindowCenter": None}),
        ({"size": (64, 64)}, {"Modality": "CT"}),
        ({"size": (64, 64)}, {"PixelPaddingValue": 0}),
        ({"size": (64, 64)}, {"BitsStored": 11, "HighBit": 10}),
    ],
)
def test_where_it_could_differ_all_is_decoded(tmp_path: Path, settings, elements) -> None:
    path = write(tmp_path / "film.dcm", film(512, 512), **elements)
    quick, full, step = both(path, **settings)
    assert step == 1
    assert (quick == full).all()


def test_the_setting_is_recorded() -> None:
    quick, full = Preprocessing(), Preprocessing(decode="full")
    assert quick.digest != full.digest
    assert "JPEG 2000" in dict(quick.describe())["decode"]
    assert Preprocessing.from_json(full.to_json()).decode == "full"
