"""Few-shot curves as one page: a small plot a method, and what it gains at the largest amount."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asclip import __version__
from asclip.adapt.draws import NONE
from asclip.adapt.rows import Row
from asclip.adapt.summary import Line, summary
from asclip.card import plots
from asclip.card.words import readable

SIZE = (2.5, 1.75)  # inches
NAMES = {"auroc": "AUROC", "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}
SIDES = {
    "": "",
    "base": ", base classes",
    "new": ", new classes",
    "harmonic": ", harmonic mean of both",
}
LEFT_OUT = ("average_precision",)


def write_few_shot(path: Path, rows: Sequence[Row], about: Mapping[str, str]) -> Path:
    """Write the page of the rows of one question; the path. `about` names run, data and prompts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("asclip", "card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("few_shot.html").render(**view(rows, about))
    path.write_text(page, encoding="utf-8")
    return path


def view(rows: Sequence[Row], about: Mapping[str, str]) -> dict[str, Any]:
    """What the template shows."""
    lines = [line for line in summary(rows) if line.metric not in LEFT_OUT]
    parts = dict.fromkeys((line.metric, line.side) for line in lines)
    drawn = {row.drawn.amount: row.drawn.studies for row in rows if row.drawn.studies}
    amounts = sorted(drawn, key=lambda amount: drawn[amount])
    return {
        "version": __version__,
        "about": dict(about),
        "seeds": len({row.drawn.seed for row in rows if row.drawn.studies}) or 1,
        "methods": len({row.method for row in rows}),
        "amounts": amounts,
        "sections": [_section(metric, side, lines, rows, amounts) for metric, side in parts],
        "why": sorted({row.score.why_nan for row in rows if row.score.why_nan}),
    }


def _section(
    metric: str, side: str, lines: Sequence[Line], rows: Sequence[Row], amounts: Sequence[str]
) -> dict[str, Any]:
    own = [line for line in lines if (line.metric, line.side) == (metric, side)]
    dots = [row for row in rows if (row.score.metric, row.side) == (metric, side)]
    floor = next((line.mean for line in own if line.amount == NONE), math.nan)
    chance = next((row.score.chance for row in dots if row.score.chance is not None), math.nan)
    known = [row.score.value for row in dots if not math.isnan(row.score.value)]
    known += [line.low for line in own if not math.isnan(line.low)]
    known += [line.high for line in own if not math.isnan(line.high)]
    limits = (min(known, default=0.0) - 0.02, max(known, default=1.0) + 0.02)
    methods = dict.fromkeys(line.method for line in own if line.amount != NONE)
    name = f"{metric}-{side}".strip("-")
    return {
        "id": name,
        "title": NAMES.get(metric, readable(metric)) + SIDES[side],
        "floor": _number(floor),
        "panels": [
            {
                "method": method,
                "svg": _panel(f"{name}-{at}", method, own, dots, amounts, (floor, chance), limits),
            }
            for at, method in enumerate(methods)
        ],
        "rows": [_cells(line) for line in own if line.amount == amounts[-1]] if amounts else [],
    }


def _panel(
    name: str,
    method: str,
    lines: Sequence[Line],
    rows: Sequence[Row],
    amounts: Sequence[str],
    levels: tuple[float, float],
    limits: tuple[float, float],
) -> Any:
    """One method's curve with its interval and its seeds, the others in grey behind it."""
    from markupsafe import Markup

    place = {amount: at for at, amount in enumerate(amounts)}
    curves: dict[str, list[Line]] = {}
    for line in lines:
        if line.amount in place and not math.isnan(line.mean):
            curves.setdefault(line.method, []).append(line)
    for some in curves.values():  # a file grows by further calls, in any order
        some.sort(key=lambda one: place[one.amount])
    own = curves.pop(method, [])

    def paint(axes: Any) -> None:
        for other in curves.values():
            axes.plot([place[one.amount] for one in other], [one.mean for one in other],
                      color=plots.GRID, lw=0.9)  # fmt: skip
        for level, colour in zip(levels, (plots.INK, plots.BOUND), strict=True):
            if limits[0] <= level <= limits[1]:
                axes.axhline(level, color=colour, lw=0.8, ls=(0, (4, 2)))
        at = [place[one.amount] for one in own]
        axes.errorbar(
            at, [one.mean for one in own],
            yerr=[[_or_0(one.mean - one.low) for one in own],
                  [_or_0(one.high - one.mean) for one in own]],
            color=plots.ACCENT, lw=1.6, elinewidth=0.9, capsize=2,
        )  # fmt: skip
        dots = [(place[row.drawn.amount], row.score.value) for row in rows
                if row.method == method and row.drawn.amount in place]  # fmt: skip
        axes.plot([x for x, _ in dots], [y for _, y in dots], "o", ms=2.6, mew=0, alpha=0.5,
                  color=plots.ACCENT)  # fmt: skip
        axes.set_xticks(range(len(amounts)), [one.split(" shot")[0] for one in amounts])
        axes.set_xlim(-0.3, len(amounts) - 0.7)
        axes.set_ylim(*limits)

    said = ", ".join(f"{one.amount} {one.mean:.3f}" for one in own)
    return Markup(plots.draw(name, SIZE, paint, alt=f"{method}: {said or 'no score'}"))


def _cells(line: Line) -> dict[str, str]:
    clear = "wins" if line.gain_low > 0 else "loses" if line.gain_high < 0 else ""
    return {
        "method": line.method,
        "mean": _number(line.mean),
        "interval": _range(line.low, line.high, ""),
        "extent": _range(line.lowest, line.highest, "") if line.seeds > 1 else "",
        "gain": _number(line.gain, "+"),
        "gain_interval": _range(line.gain_low, line.gain_high, "+"),
        "kind": clear,
        "seconds": f"{line.seconds:.1f}",
    }


def _or_0(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _number(value: float, sign: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:{sign}.3f}".replace("-", "−")


def _range(low: float, high: float, sign: str) -> str:
    return "" if math.isnan(low) else f"{_number(low, sign)} to {_number(high, sign)}"
