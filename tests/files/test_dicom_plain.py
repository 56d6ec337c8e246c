from __future__ import annotations

import numpy as np
import pytest

from asclip.files.dicom_header import load
from asclip.files.dicom_pixels import frame_image
from asclip.files.dicom_plain import plain_header

RNG = np.random.default_rng(9)
FACTS = [
    {},
    {"RescaleSlope": "2.5", "RescaleIntercept": "-1024", "Modality": "CT"},
    {"WindowCenter": [40, 300], "WindowWidth": [400, 1500], "ViewPosition": "PA"},
    {"WindowCenter": "40.5", "WindowWidth": "9", "VOILUTFunction": "LINEAR_EXACT"},
    {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 7, "WindowWidth": 20},
    {"PixelSpacing": [0.2, 0.3], "NumberOfFrames": 1, "PatientComments": "x" * 9000},
    {"ImagerPixelSpacing": [0.2, 0.2], "WindowCenter": "", "WindowWidth": None},
]


def same(one, two) -> bool:
    simple = all(
        getattr(one, name) == getattr(two, name)
        for name in ("modality", "windows", "full_range", "view", "affine", "voi")
    )
    spacing = np.array_equal(one.spacing, two.spacing, equal_nan=True)
    alike = one.pixels.dtype == two.pixels.dtype
    return simple and spacing and alike and np.array_equal(one.pixels, two.pixels)


@pytest.mark.parametrize("facts", FACTS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16"])
def test_the_short_way_equals_the_general_one(save_dicom, facts, kind):
    film = RNG.integers(0, 200, (11, 14)).astype(kind)
    path = save_dicom(film, bits=8 if kind == "uint8" else 12, **facts)
    short = plain_header(path)
    assert short is not None
    assert same(frame_image(short), frame_image(load(path)))


def test_files_that_are_not_plain_go_the_general_way(make_dicom, tmp_path):
    from pydicom.uid import ImplicitVRLittleEndian, RLELossless

    film = RNG.integers(0, 200, (12, 14), dtype=np.uint8)

    def plain(made) -> bool:
        made.save_as(tmp_path / "x", enforce_file_format=True)
        return plain_header(tmp_path / "x") is not None

    assert plain(make_dicom(film))
    assert not plain(make_dicom(film, PixelPaddingValue=0))
    assert not plain(make_dicom(film, Modality="SEG"))
    assert not plain(make_dicom(np.stack([film, film])))
    assert not plain(make_dicom(np.dstack([film] * 3)))
    assert not plain(make_dicom(film, PhotometricInterpretation="PALETTE COLOR"))
    made = make_dicom(film)
    made.ModalityLUTSequence = []
    assert not plain(made)
    made = make_dicom(film)
    made.compress(RLELossless)
    assert not plain(made)
    made = make_dicom(film)
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert not plain(made)
    content = (tmp_path / "x").read_bytes()
    for cut in (10, 140, 300, len(content) - 20):
        (tmp_path / "x").write_bytes(content[:cut])
        assert plain_header(tmp_path / "x") is None


@pytest.mark.realdata
def test_real_files_are_the_same_both_ways(shared):
    seen = 0
    for path in (shared("dicom_samples") / "single").iterdir():
        short = plain_header(path)
        if short is not None:
            assert same(frame_image(short), frame_image(load(path))), path.name
            seen += 1
    assert seen >= 1
