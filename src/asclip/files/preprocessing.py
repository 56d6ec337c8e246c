"""The one recorded way from a file to what a model sees; saved with every model.

Steps, always in this order; `describe` says them in words for a given object:

1. decode       the file's pixels (`files.read`), see `Preprocessing.decode`
2. LUT          modality LUT: HU for CT, bright means dense (`files.read`)
3. window       values -> 0..255, see `Preprocessing.window`; percentiles look at the whole image
4. orientation  volumes: Z inferior -> superior, H anterior -> posterior, W patient right -> left.
                Pictures stay as stored. A 2-D preprocessing takes the named slice of a volume
                (before the window, which works value by value, so that less has to be computed)
5. spacing      resampling to fixed millimetres, where asked for
6. resize       anti-aliased, onto `size`, by `fit`
7. normalise    (x / 255 - mean) / std, in float32, at the model's door (`normalise`)

Steps 1-6 give the uint8 item that a data set caches; step 7 is cheap and never cached.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np

from asclip.errors import AsclipError, FileError, nearest
from asclip.files.geometry import to_house
from asclip.files.intensity import apply_table, luma, percentile_limits, to_uint8
from asclip.files.preprocessing_rules import check, describe, floats, many, whole
from asclip.files.resample import Axis, plan, resample
from asclip.types import Image

PLANES = ("axial", "coronal", "sagittal")
VERSION = 1
ENOUGH = (
    1.5  # samples along each axis for an output pixel: of films within 0.3 grey levels of "full"
)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Calling it turns an `Image` into a uint8 item of `item_shape`.

    size      (H, W) in pixels, or (Z, H, W) for volumes.
    channels  1, or 3 (colour; grey is repeated). Colour into 1 channel becomes luma (BT.601).
    window    "file": the file's first window, else its VOI LUT, else, at most 8 bits stored, their
              full range, else the 0.5th to 99.5th percentile of the image. "full": the full
              range of the stored bits (minimum to maximum where the format has none).
              "percentile": 0.5th to 99.5th. (low, high): fixed, in the file's units; for CT in HU,
              lungs (-1350, 150), soft tissue (-160, 240). Colour needs one of the names.
    fit       "pad": whole field, black border; "crop": centre, filled; both keep the true aspect;
              "squash": stretched.
    spacing   None, or mm of an output pixel along each axis of `size`; then the centre of the
              field is cropped or padded and `fit` plays no part; needs a file with spacing.
    slice     what a 2-D preprocessing takes of a volume: "middle axial", "30% coronal" ...
              (0 % is inferior, anterior, patient right). Coronal and sagittal show superior on top.
    decode    "quick": where a film is stored in several resolutions (JPEG 2000) and has a window,
              the smallest that has 1.5 samples for each output pixel; the mean difference from
              "full" is some tenths of a grey level. "full": always the stored one.
    mean, std of x / 255, one for each channel, or one for all.
    """

    size: tuple[int, ...] = (224, 224)
    channels: int = 1
    window: str | tuple[float, float] = "file"
    fit: str = "pad"
    spacing: tuple[float, ...] | None = None
    slice: str = "middle axial"
    decode: str = "quick"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        """Settle types, so that equal settings have equal digests, and refuse what cannot be."""
        settle = object.__setattr__
        settle(self, "size", tuple(whole("size", value) for value in many("size", self.size)))
        settle(self, "channels", whole("channels", self.channels))
        for name in ("mean", "std"):
            settle(self, name, floats(name, getattr(self, name)))
        if self.spacing is not None:
            settle(self, "spacing", floats("spacing", self.spacing))
        if not isinstance(self.window, str):
            settle(self, "window", floats("window", self.window))
        check(self)

    @property
    def is_volume(self) -> bool:
        """True where items are [Z, H, W]."""
        return len(self.size) == 3

    @property
    def item_shape(self) -> tuple[int, ...]:
        """(H, W), (H, W, 3) or (Z, H, W)."""
        return self.size if self.channels == 1 else (*self.size, self.channels)

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that differ where any setting differs."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:12]

    def __call__(self, image: Image) -> np.ndarray:
        """The item of an image: uint8, C order, of `item_shape`.

        Raises `FileError` for a picture where a volume is needed, for unknown geometry where it
        is needed, and for a numeric window on colour.
        """
        pixels, spacing = self._oriented(image)
        grey = self._windowed(pixels, image)
        if image.is_colour and self.channels == 1:
            grey = luma(grey)
        shape = image.shape if image.step > 1 else grey.shape[: len(self.size)]
        axes = self._plan(shape, spacing)
        item = resample(grey, tuple(axis.coarse(image.step) for axis in axes))
        if self.channels == 3 and item.ndim == 2:
            item = np.repeat(item[..., None], 3, axis=2)
        return np.ascontiguousarray(item)

    def _plan(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[Axis, ...]:
        known = self._known(spacing)
        return plan(shape, self.size, spacing=known, target=self.spacing, fit=self.fit)

    def coarser(self, shape: tuple[int, int], spacing: tuple[float, ...] | None) -> int:
        """How many times fewer samples of a picture [H, W] still give `ENOUGH` an output pixel."""
        if self.decode == "full" or self.window == "percentile" or self.is_volume:
            return 1
        axes = self._plan(shape, spacing or (float("nan"),) * 2)
        return int(min((axis.stop - axis.start) / axis.length for axis in axes) / ENOUGH)

    def _oriented(self, image: Image) -> tuple[np.ndarray, tuple[float, ...]]:
        """Pixels in house order (or the slice that is wanted), spacing in mm along its axes."""
        if image.affine is None:
            if self.is_volume:
                raise FileError(
                    "this preprocessing takes volumes and the file is a picture; give a folder "
                    "with a series, or a NIfTI or NRRD file"
                )
            return image.pixels, image.spacing or (float("nan"),) * 2
        volume, spacing = to_house(image.pixels, image.affine)
        if self.is_volume:
            return volume, spacing
        where, plane = self.slice.split()
        axis = PLANES.index(plane)
        share = 0.5 if where == "middle" else int(where[:-1]) / 100
        # A patient's sagittal order is right -> left, as W; so is the percentage.
        place = min(int(share * volume.shape[axis]), volume.shape[axis] - 1)
        cut = np.take(volume, place, axis=axis)
        cut = cut if plane == "axial" else cut[::-1]
        return cut, tuple(step for k, step in enumerate(spacing) if k != axis)

    def _windowed(self, pixels: np.ndarray, image: Image) -> np.ndarray:
        if image.is_colour and not isinstance(self.window, str):
            raise FileError(
                f"a window of {self.window} needs a file with physical values and this one is a "
                'colour picture; use window="file" for it'
            )
        if self.window == "file" and not image.windows and image.voi is not None:
            return apply_table(pixels, image.voi)
        low, high = self._limits(image)
        return to_uint8(pixels, low, high)

    def _limits(self, image: Image) -> tuple[float, float]:
        full = image.full_range
        if not isinstance(self.window, str):
            return self.window
        if self.window == "full" or (self.window == "file" and image.is_colour):
            if full is not None:
                return full
            return float(np.nanmin(image.pixels)), float(np.nanmax(image.pixels))
        if self.window == "file":
            if image.windows:
                return image.windows[0]
            if full is not None and full[1] - full[0] <= 255:
                return full
        # House order first: the grid of values looked at must not depend on the file's axes.
        if image.affine is not None:
            return percentile_limits(to_house(image.pixels, image.affine)[0])
        return percentile_limits(image.pixels)

    def _known(self, spacing: tuple[float, ...]) -> tuple[float, ...]:
        if all(np.isfinite(step) and step > 0 for step in spacing):
            return spacing
        if self.spacing is not None:
            raise FileError(
                f"this preprocessing resamples to {self.spacing} mm and the file does not state "
                "its spacing; use a preprocessing without spacing for such files"
            )
        return (1.0,) * len(spacing)

    def normalise(self, item: np.ndarray) -> np.ndarray:
        """(x / 255 - mean) / std as float32, same shape; `item` is uint8 [..., *item_shape].

        >>> Preprocessing((1, 2)).normalise(np.array([[0, 255]], np.uint8)).tolist()
        [[-1.0, 1.0]]
        """
        scale = np.float32(1) / (255 * np.asarray(self.std, np.float32))
        shift = np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        values = np.multiply(item, scale, dtype=np.float32)
        values -= shift
        return values

    def to_json(self) -> dict[str, Any]:
        """Settings as plain JSON values; `from_json` gives back an equal object."""
        plain = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        return {"version": VERSION, **plain}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Preprocessing:
        """The object that `to_json` described; unknown names and versions raise `AsclipError`."""
        settings = dict(record)
        version = settings.pop("version", VERSION)
        if version != VERSION:
            raise AsclipError(
                f"preprocessing of version {version}; this asclip knows version {VERSION}; "
                "update asclip"
            )
        known = [item.name for item in fields(cls)]
        for name in settings:
            if name not in known:
                raise AsclipError(f"preprocessing has no {name!r}; {nearest(str(name), known)}")
        return cls(**settings)

    def describe(self) -> list[tuple[str, str]]:
        """(step, what it does) in words with units, for cards and logs."""
        return describe(self)
