from __future__ import annotations

import numpy as np
import pytest

from asclip.errors import FileError
from asclip.files import read

RNG = np.random.default_rng(7)
GREY8 = RNG.integers(0, 256, (24, 20), dtype=np.uint8)
GREY12 = RNG.integers(0, 4096, (24, 20)).astype(np.uint16)
SIGNED = RNG.integers(-2048, 2048, (24, 20)).astype(np.int16)
COLOUR = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("pixels", "bits"), [(GREY8, 8), (GREY12, 12), (SIGNED, 12), (SIGNED, 16), (COLOUR, 8)]
)
def test_uncompressed_values_and_range(save_dicom, pixels, bits):
    image = read(save_dicom(pixels, bits=bits))
    np.testing.assert_array_equal(image.pixels, pixels)
    low = -(2.0 ** (bits - 1)) if pixels.dtype.kind == "i" else 0.0
    assert image.full_range == (low, low + 2.0**bits - 1)
    assert image.is_colour == (pixels.ndim == 3)


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "DeflatedExplicitVRLittleEndian"])
def test_other_uncompressed_syntaxes(make_dicom, tmp_path, syntax):
    import pydicom.uid

    made = make_dicom(GREY12, bits=12)
    made.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    made.save_as(tmp_path / "x", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, GREY12)


def test_big_endian(make_dicom, tmp_path):
    import pydicom.uid

    made = make_dicom(GREY12, bits=12)
    made.PixelData = GREY12.astype(">u2").tobytes()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    made.set_original_encoding(False, False)
    made.save_as(tmp_path / "x", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, GREY12)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEGLSLossless"])
@pytest.mark.parametrize(("pixels", "bits"), [(GREY8, 8), (GREY12, 12), (COLOUR, 8)])
def test_compressed_by_pydicom(make_dicom, tmp_path, syntax, pixels, bits):
    import pydicom.uid

    made = make_dicom(pixels, bits=bits)
    made.compress(getattr(pydicom.uid, syntax))
    made.save_as(tmp_path / "x", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, pixels)


def test_near_lossless_jpeg_ls(make_dicom, tmp_path):
    import pydicom.uid

    made = make_dicom(GREY12, bits=12)
    made.compress(pydicom.uid.JPEGLSNearLossless, jls_error=3)
    made.save_as(tmp_path / "x", enforce_file_format=True)
    assert np.abs(read(tmp_path / "x").pixels.astype(int) - GREY12).max() <= 3


@pytest.mark.parametrize(("pixels", "bits"), [(GREY8, 8), (GREY12, 12), (SIGNED, 12), (COLOUR, 8)])
def test_jpeg_2000(make_dicom, tmp_path, pixels, bits):
    from openjpeg.utils import encode_array
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    pixels = np.repeat(np.repeat(pixels, 4, axis=0), 4, axis=1)  # 6 wavelet levels need 64 pixels
    made = make_dicom(pixels, bits=bits)
    code = encode_array(pixels, bits_stored=bits, photometric_interpretation=0)
    made.PixelData = encapsulate([code])
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    made.save_as(tmp_path / "x", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "x").pixels, pixels)


def test_jpeg_baseline_in_grey_and_in_ybr(make_dicom, tmp_path):
    import io

    from PIL import Image
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    ramp = np.add.outer(np.arange(32), 3 * np.arange(48)).astype(np.uint8)
    for pixels in (ramp, np.dstack([ramp, ramp[::-1], 255 - ramp])):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
        made = make_dicom(pixels)
        if pixels.ndim == 3:
            made.PhotometricInterpretation = "YBR_FULL"
        made.PixelData = encapsulate([stream.getvalue()])
        made["PixelData"].is_undefined_length = True
        made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        made.save_as(tmp_path / "x", enforce_file_format=True)
        got = read(tmp_path / "x").pixels
        assert np.abs(got.astype(int) - np.asarray(Image.open(stream))).max() <= 2
        assert np.abs(got.astype(int) - pixels).mean() < 3


def test_rescale_is_float32_and_moves_the_full_range(save_dicom):
    image = read(save_dicom(GREY12, bits=12, RescaleSlope="1", RescaleIntercept="-1024"))
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, GREY12.astype(float) - 1024)
    assert image.full_range == (-1024.0, 3071.0)
    flipped = read(save_dicom(GREY12, bits=12, RescaleSlope="-2", RescaleIntercept="5"))
    assert flipped.full_range == (5.0 - 2 * 4095, 5.0)


def test_windows_of_each_kind(save_dicom):
    image = read(save_dicom(GREY12, bits=12, WindowCenter=[40, 300], WindowWidth=[400, 1500]))
    assert image.windows == ((-160.0, 239.0), (-450.0, 1049.0))
    exact = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}
    assert read(save_dicom(GREY12, bits=12, **exact)).windows == ((-160.0, 240.0),)


