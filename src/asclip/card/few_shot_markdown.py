"""Few-shot curves as tables of a Markdown page, in the places that the page marks.

`python -m asclip.card.few_shot_markdown PAGE.md FILE.json...` writes the page anew. FILE.json are
files of `asclip adapt`; a place lies between two comments and names files by their stem:

    <!-- few-shot shots FILE -->      macro AUROC at each K, the gain on zero-shot at the largest
    <!-- few-shot fractions FILE -->  the same over shares of the labelled patients
    <!-- few-shot base-new FILE -->   both sides and their harmonic mean at the largest K
    <!-- few-shot seconds FILE... --> seconds of a fit at the largest K, a column a file
    <!-- end -->
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from asclip.adapt.draws import NONE
from asclip.adapt.few_shot import FLOOR
from asclip.adapt.registry import ADAPTERS
from asclip.adapt.rows import Row
from asclip.adapt.summary import Line, summary
from asclip.card import markdown
from asclip.errors import AsclipError, DataError

SIDES = ("base", "new", "harmonic")
Cells = Mapping[tuple[str, str], Line]


def filled(page: str, files: Mapping[str, Sequence[Row]]) -> str:
    """The page with a table in each of its places; `files` are rows by the name of their file.

    Raises:
        DataError: a place asks for an unknown table, or for a file that is not there.
    """
    return markdown.filled(page, "few-shot", TABLES, files)


def shots(files: Mapping[str, Sequence[Row]]) -> list[str]:
    """Zero-shot, a line an adapter, who is not above zero-shot, and what was not run."""
    (rows,) = files.values()
    cells, seeds = _cells(rows, "auroc"), _seeds(rows)
    drawn = {row.drawn.amount: row.drawn.studies for row in rows if row.drawn.studies}
    amounts = sorted(drawn, key=lambda amount: drawn[amount])
    studies = ", ".join(f"{drawn[amount]}" for amount in amounts)
    asked = max(row.score.n for row in rows)  # 0 where nothing was fitted
    text = [
        f"{asked} test studies; {studies} training studies. Zero-shot {_floor(rows)}.",
        "",
        *markdown.head("adapter", *amounts, f"over zero-shot at {amounts[-1]} [95 %]"),
    ]
    for name in _methods(rows):
        end = cells.get((name, amounts[-1]))
        values = [_mean(cells.get((name, amount)), seeds) for amount in amounts]
        text.append(markdown.line(f"`{name}`", *values, _gain(end) if end else "not run"))
    few = next((dict(row.drawn.short) for row in rows if row.drawn.amount == amounts[-1]), {})
    if few:
        named = ", ".join(f"{name} ({count})" for name, count in few.items())
        text += ["", f"At {amounts[-1]} these have fewer patients, all of whom are used: {named}."]
    return [*text, *_behind(rows, cells, amounts[-1]), *_missing(rows, cells, amounts)]


def base_new(files: Mapping[str, Sequence[Row]]) -> list[str]:
    """Accuracy among the classes of a side (AUROC of labels), and the harmonic mean's gain."""
    (rows,) = files.values()
    metric = "accuracy" if any(row.score.metric == "accuracy" for row in rows) else "auroc"
    most = max(rows, key=lambda row: row.drawn.studies).drawn.amount
    text = markdown.head("adapter", *SIDES, "harmonic mean over zero-shot's [95 %]")
    sides = [_cells(rows, metric, side) for side in SIDES]
    for name in (FLOOR, *_methods(rows)):
        amount = NONE if name == FLOOR else most
        lines = [side.get((name, amount)) for side in sides]
        gain = "" if name == FLOOR or lines[-1] is None else _gain(lines[-1])
        seeds = 1 if name == FLOOR else _seeds(rows)
        text.append(markdown.line(f"`{name}`", *(_mean(line, seeds) for line in lines), gain))
    return text


def seconds(files: Mapping[str, Sequence[Row]]) -> list[str]:
    """A line an adapter."""
    names = _methods([row for rows in files.values() for row in rows])
    text = markdown.head("adapter", *files)
    for name in names:
        found = []
        for rows in files.values():
            own = [row for row in rows if row.method == name]
            most = max((row.drawn.studies for row in own), default=0)
            spent = [row.seconds for row in own if row.drawn.studies == most]
            found.append(f"{sum(spent) / len(spent):.1f}" if spent else "not run")
        text.append(markdown.line(f"`{name}`", *found))
    return text


