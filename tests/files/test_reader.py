from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from asclip.errors import FileError
from asclip.files import read

FILM = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_content_counts_not_the_name(tmp_path, save_dicom):
    (tmp_path / "x.dcm").write_bytes(png(FILM))
    np.testing.assert_array_equal(read(tmp_path / "x.dcm").pixels, FILM)
    film = save_dicom(FILM, "y.png")
    np.testing.assert_array_equal(read(film).pixels, FILM)


@pytest.mark.parametrize("implicit", [False, True])
def test_dicom_without_preamble(tmp_path, make_dicom, implicit):
    from pydicom.uid import ImplicitVRLittleEndian

    made = make_dicom(FILM)
    if implicit:
        made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.save_as(tmp_path / "x", enforce_file_format=True)
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "bare").write_bytes(content[132:])
    np.testing.assert_array_equal(read(tmp_path / "bare").pixels, FILM)


@pytest.mark.parametrize("name", ["x.png", "x.dcm", "x.nii.gz"])
def test_empty_files(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(FileError, match="0 bytes"):
        read(tmp_path / name)


@pytest.mark.parametrize("keep", [100, 200, 400, 700, 1500, -100])
def test_truncated_dicom_never_opens(tmp_path, save_dicom, keep):
    content = save_dicom(FILM).read_bytes()
    (tmp_path / "x.dcm").write_bytes(content[:keep])
    with pytest.raises(FileError) as caught:
        read(tmp_path / "x.dcm")
    assert "SECRET" not in str(caught.value)


def test_truncated_compressed_dicom(tmp_path, make_dicom):
    from pydicom.uid import RLELossless

    made = make_dicom(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    made.compress(RLELossless)
    made.save_as(tmp_path / "x", enforce_file_format=True)
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content[: len(content) - 2000])
    with pytest.raises(FileError):
        read(tmp_path / "x")


def test_dicom_without_pixels_and_other_objects(tmp_path, make_dicom):
    made = make_dicom(FILM)
    del made.PixelData
    made.save_as(tmp_path / "x", enforce_file_format=True)
    with pytest.raises(FileError, match="without pixel data"):
        read(tmp_path / "x")
    for modality, words in (("SEG", "a segmentation object, not an image"), ("SR", "report")):
        made.Modality = modality
        made.save_as(tmp_path / "x", enforce_file_format=True)
        with pytest.raises(FileError, match=words):
            read(tmp_path / "x")


def test_an_unknown_transfer_syntax(tmp_path, make_dicom):
    from pydicom.encaps import encapsulate
    from pydicom.uid import MPEG2MPML

    made = make_dicom(FILM)
    made.PixelData = encapsulate([b"\0" * 100])
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    made.save_as(tmp_path / "x", enforce_file_format=True)
    with pytest.raises(FileError, match=r"MPEG2.*no decoder is installed"):
        read(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04abc", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"Salted__1234", "encrypted"),
        (b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0", "encrypted"),
        (b"\0" * 2000, "zeros only"),
        (b"patient,age\n1,2\n", "unknown kind"),
        (b"\x1f\x8b\x08\0broken", "unknown kind"),
    ],
)
def test_refusals_have_one_clear_sentence(tmp_path, content, words):
    (tmp_path / "x.dcm").write_bytes(content)
    with pytest.raises(FileError, match=words) as caught:
        read(tmp_path / "x.dcm")
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read(tmp_path / "nothing.dcm")


def test_random_damage_gives_an_image_or_a_file_error(tmp_path, save_dicom):
    """Flipped bytes in a header must never give a traceback of another kind."""
    content = bytearray(save_dicom(FILM, WindowCenter=4, WindowWidth=5).read_bytes())
    rng = np.random.default_rng(1)
    for _ in range(150):
        broken = content.copy()
        for place in rng.integers(132, len(content) - FILM.nbytes, 4):
            broken[place] = rng.integers(256)
        (tmp_path / "x").write_bytes(broken)
        with contextlib.suppress(FileError):
            assert read(tmp_path / "x").pixels.size > 0


def test_import_is_light():
    code = (
        "import sys, asclip.files, asclip.files.preprocessing, asclip.files.report;"
        "print([m for m in ('pydicom','nibabel','nrrd','PIL','torch','scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