def test_monochrome1_is_inverted_monochrome2(save_dicom):
    window = {"bits": 12, "WindowCenter": 1000, "WindowWidth": 500}
    plain = read(save_dicom(GREY12, **window))
    window["WindowCenter"] = 4095 - 1000 + 1  # 1000.5 - 0.5 mirrored: c - 0.5 -> 4095 - (c - 0.5)
    mirrored = read(save_dicom(4095 - GREY12, **window, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(mirrored.pixels, plain.pixels)
    assert mirrored.pixels.dtype == plain.pixels.dtype
    assert mirrored.windows == plain.windows
    assert mirrored.full_range == plain.full_range


def test_monochrome1_padding_is_black_and_ct_keeps_its_units(save_dicom):
    pixels = GREY12.copy()
    pixels[:3] = 0
    film = {"PhotometricInterpretation": "MONOCHROME1", "bits": 12}
    image = read(save_dicom(pixels, **film, PixelPaddingValue=0))
    assert (image.pixels[:3] == 0).all()
    np.testing.assert_array_equal(
        image.pixels[3:][pixels[3:] > 0], 4095 - pixels[3:][pixels[3:] > 0]
    )
    ct = read(save_dicom(pixels, **film, Modality="CT", RescaleIntercept=-1000, RescaleSlope=1))
    np.testing.assert_array_equal(ct.pixels, pixels.astype(float) - 1000)


def _lut(first: int, outputs: np.ndarray, bits: int):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(outputs), first, bits])
    item.add_new("LUTData", "OW", outputs.astype("<u2").tobytes())
    return item


def test_modality_lut_sequence(make_dicom, tmp_path):
    outputs = (np.arange(4096) ** 1.2).astype(np.uint16)
    made = make_dicom(SIGNED, bits=12)
    made.ModalityLUTSequence = [_lut(-2048, outputs, 16)]
    made.save_as(tmp_path / "x", enforce_file_format=True)
    image = read(tmp_path / "x")
    np.testing.assert_array_equal(image.pixels, outputs[SIGNED.astype(int) + 2048])
    assert image.full_range == (0.0, float(outputs.max()))


def test_voi_lut_sequence_and_its_mirror(make_dicom, tmp_path):
    from asclip.files.intensity import apply_table

    outputs = (np.linspace(0, 1, 3000) ** 2 * 65535).astype(np.uint16)
    expected = np.rint(outputs[np.clip(GREY12.astype(int) - 500, 0, 2999)] / 65535 * 255)
    for inverse in (False, True):
        made = make_dicom(GREY12, bits=12)
        made.VOILUTSequence = [_lut(500, outputs, 16)]
        if inverse:
            made.PhotometricInterpretation = "MONOCHROME1"
        made.save_as(tmp_path / "x", enforce_file_format=True)
        image = read(tmp_path / "x")
        assert image.voi is not None
        got = apply_table(image.pixels, image.voi)
        wanted = 255 - expected if inverse else expected
        assert np.abs(got.astype(int) - wanted).max() <= 1


def test_palette_becomes_rgb(make_dicom, tmp_path):
    made = make_dicom(GREY8, PhotometricInterpretation="PALETTE COLOR")
    for place, colour in enumerate(("Red", "Green", "Blue")):
        table = np.roll(np.arange(256, dtype=np.uint8), place)
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(made, f"{colour}PaletteColorLookupTableData", table.tobytes())
    made.save_as(tmp_path / "x", enforce_file_format=True)
    image = read(tmp_path / "x")
    assert image.is_colour
    np.testing.assert_array_equal(image.pixels[..., 0], GREY8)
    np.testing.assert_array_equal(image.pixels[..., 2], GREY8 - np.uint8(2))


def test_unused_bits_do_not_count(save_dicom):
    path = save_dicom(GREY12 | np.uint16(0xF000), bits=12)
    np.testing.assert_array_equal(read(path).pixels, GREY12)
    path = save_dicom(SIGNED & np.int16(0x0FFF), bits=12)
    np.testing.assert_array_equal(read(path).pixels, SIGNED)


def test_spacing_view_and_unknown_is_nan(save_dicom):
    image = read(save_dicom(GREY8, PixelSpacing=[0.3, 0.2], ViewPosition="PA"))
    assert (image.spacing, image.view, image.modality) == ((0.3, 0.2), "PA", "DX")
    assert read(save_dicom(GREY8, ImagerPixelSpacing=[0.14, 0.14])).spacing == (0.14, 0.14)
    assert np.isnan(read(save_dicom(GREY8, PixelSpacing=[0, 0])).spacing).all()


def test_frames_without_geometry(save_dicom):
    frames = RNG.integers(0, 256, (5, 8, 9), dtype=np.uint8)
    path = save_dicom(frames)
    np.testing.assert_array_equal(read(path).pixels, frames[2])
    np.testing.assert_array_equal(read(path, index=4).pixels, frames[4])
    with pytest.raises(FileError, match="index must be 0 to 4"):
        read(path, index=5)
    cine = RNG.integers(0, 256, (4, 8, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read(save_dicom(cine)).pixels, cine[2])
