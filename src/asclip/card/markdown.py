"""Numbers and tables as Markdown, and a page whose marked places are filled."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from asclip.errors import DataError

Table = Callable[..., list[str]]


def number(value: float, sign: str = "") -> str:
    """As .523, with its sign where asked for.

    >>> number(0.5234), number(-0.1, "+"), number(float("nan"))
    ('.523', '−.100', 'not known')
    """
    said = f"{round(value, 3) + 0.0:{sign}.3f}".replace("-", "−")  # + 0.0: no minus before zero
    return "not known" if math.isnan(value) else re.sub(r"^([+−]?)0\.", r"\1.", said)


def interval(low: float, high: float, sign: str = "") -> str:
    """As [.1, .2]; empty where there is none.

    >>> interval(0.1, 0.2, "+")
    '[+.100, +.200]'
    """
    return "" if math.isnan(low) else f"[{number(low, sign)}, {number(high, sign)}]"


def head(*cells: str) -> list[str]:
    """The first two lines of a table.

    >>> head("a", "b")
    ['| a | b |', '| --- | --- |']
    """
    return [line(*cells), "|" + " --- |" * len(cells)]


def line(*cells: str) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def filled(page: str, word: str, tables: Mapping[str, Table], known: Mapping[str, object]) -> str:
    """The page with new lines in each place `<!-- word KIND NAME... -->` to `<!-- end -->`.

    `tables[KIND]` makes the lines of {NAME: known[NAME]}.

    Raises:
        DataError: a place asks for an unknown table, or for a name that is not known.
    """
    place = re.compile(rf"(<!-- {word} (\S+) ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)

    def lines(match: re.Match[str]) -> str:
        kind, names = match[2], match[3].split()
        absent = [name for name in names if name not in known]
        if kind not in tables or absent or not names:
            raise DataError(
                f"a place must name one of {', '.join(tables)} and files that are given, got "
                f"{match[1].strip()!r}; give the file, or correct the place"
            )
        return f"{match[1]}{chr(10).join(tables[kind]({n: known[n] for n in names}))}\n{match[4]}"

    return place.sub(lines, page)
