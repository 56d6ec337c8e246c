"""What goes wrong with medical images between the patient and the model, at five severities.

A corruption draws its chance (a direction, a place, noise) from the generator first and then scales
it, so that equal generators give the same fault at five strengths. Left and right stay where they
are. Severities are our own choice: 1 is hardly seen, 5 would be sent back by a reader.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SEVERITIES = (1, 2, 3, 4, 5)
# Planes [P, H, W] float32 in 0-1, the strength, a generator -> changed planes, perhaps outside 0-1.
Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class Corruption:
    """A change and its strength at each severity; `unit` says what the strength is."""

    change: Change
    levels: tuple[float, float, float, float, float]
    unit: str


def corrupt(image: np.ndarray, name: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """`image` with a corruption of `CORRUPTIONS`, same shape and type.

    [H, W] grey, [H, W, 3] colour, or [Z, H, W] a volume, all of whose slices get one change; uint8,
    or floats in 0-1.

    Raises:
        ValueError: another name, severity, shape or type.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise ValueError(
            f"a corruption is one of {', '.join(CORRUPTIONS)} at severity 1 to 5, got {name!r} at "
            f"{severity}"
        )
    if image.ndim not in (2, 3) or (image.dtype != np.uint8 and image.dtype.kind != "f"):
        raise ValueError(
            "an image must be [H, W], [H, W, 3] or [Z, H, W], uint8 or floats in 0-1, got "
            f"{image.shape} {image.dtype}"
        )
    whole, colour = image.dtype == np.uint8, image.ndim == 3 and image.shape[-1] == 3
    planes = image.astype(np.float32) / (255.0 if whole else 1.0)
    planes = np.moveaxis(planes, -1, 0) if colour else planes.reshape(-1, *image.shape[-2:])
    found = CORRUPTIONS[name]
    changed = np.clip(found.change(planes, found.levels[severity - 1], rng), 0.0, 1.0)
    changed = np.moveaxis(changed, 0, -1) if colour else changed.reshape(image.shape)
    return np.rint(changed * 255).astype(np.uint8) if whole else changed.astype(image.dtype)


