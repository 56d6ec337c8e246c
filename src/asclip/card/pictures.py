"""Arrays -> inline pictures, and similarity maps laid over images."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from asclip.card.content import Heatmap

MOST_PIXELS = 288  # the longer side on the page; more would only weigh
COLOURS = "inferno"  # perceptually uniform, and readable without colour vision
STRENGTH = 0.62  # opacity of the map where similarity is highest


@dataclass(frozen=True, slots=True)
class Overlay:
    """A heat map ready for the page: data URIs, the box as shares of the picture, bar and range."""

    image: str
    overlay: str
    width: int
    height: int
    phrase: str
    low: str
    high: str
    box: tuple[float, float, float, float] | None
    note: str


def uri(image: np.ndarray) -> str:
    """A data URI of a uint8 image, PNG where grey and JPEG where coloured."""
    from PIL import Image

    picture = Image.fromarray(_small(image))
    buffer = io.BytesIO()
    if picture.mode == "L":
        picture.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        picture.save(buffer, "JPEG", quality=88)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def overlay(heatmap: Heatmap) -> Overlay:
    """The image with its heat map: colour and opacity both grow with similarity.

    The colours run from the lowest to the highest similarity of this map, as its bar says.
    """
    from matplotlib import colormaps

    image = _small(heatmap.image)
    height, width = image.shape[:2]
    heat = np.asarray(heatmap.heat, dtype=np.float64)
    known = heat[np.isfinite(heat)]
    low, high = (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)
    spread = high - low if high > low else 1.0
    share = np.where(np.isfinite(heat), (heat - low) / spread, 0.0)
    share = _enlarge(share, height, width)[..., None]  # [H, W, 1]
    colour = colormaps[COLOURS](share[..., 0])[..., :3] * 255
    base = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    alpha = STRENGTH * (0.25 + 0.75 * share)
    mixed = np.rint((1 - alpha) * base + alpha * colour).astype(np.uint8)
    rows, columns = heatmap.image.shape[:2]
    box = None
    if heatmap.box is not None:
        left, top, right, bottom = heatmap.box
        shares = (left / columns, top / rows, right / columns, bottom / rows)
        box = tuple(float(np.clip(one, 0, 1)) for one in shares)
    return Overlay(
        image=uri(image),
        overlay=uri(mixed),
        width=width,
        height=height,
        phrase=heatmap.phrase,
        low=f"{low:.2f}" if known.size else "n/a",
        high=f"{high:.2f}" if known.size else "n/a",
        box=box,  # pyright: ignore[reportArgumentType]
        note=heatmap.note,
    )


def colour_bar(steps: int = 12) -> str:
    """The colours of the maps, low to high, as a CSS gradient to the right."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    colours = [to_hex(colormaps[COLOURS](i / (steps - 1))) for i in range(steps)]
    return "linear-gradient(to right, " + ", ".join(colours) + ")"


def _small(image: np.ndarray) -> np.ndarray:
    from PIL import Image

    height, width = image.shape[:2]
    factor = MOST_PIXELS / max(height, width)
    if factor >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def _enlarge(share: np.ndarray, height: int, width: int) -> np.ndarray:
    """[h, w] -> [height, width], patch centres kept in place, smooth between them."""
    from PIL import Image

    picture = Image.fromarray(share.astype(np.float32))
    return np.clip(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
