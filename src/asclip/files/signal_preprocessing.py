"""The one recorded way from a signal's file to what a model sees; saved with every model.

1. decode     the file's values, in mV where it says so (`files.signal`)
2. resample   to `rate`, low-passed below half of it (polyphase, scipy.signal.resample_poly)
3. length     the middle `samples`, or NaN on both sides of a shorter one
4. scale      (x - centre) / scale of each lead, clipped to +-`LIMIT`; what is not known becomes 0

Steps 1-3 give the float32 item that a data set caches; step 4 is the tower's, with constants that
were measured once on the training studies. They are the same for every study, so that a low or a
high voltage stays what it is.

Lost are: what is faster than `rate` / 2, what lies outside the middle, values further than `LIMIT`
scales from the centre, and whether a sample was unknown or at the centre.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np

from asclip.errors import AsclipError, FileError
from asclip.types import Signal

LIMIT = 8.0
WIDEST = 200.0  # a file's Hz over the data set's, or the inverse
OUTER = (0.5, 99.5)  # percentiles between which a lead's values span two scales
MEASURED = 2000  # recordings that are looked at for the constants


@dataclass(frozen=True, slots=True)
class SignalPreprocessing:
    """Calling it turns a `Signal` into a float32 item [leads, samples], NaN where not known.

    `rate` Hz of the items; `file_rate` Hz of the files that do not say it (.npy, text), None: such
    files are refused. `centre` and `scale` have a constant for each lead, in the file's unit (mV
    where it is known); they are empty until `measured`, and no part of the `digest`.
    """

    leads: int = 12
    samples: int = 1000
    rate: float = 100.0
    file_rate: float | None = None
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        rates = (self.rate, self.rate if self.file_rate is None else self.file_rate)
        if self.leads < 1 or self.samples < 64 or not all(0 < r < math.inf for r in rates):
            raise AsclipError(
                "a signal must have at least 1 lead, 64 samples and a positive rate in Hz; got "
                f"{self.leads} x {self.samples} at {self.rate} (files: {self.file_rate}) Hz"
            )

    @property
    def item_shape(self) -> tuple[int, int]:
        """(leads, samples)."""
        return self.leads, self.samples

    @property
    def shown(self) -> str:
        """As on the command line: 12x1000@100."""
        return f"{self.leads}x{self.samples}@{self.rate:g}"

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that differ where the items may."""
        steps = {k: v for k, v in self.to_json().items() if k not in ("centre", "scale")}
        return sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain values for dataset.json and model.json."""
        return {**asdict(self), "centre": list(self.centre), "scale": list(self.scale)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SignalPreprocessing:
        """The inverse of `to_json`.

        Raises:
            AsclipError: a field that this version does not know.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise AsclipError(
                f"signals were prepared with {unknown[0]!r}, which this Asclip does not know; "
                "update it"
            )
        constants = {name: tuple(values.get(name, ())) for name in ("centre", "scale")}
        return cls(**{**values, **constants})

    def __call__(self, signal: Signal) -> np.ndarray:
        """The item of a signal.

        Raises:
            FileError: another number of leads, an unknown or an absurd rate, nothing known in the
                middle.
        """
        if len(signal.values) != self.leads:
            raise FileError(
                f"a signal of this data set must have {self.leads} leads, got "
                f"{len(signal.values)}; if all have so many, ingest with --signal "
                f"{replace(self, leads=len(signal.values)).shown}"
            )
        rate = signal.rate if signal.rate == signal.rate else self.file_rate
        if rate is None:
            raise FileError("the file does not say its Hz; give them with --signal-rate HZ")
        if not 1 / WIDEST <= rate / self.rate <= WIDEST:
            raise FileError(f"{rate:g} Hz is too far from the data set's {self.rate:g} Hz")
        item = _middle(_resampled(signal.values, rate, self.rate), self.samples)
        if np.isnan(item).all():
            raise FileError("no sample in the middle of the signal is a number (all are NaN)")
        return item

    def measured(self, items: np.ndarray) -> SignalPreprocessing:
        """The same with the constants of these items [n, leads, samples], half of a lead's span.

        A lead that is never known, or has one value, is only centred.
        """
        if not len(items):
            return replace(self, centre=(0.0,) * self.leads, scale=(1.0,) * self.leads)
        some = items[:: -(-len(items) // MEASURED)]
        centre, scale = [], []
        for lead in range(self.leads):
            known = some[:, lead][~np.isnan(some[:, lead])]
            low, middle, high = np.percentile(known, [OUTER[0], 50, OUTER[1]]) if len(known) else (
                0.0, 0.0, 0.0
            )  # fmt: skip
            centre.append(float(middle))
            scale.append(float(high - low) / 2 or 1.0)
        return replace(self, centre=tuple(centre), scale=tuple(scale))


def _resampled(values: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """[L, T] at `rate` -> [L, T'] float32 at `wanted` Hz; sample k stays at second k / rate."""
    ratio = Fraction(wanted / rate).limit_denominator(1000)
    if ratio == 1:
        return values
    from scipy.signal import resample_poly

    unknown = np.isnan(values)
    filled = values.astype(np.float64)
    steps = np.arange(values.shape[1])
    for lead, gaps in enumerate(unknown):
        if gaps.any():
            known = ~gaps
            line = np.interp(steps, steps[known], filled[lead, known]) if known.any() else 0.0
            filled[lead] = np.where(gaps, line, filled[lead])
    up, down = ratio.numerator, ratio.denominator
    found = resample_poly(filled, up, down, axis=1, padtype="line").astype(np.float32)
    nearest = np.round(np.arange(found.shape[1]) * down / up).astype(np.int64)
    found[unknown[:, np.minimum(nearest, values.shape[1] - 1)]] = np.nan
    return found


def _middle(values: np.ndarray, samples: int) -> np.ndarray:
    """The middle [L, samples], NaN around a shorter one."""
    more = samples - values.shape[1]
    if more > 0:
        sides = (more // 2, more - more // 2)
        values = np.pad(values, ((0, 0), sides), constant_values=np.nan)
    start = (values.shape[1] - samples) // 2
    return np.ascontiguousarray(values[:, start : start + samples], dtype=np.float32)
