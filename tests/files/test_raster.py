from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from asclip.errors import FileError
from asclip.files import read

RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (9, 13)).astype(np.uint16)
COLOUR = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_eight_bits_are_exact(tmp_path, kind, pixels):
    Pillow.fromarray(pixels).save(tmp_path / f"x.{kind}")
    image = read(tmp_path / f"x.{kind}")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.full_range == (0.0, 255.0)
    assert np.isnan(image.spacing).all()


@pytest.mark.parametrize("kind", ["gif", "webp", "jp2"])
def test_other_formats_open(tmp_path, kind):
    Pillow.fromarray(np.full_like(GREY, 77)).save(tmp_path / f"x.{kind}")
    assert (read(tmp_path / f"x.{kind}").pixels == 77).all()


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_exact(tmp_path, kind):
    Pillow.fromarray(DEEP).save(tmp_path / f"x.{kind}")
    image = read(tmp_path / f"x.{kind}")
    np.testing.assert_array_equal(image.pixels, DEEP)
    assert image.pixels.dtype == np.uint16
    assert image.windows == ((0.0, 65535.0),)


def test_big_endian_tiff_white_is_zero_and_float(tmp_path):
    Pillow.fromarray(DEEP).save(tmp_path / "x.tif", tiffinfo={262: 0})
    assert read(tmp_path / "x.tif").pixels.dtype == np.uint16
    np.testing.assert_array_equal(read(tmp_path / "x.tif").pixels, 65535 - DEEP)
    big = Pillow.frombytes("I;16B", (13, 9), DEEP.astype(">u2").tobytes())
    big.save(tmp_path / "b.tif")
    np.testing.assert_array_equal(read(tmp_path / "b.tif").pixels, DEEP)
    real = RNG.standard_normal((5, 6)).astype(np.float32)
    Pillow.fromarray(real).save(tmp_path / "f.tif")
    image = read(tmp_path / "f.tif")
    np.testing.assert_array_equal(image.pixels, real)
    assert (image.windows, image.full_range) == ((), None)


def test_palette_alpha_and_one_bit(tmp_path):
    palette = Pillow.fromarray(COLOUR).quantize(16)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read(tmp_path / "p.png").pixels, palette.convert("RGB"))
    alpha = np.zeros((9, 13, 1), np.uint8)
    alpha[:, 6:] = 255
    Pillow.fromarray(np.dstack([COLOUR, alpha])).save(tmp_path / "a.png")
    got = read(tmp_path / "a.png").pixels
    assert (got[:, :6] == 0).all()
    np.testing.assert_array_equal(got[:, 6:], COLOUR[:, 6:])
    Pillow.fromarray(np.dstack([GREY[..., None], alpha])).save(tmp_path / "la.png")
    assert read(tmp_path / "la.png").pixels.shape == (9, 13)
    Pillow.fromarray(GREY > 127).save(tmp_path / "1.png")
    np.testing.assert_array_equal(read(tmp_path / "1.png").pixels, np.where(GREY > 127, 255, 0))


def test_exif_orientation_is_carried_out(tmp_path):
    exif = Pillow.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    Pillow.fromarray(GREY).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "x.png").pixels, np.rot90(GREY, -1))


def test_pages_of_a_tiff(tmp_path):
    pages = [Pillow.fromarray(GREY), Pillow.fromarray(255 - GREY)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read(tmp_path / "x.tif").pixels, GREY)
    np.testing.assert_array_equal(read(tmp_path / "x.tif", index=1).pixels, 255 - GREY)
    with pytest.raises(FileError, match="2 pages"):
        read(tmp_path / "x.tif", index=2)


def _png16(colour_type: int, rows: bytes, width: int, height: int) -> bytes:
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_grey_with_alpha_is_refused_and_colour_is_not(tmp_path):
    rows = b"".join(b"\0" + row.tobytes() for row in np.full((4, 5, 2), 513, ">u2"))
    (tmp_path / "la.png").write_bytes(_png16(4, rows, 5, 4))
    with pytest.raises(FileError, match="alpha"):
        read(tmp_path / "la.png")
    rows = b"".join(b"\0" + row.tobytes() for row in np.full((4, 5, 3), 513, ">u2"))
    (tmp_path / "rgb.png").write_bytes(_png16(2, rows, 5, 4))
    assert (read(tmp_path / "rgb.png").pixels == 2).all()


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_truncated_pictures(tmp_path, kind):
    noise = RNG.integers(0, 256, (200, 200), dtype=np.uint8)
    Pillow.fromarray(noise).save(tmp_path / "x", kind)
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content[: len(content) // 2])
    with pytest.raises(FileError, match="damaged or truncated"):
        read(tmp_path / "x")
