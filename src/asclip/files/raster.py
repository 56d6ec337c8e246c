"""PNG, JPEG, TIFF, BMP, GIF, WebP, JPEG 2000 -> `Image`, values as stored. Needs Pillow.

Grey 8 and 16 bit keep their values and dtype, float TIFF stays float32; 1 bit becomes 0 and 255.
Palettes and CMYK become RGB; alpha is laid over black; the EXIF orientation is carried out.
`windows` holds the format's own meaning, black = 0 to white = top of its bits, so that a plain
picture is never stretched. Colour of 16 bits a channel is read with its upper 8 bits, which is all
that Pillow gives (grey of 16 bits with alpha is refused, as there the lower bits can matter).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import FileError
from asclip.types import Image

TIFF_BITS, TIFF_PHOTOMETRIC = 258, 262


def read(path: str | Path, *, index: int | None = None) -> Image:
    """The picture in a raster file; `index` chooses a page, by default the first.

    Spacing is unknown (NaN): the resolution of a raster file is one of paper, not of a body.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(path) as picture:
            _choose_page(picture, 0 if index is None else index)
            _refuse_lossy(picture)
            bits, inverted = _tiff_facts(picture)
            picture.load()
            turned = ImageOps.exif_transpose(picture)
            pixels = _pixels(turned)
    except Pillow.DecompressionBombError:
        raise FileError(
            "a picture of more than 178 megapixels; reduce it or cut it first"
        ) from None
    except FileError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError) as error:
        raise FileError(
            f"a picture file that is damaged or truncated ({type(error).__name__}); copy it again"
        ) from None
    full: tuple[float, float] | None = None
    if pixels.dtype.kind == "u":
        full = (0.0, 2.0 ** (bits or 8 * pixels.dtype.itemsize) - 1)
        if inverted and pixels.dtype == np.uint16:
            pixels = (np.uint16(full[1]) - pixels).astype(np.uint16)
    windows = () if full is None else (full,)
    return Image(pixels, "", (float("nan"),) * 2, None, windows, full)


def _choose_page(picture: Any, index: int) -> None:
    count = getattr(picture, "n_frames", 1)
    if not 0 <= index < count:
        raise FileError(f"the file has {count} pages; index must be 0 to {count - 1}, not {index}")
    if index:
        picture.seek(index)


def _refuse_lossy(picture: Any) -> None:
    """Pillow narrows 16-bit grey with alpha to 8 bits without a word; the raw mode tells."""
    raw = str(picture.tile[0][3]) if getattr(picture, "tile", None) else ""
    if (picture.mode == "L" and ";16" in raw) or "LA;16" in raw:
        raise FileError(
            "16-bit grey with alpha cannot be read without loss; save it without the alpha channel"
        )


def _tiff_facts(picture: Any) -> tuple[int | None, bool]:
    """Bits of a grey TIFF (12 in 16, for one) and whether its zero is white."""
    tags = getattr(picture, "tag_v2", None)
    if tags is None or not picture.mode.startswith("I;16"):
        return None, False
    bits = tags.get(TIFF_BITS, (16,))
    return int(bits[0] if isinstance(bits, tuple) else bits), tags.get(TIFF_PHOTOMETRIC) == 0


def _pixels(picture: Any) -> np.ndarray:
    """[H, W] uint8, uint16, int32 or float32, or [H, W, 3] uint8."""
    if picture.mode == "1":
        picture = picture.convert("L")
    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode in ("LA", "RGBA", "La", "RGBa"):
        return _over_black(picture)
    if picture.mode == "L" or picture.mode.startswith("I") or picture.mode == "F":
        values = np.array(picture)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _over_black(picture: Any) -> np.ndarray:
    grey = picture.mode in ("LA", "La")
    values = np.array(picture.convert("LA" if grey else "RGBA"))
    alpha = values[..., -1:].astype(np.uint16)
    laid = ((values[..., :-1] * alpha + 127) // 255).astype(np.uint8)
    return laid[..., 0] if grey else laid
