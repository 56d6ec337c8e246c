"""Label cells -> 1, 0 or NaN (not stated).

Source of the uncertain -1: CheXpert, Irvin et al. 2019, arXiv:1901.07031, section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from asclip.data.sources.reading import Cell
from asclip.errors import DataError

POSITIVE = frozenset({"1", "true", "yes", "present", "positive"})
NEGATIVE = frozenset({"0", "false", "no", "absent", "negative"})
NOT_STATED = frozenset(
    {"", "nan", "na", "n/a", "null", "none", "-1", "uncertain", "unknown", "not stated"}
)
SEPARATORS = ("|", ";", ",")
NAN = float("nan")


def parse(value: Cell, *, row: int, column: str) -> float:
    """1.0, 0.0, or NaN for a blank, 'nan' or uncertain (-1) cell.

    >>> parse("1.0", row=1, column="mass"), parse("absent", row=1, column="mass")
    (1.0, 0.0)

    Raises:
        DataError: any other value; the message has its place and kind, not the value itself.
    """
    word = value.lower() if isinstance(value, str) else "|".join(value)
    try:
        number = float(word)
        if number.is_integer() and abs(number) < 10:
            word = str(int(number))
    except (ValueError, OverflowError):
        number = NAN
    if word in POSITIVE:
        return 1.0
    if word in NEGATIVE:
        return 0.0
    if word in NOT_STATED:
        return NAN
    kind = f"a text of {len(word)} characters" if math.isnan(number) else "another number"
    raise DataError(
        f"a label must be 1, 0, true, false, yes, no, present, absent, blank, nan or -1 "
        f"(uncertain); data row {row}, column {column!r} has {kind}. For a cell with label names "
        f"use --map labels={column}"
    )


def separator(cells: Sequence[Cell]) -> str:
    """What separates label names: the first of '|', ';', ',' that any cell holds.

    >>> separator(["mass", "mass|effusion, left"])
    '|'
    """
    texts = [cell for cell in cells if isinstance(cell, str)]
    return next((sign for sign in SEPARATORS if any(sign in text for text in texts)), "|")


def names(cell: Cell, sign: str) -> tuple[str, ...]:
    """The label names of one cell, each once; () where the cell states nothing.

    >>> names("COVID-19, ARDS", ",")
    ('COVID-19', 'ARDS')
    """
    if isinstance(cell, str):
        if cell.lower() in ("", "nan", "na", "n/a", "null"):
            return ()
        cell = [part.strip() for part in cell.split(sign)]
    return tuple(dict.fromkeys(part for part in cell if part))


def agree(old: float, new: float) -> float | None:
    """Two rows' word on one label of one study; None when one says 1 and the other 0."""
    if math.isnan(old):
        return new
    if math.isnan(new) or old == new:
        return old
    return None