def _noise(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return x + strength * rng.standard_normal(x.shape, np.float32)


def _quantum(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    # The normal approximation keeps one draw for all strengths; from ten photons on it is close.
    return x + np.sqrt(x / strength) * rng.standard_normal(x.shape, np.float32)


def _blur(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    sigma = strength * x.shape[-1]
    return gaussian_filter(x, (0.0, sigma, sigma), mode="nearest")


def _motion(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Up and down, as breathing moves the chest."""
    from scipy.ndimage import correlate1d

    half = strength * x.shape[-2] / 2
    reach = int(np.ceil(half))
    box = np.clip(half + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0.0, 1.0)
    return correlate1d(x, box / box.sum(), axis=-2, mode="nearest")


def _contrast(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    middle = x.mean()
    return middle + (x - middle) * (1.0 - strength)


def _brightness(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return x + strength * rng.choice([-1.0, 1.0])


def _gamma(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(x, 0.0, 1.0) ** (strength ** rng.choice([-1.0, 1.0]))


def _jpeg(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    def stored(plane: np.ndarray) -> np.ndarray:
        stream = io.BytesIO()
        grey = np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
        Image.fromarray(grey).save(stream, "JPEG", quality=int(strength))
        return np.asarray(Image.open(stream), dtype=np.float32) / 255.0

    return np.stack([stored(plane) for plane in x])


def _downsampling(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    height, width = x.shape[-2:]
    small = max(round(width / strength), 1), max(round(height / strength), 1)
    few = [Image.fromarray(plane).resize(small, Image.Resampling.BOX) for plane in x]
    back = [one.resize((width, height), Image.Resampling.BILINEAR) for one in few]
    return np.stack([np.asarray(one, dtype=np.float32) for one in back])


def _bias_field(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth gain, as of a surface coil in MR."""
    weights = rng.standard_normal((3, 3))
    weights[0, 0] = 0.0  # a constant gain is brightness
    rows, columns = (
        np.cos(np.pi * np.arange(3)[:, None] * (np.arange(n) + 0.5) / n) for n in x.shape[-2:]
    )
    field = rows.T @ weights @ columns
    return x * np.exp(strength * field / np.abs(field).max()).astype(np.float32)


def _moved(x: np.ndarray, matrix: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Planes [P, H, W] seen through `matrix` about their middle, moved by `centre`; else black."""
    from scipy.ndimage import affine_transform

    middle = (np.array(x.shape[-2:]) - 1) / 2
    offset = middle + centre - matrix @ middle
    return np.stack([affine_transform(plane, matrix, offset, order=1) for plane in x])  # pyright: ignore[reportArgumentType]


def _rotation(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    angle = np.deg2rad(strength) * rng.choice([-1.0, 1.0])
    cos, sin = np.cos(angle), np.sin(angle)
    return _moved(x, np.array([[cos, -sin], [sin, cos]]), np.zeros(2))


def _crop(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A field that is too small: part of the patient is cut off, the rest fills the image."""
    spare = strength * np.array(x.shape[-2:]) / 2
    return _moved(x, (1.0 - strength) * np.eye(2), spare * rng.uniform(-1.0, 1.0, 2))


def _placed(x: np.ndarray, height: int, width: int, rng: np.random.Generator) -> tuple[slice, ...]:
    """A random place of this size that grows about the same centre."""
    at = [
        round(float(rng.random()) * (n - 1) - size / 2)
        for n, size in zip(x.shape[-2:], (height, width), strict=True)
    ]
    top, left = (
        int(np.clip(a, 0, max(n - size, 0)))
        for a, n, size in zip(at, x.shape[-2:], (height, width), strict=True)
    )
    return slice(None), slice(top, top + height), slice(left, left + width)


def _occlusion(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    height, width = (max(round(strength * n), 1) for n in x.shape[-2:])
    x = x.copy()
    x[_placed(x, height, width, rng)] = 0.0
    return x


_LETTER = np.array([list(row) for row in ("#...", "#...", "#...", "#...", "####")]) == "#"


def _marker(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A white lead letter in the picture."""
    height = max(round(strength * min(x.shape[-2:])), 3)
    width = max(round(height * _LETTER.shape[1] / len(_LETTER)), 2)
    rows, columns = (
        np.arange(size) * n // size for size, n in zip((height, width), _LETTER.shape, strict=True)
    )
    letter = _LETTER[np.ix_(rows, columns)]
    x = x.copy()
    part = x[_placed(x, height, width, rng)]
    part[:, letter[: part.shape[-2], : part.shape[-1]]] = 1.0
    return x


def _streaks(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Bright and dark rays from a dense piece of metal, as CT shows them."""
    height, width = x.shape[-2:]
    row, column = rng.uniform(0.3, 0.7, 2) * (height, width)
    y, z = np.mgrid[:height, :width]
    y, z = y - row, z - column
    angle, far = np.arctan2(y, z), np.hypot(y, z) / min(height, width)
    rays = np.cos(7 * angle + rng.uniform(0, 2 * np.pi)) * np.cos(11 * angle + rng.uniform(0, 6.3))
    metal = far < 0.02 + strength / 30
    return np.where(metal, 1.0, x + strength * rays / (1.0 + 2.0 * far)).astype(np.float32)


def _dead_rows(x: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Detector rows without a signal."""
    rows = rng.permutation(x.shape[-2])[: max(round(strength * x.shape[-2]), 1)]
    x = x.copy()
    x[:, rows] = 0.0
    return x


SHARE, SIDE = "of the range of grey", "of the side"
CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(_noise, (0.02, 0.04, 0.07, 0.11, 0.17), f"sd, {SHARE}"),
    "quantum-noise": Corruption(_quantum, (800, 250, 100, 40, 18), "photons a white pixel"),
    "blur": Corruption(_blur, (0.006, 0.011, 0.017, 0.025, 0.036), f"sd, {SIDE}"),
    "motion": Corruption(_motion, (0.02, 0.04, 0.065, 0.1, 0.15), f"length, {SIDE}"),
    "contrast": Corruption(_contrast, (0.2, 0.35, 0.5, 0.65, 0.8), "lost share"),
    "brightness": Corruption(_brightness, (0.06, 0.12, 0.18, 0.25, 0.34), f"shift, {SHARE}"),
    "gamma": Corruption(_gamma, (1.2, 1.45, 1.8, 2.3, 3.0), "exponent, or one over it"),
    "jpeg": Corruption(_jpeg, (60, 35, 20, 12, 6), "quality"),
    "downsampling": Corruption(_downsampling, (1.5, 2, 3, 4.5, 7), "factor along each side"),
    "bias-field": Corruption(_bias_field, (0.15, 0.3, 0.5, 0.75, 1.05), "log of the largest gain"),
    "rotation": Corruption(_rotation, (3, 6, 10, 15, 22), "degrees"),
    "crop": Corruption(_crop, (0.06, 0.12, 0.19, 0.27, 0.36), f"cut off, {SIDE}"),
    "occlusion": Corruption(_occlusion, (0.1, 0.17, 0.24, 0.32, 0.42), f"length, {SIDE}"),
    "marker": Corruption(_marker, (0.06, 0.1, 0.15, 0.21, 0.3), f"height, {SIDE}"),
    "streaks": Corruption(_streaks, (0.06, 0.12, 0.2, 0.3, 0.45), f"height, {SHARE}"),
    "dead-rows": Corruption(_dead_rows, (0.02, 0.04, 0.07, 0.11, 0.17), "share of the rows"),
}
