"""What a `Preprocessing` may hold, and how it is said in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.errors import AsclipError

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing

WINDOWS = ("file", "full", "percentile")
FITS = ("pad", "crop", "squash")
DECODE = {
    "quick": "JPEG 2000 films at the resolution that is enough, all else as stored",
    "full": "as stored",
}
AXES = {2: "(H, W)", 3: "(Z, H, W)"}
_SLICE = re.compile(r"(middle|\d{1,3}%) (axial|coronal|sagittal)")


def describe(made: Preprocessing) -> list[tuple[str, str]]:
    """(step, what it does) in words with units, in the order of the steps."""
    turned = f"as stored; of volumes the {made.slice} slice"
    if made.is_volume:
        turned = "Z to superior, H to posterior, W to patient left"
    if made.spacing is None:
        spacing = "as in the file"
        fit = {
            "pad": "whole field, true aspect, black border",
            "crop": "centre, true aspect",
            "squash": "stretched to the size",
        }[made.fit]
    else:
        spacing = " x ".join(f"{step:g}" for step in made.spacing) + " mm"
        fit = "centre crop or black border"
    size = " x ".join(map(str, made.size)) + " " + AXES[len(made.size)]
    colour = "grey; colour becomes luma (BT.601)" if made.channels == 1 else "grey is repeated"
    return [
        ("decode", f"{DECODE[made.decode]}, bright means dense (MONOCHROME1 mirrored)"),
        ("LUT", "modality LUT or rescale slope and intercept (CT: HU)"),
        ("window", _window_words(made.window)),
        ("orientation", turned),
        ("spacing", spacing),
        ("resize", f"{size}, {fit}, anti-aliased; {colour}"),
        ("normalise", f"(x/255 - mean)/std, mean {_words(made.mean)}, std {_words(made.std)}"),
    ]


def _window_words(window: str | tuple[float, float]) -> str:
    if not isinstance(window, str):
        return f"{window[0]:g} to {window[1]:g} in the file's units (CT: HU)"
    return {
        "file": "the file's first window, else its VOI LUT, else the full 8-bit range, "
        "else percentiles 0.5 to 99.5 of the image",
        "full": "full range of the stored bits",
        "percentile": "percentiles 0.5 to 99.5 of each image",
    }[window]


def _words(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def many(name: str, values: Any) -> tuple[Any, ...]:
    """Several values as a tuple; a single one is refused."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise AsclipError(f"preprocessing: {name} must hold several numbers, got {values!r}")
    return tuple(values)


def whole(name: str, value: Any) -> int:
    """A whole number as int; numpy scalars count as the numbers that they are."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1:
        raise AsclipError(f"preprocessing: {name} must be whole numbers, got {value!r}")
    return int(value)


def floats(name: str, values: Any) -> tuple[float, ...]:
    """Finite numbers as a tuple of floats."""
    try:
        numbers = tuple(float(value) for value in many(name, values))
    except (TypeError, ValueError):
        numbers = (float("nan"),)
    if not all(np.isfinite(number) for number in numbers):
        raise AsclipError(f"preprocessing: {name} must be finite numbers, got {values!r}")
    return numbers


def check(made: Preprocessing) -> None:
    """Raise `AsclipError` for a setting, or a pair of settings, that cannot be."""

    def must(holds: bool, rule: str, got: object) -> None:
        if not holds:
            raise AsclipError(f"preprocessing: {rule}, got {got!r}")

    size, dims = made.size, len(made.size)
    must(dims in AXES and min(size, default=0) > 0, "size must be (H, W) or (Z, H, W)", size)
    must(made.channels in (1, 3), "channels must be 1 or 3", made.channels)
    must(dims == 2 or made.channels == 1, "volumes must have 1 channel", made.channels)
    if isinstance(made.window, str):
        rule = "window must be 'file', 'full', 'percentile' or (low, high)"
        must(made.window in WINDOWS, rule, made.window)
    else:
        good = len(made.window) == 2 and made.window[0] < made.window[1]
        must(good, "window must be (low, high) with low < high", made.window)
    must(made.decode in DECODE, f"decode must be one of {tuple(DECODE)}", made.decode)
    must(made.fit in FITS, f"fit must be one of {FITS}", made.fit)
    if made.spacing is not None:
        good = len(made.spacing) == dims and min(made.spacing) > 0
        must(good, f"spacing must be {dims} positive numbers of mm", made.spacing)
    match = _SLICE.fullmatch(made.slice) if isinstance(made.slice, str) else None
    good = match is not None and (match[1] == "middle" or int(match[1][:-1]) <= 100)
    must(good, "slice must be like 'middle axial' or '30% coronal'", made.slice)
    for name in ("mean", "std"):
        values = getattr(made, name)
        must(len(values) in {1, made.channels}, f"{name} must be 1 or {made.channels} long", values)
    must(min(made.std) > 0, "std must be positive", made.std)