TABLES: dict[str, markdown.Table] = {
    "shots": shots,
    "fractions": shots,
    "base-new": base_new,
    "seconds": seconds,
}


def _behind(rows: Sequence[Row], cells: Cells, amount: str) -> list[str]:
    """One line for each adapter whose interval is not above zero-shot: by seed, and why unsure."""
    text = []
    for name in _methods(rows):
        line = cells.get((name, amount))
        if line is None or line.gain_low > 0 or (math.isnan(line.gain_low) and line.gain > 0):
            continue  # one draw, or all studies: no interval
        pairs = [
            row.score.value - line.mean + line.gain
            for row in sorted(rows, key=lambda row: row.drawn.seed)
            if (row.method, row.drawn.amount, row.score.metric) == (name, amount, "auroc")
        ]
        said = ", ".join(markdown.number(one, "+") for one in pairs)
        if line.gain_high < 0:
            verdict = "below zero-shot"
        elif min(pairs) > 0:
            verdict = "above in every draw, by amounts that differ too much"
        elif max(pairs) < 0:
            verdict = "below in every draw, by amounts that differ too much"
        else:
            verdict = "above in some draws and not in others"
        text.append(f"- `{name}`: {_gain(line)}; by seed {said}: {verdict}.")
    head = ["", f"Not above zero-shot at {amount}, which has {_floor(rows)}:", ""]
    return head + text if text else []


def _missing(rows: Sequence[Row], cells: Cells, amounts: Sequence[str]) -> list[str]:
    """Which adapters were not run at which amounts; those that lack the same together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in _methods(rows):
        absent = tuple(amount for amount in amounts if (name, amount) not in cells)
        groups.setdefault(absent, []).append(f"`{name}`")
    said = [f"at {', '.join(some)}: {', '.join(names)}" for some, names in groups.items() if some]
    there = {row.method.split(":")[0] for row in rows}
    never = [f"`{name}`" for name in ADAPTERS if name not in there]
    said += [f"at any amount: {', '.join(never)}"] if never else []
    return ["", f"Not run {'; '.join(said)}."] if said else []


def _cells(rows: Sequence[Row], metric: str, side: str = "") -> dict[tuple[str, str], Line]:
    return {
        (line.method, line.amount): line
        for line in summary(rows)
        if (line.metric, line.side) == (metric, side)
    }


def _methods(rows: Sequence[Row]) -> list[str]:
    """Names as they were asked for, in the order of the table of adapters, without the floor."""
    order = list(ADAPTERS)
    names = dict.fromkeys(row.method for row in rows if row.method != FLOOR)
    return sorted(names, key=lambda name: order.index(name.split(":")[0]))


def _floor(rows: Sequence[Row]) -> str:
    """Zero-shot's AUROC with its interval over test patients."""
    for row in rows:
        if row.method == FLOOR and row.score.metric == "auroc":
            score = row.score
            about = markdown.interval(score.low, score.high)
            return f"{markdown.number(score.value)} {about} over test patients"
    return "not run"


def _gain(line: Line) -> str:
    about = markdown.interval(line.gain_low, line.gain_high, "+")
    said = f"{markdown.number(line.gain, '+')} {about}".strip()
    return f"**{said}**" if line.gain_low > 0 else said


def _mean(line: Line | None, seeds: int) -> str:
    """The mean, with how many of the file's seeds it is of where these are not all."""
    if line is None:
        return "not run"
    part = f" ({line.seeds} of {seeds})" if 0 < line.seeds < seeds else ""
    return markdown.number(line.mean) + part


def _seeds(rows: Sequence[Row]) -> int:
    return len({row.drawn.seed for row in rows if row.drawn.studies})


def read(path: Path) -> list[Row]:
    """The rows of a file of `asclip adapt`.

    Raises:
        DataError: it is none.
    """
    try:
        return [Row.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path.name} must be a file of few-shot scores, got {error!r}; give one that `asclip "
            "adapt` has written"
        ) from None


def main(words: Sequence[str]) -> None:
    """Write the page that is named first anew from the files named behind it."""
    if len(words) < 2:
        raise DataError(f"a page and at least one file must be named, got {len(words)} names")
    page, *files = map(Path, words)
    found = filled(page.read_text(encoding="utf-8"), {file.stem: read(file) for file in files})
    page.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (AsclipError, OSError) as error:
        sys.exit(str(error))
