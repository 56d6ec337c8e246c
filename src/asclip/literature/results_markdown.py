"""What `asclip compare` found as tables of a Markdown page, in the places that the page marks.

`python -m asclip.literature.results_markdown PAGE.md` writes the page anew from the packaged table:

    <!-- compare counts all -->  how many pairs, how many better and worse than plain CLIP
    <!-- compare wins all -->    a line a challenge: who is better, how many are not
    <!-- compare matrix all -->  the difference to plain CLIP, a line a method, a column a challenge
    <!-- compare pairs all -->   a line a pair: means, difference with its interval, steps
    <!-- end -->
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from asclip.card import markdown
from asclip.literature.results import Result, load

PLAIN = "clip"  # with whichever texts, it is what others are compared with
Known = Mapping[str, Sequence[Result]]


def filled(page: str, results: Sequence[Result]) -> str:
    """The page with a table in each of its places.

    Raises:
        DataError: a place asks for a table that is not known.
    """
    return markdown.filled(page, "compare", TABLES, {"all": results})


def counts(known: Known) -> list[str]:
    """One sentence; methods, challenges and pairs, and on which side their intervals lie."""
    rows = _compared(known)
    sides = [sum(row.verdict == side for row in rows) for side in ("better", "worse", "open")]
    methods, challenges = {row.method for row in rows}, {row.challenge for row in rows}
    return [
        f"{len(rows)} pairs of {len(methods)} methods and {len(challenges)} challenges: {sides[0]} "
        f"better than plain CLIP and {sides[1]} worse with an interval that does not hold zero, "
        f"{sides[2]} open. Of {len(rows)} such intervals about {round(0.05 * len(rows))} hold no "
        "zero by chance."
    ]


def wins(known: Known) -> list[str]:
    """Whose interval lies above zero, the largest difference first, and how many lie elsewhere."""
    rows = _compared(known)
    lines = markdown.head("challenge", "better than plain CLIP", "open", "worse")
    for name in dict.fromkeys(row.challenge for row in rows):
        here = [row for row in rows if row.challenge == name]
        better = sorted(
            (row for row in here if row.verdict == "better"), key=lambda row: -row.difference
        )
        said = ", ".join(f"`{r.method}` {markdown.number(r.difference, '+')}" for r in better)
        counted = (sum(row.verdict == side for row in here) for side in ("open", "worse"))
        lines.append(markdown.line(name.replace("_", " "), said or "none", *map(str, counted)))
    return lines


def matrix(known: Known) -> list[str]:
    """Bold where the interval over seeds does not hold zero; empty where nothing was run."""
    rows = _compared(known)
    columns = list(dict.fromkeys(row.challenge for row in rows))
    found = {(row.method, row.challenge): row for row in rows}
    lines = markdown.head("method", *(name.replace("_", " ") for name in columns))
    for method in dict.fromkeys(row.method for row in rows):
        cells = [_difference(found.get((method, name))) for name in columns]
        lines.append(markdown.line(f"`{method}`", *cells))
    return lines


def pairs(known: Known) -> list[str]:
    """Every pair that was run; a method that had other seeds than three says how many."""
    lines = markdown.head(
        "challenge", "method", "its mean", "plain CLIP on its texts",
        "difference [95 % over seeds]", "steps",
    )  # fmt: skip
    for row in _compared(known):
        many = f" ({row.seeds} seeds)" if row.seeds != 3 else ""
        _, _, texts = row.baseline.partition(":")
        base = markdown.number(row.baseline_mean) + (f" (`{texts}`)" if texts else "")
        said = f"{markdown.number(row.difference, '+')} {markdown.interval(row.low, row.high, '+')}"
        said = said if row.verdict == "open" else f"**{said}**"
        steps = "" if math.isnan(row.steps) else f"{row.steps:.0f}"
        name = f"`{row.method}`{many}"
        mean = markdown.number(row.mean)
        lines.append(markdown.line(row.challenge, name, mean, base, said, steps))
    return lines


TABLES: dict[str, markdown.Table] = {
    "counts": counts,
    "wins": wins,
    "matrix": matrix,
    "pairs": pairs,
}


def _compared(known: Known) -> list[Result]:
    """Without plain CLIP on other texts: it shows what texts do, not what a method does."""
    (rows,) = known.values()
    return [row for row in rows if row.recipe != PLAIN]


def _difference(row: Result | None) -> str:
    if row is None:
        return ""
    said = markdown.number(row.difference, "+")
    return said if row.verdict == "open" else f"**{said}**"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(filled(page.read_text(encoding="utf-8"), load()), encoding="utf-8")
