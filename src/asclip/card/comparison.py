"""Methods side by side as one page: an overview, then each challenge with its measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asclip import __version__
from asclip.card import plots

ROW = 0.19  # inches a method
BUDGETS = {
    "compute": "All have the same arithmetic: a step that costs twice as many operations is taken "
    "half as often.",
    "steps": "All have the same number of steps, whatever a step costs.",
}


def write_comparison(path: Path, result: dict[str, Any]) -> Path:
    """Write the page of `recipes.compare.compare`'s result; the path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("asclip", "card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path.write_text(environment.get_template("comparison.html").render(**view(result)), "utf-8")
    return path


def view(result: dict[str, Any]) -> dict[str, Any]:
    """What the template shows."""
    table, names = result["table"], list(result["challenges"])
    methods = list(dict.fromkeys(row["method"] for row in table))
    equal = result["equal"]
    counts = sorted({len(row["values"]) for row in table if "values" in row}) or [0]
    count = " to ".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]]))
    return {
        "version": __version__,
        "methods": len(methods),
        "seeds": f"{count} seed{'s' * (count != '1')}",
        "baseline": result["baseline"],
        "equal": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in equal.items()),
        "studies": equal["studies"],
        "steps": equal["steps"],
        "budget": BUDGETS[equal["equal"]],
        "matrix": [
            {"method": m, "cells": [_cell(_leading(table, n, m)) for n in names]} for m in methods
        ],
        "challenges": [_challenge(n, result["challenges"][n], result) for n in names],
    }


def _leading(table: Sequence[dict[str, Any]], name: str, method: str) -> list[dict[str, Any]]:
    return [
        row
        for row in table
        if row["challenge"] == name and row["method"] == method and row["primary"]
    ]


def _cell(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Mean difference of the leading measures; coloured where the interval of all is clear."""
    if not rows:
        return {"text": "–", "kind": "none"}
    if any("error" in row for row in rows):
        return {"text": "cannot run", "kind": "none"}
    if "difference" not in rows[0]:
        return {"text": f"{np.mean([row['mean'] for row in rows]):.3f}", "kind": ""}
    together = rows[0].get("together", rows[0])
    return {"text": _signed(together["difference"]), "kind": _kind(together)}


def _kind(row: dict[str, Any]) -> str:
    if row.get("low", float("nan")) > 0:
        return "wins"
    return "loses" if row.get("high", float("nan")) < 0 else ""


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _range(low: float, high: float) -> str:
    return "" if low != low else f"{_signed(low)} to {_signed(high)}"


def _challenge(name: str, about: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in result["table"] if row["challenge"] == name]
    base = next(r["seconds"] for r in rows if r["method"] == result["baseline"] and "seconds" in r)
    parts = []
    for one in about["measures"]:
        own = [row for row in rows if row["measure"] == one["name"]]
        limits = {key: about[key][one["name"]] for key in ("chance", "counting", "ceiling")}
        parts.append(
            {
                "name": one["name"],
                "primary": one["primary"],
                "lower": one["better"] == "lower",
                "svg": _plot(name, one["name"], own, limits),
                "rows": [_row(row, base) for row in own],
            }
        )
    return {
        "id": name,
        "title": name.replace("_", " ").capitalize(),
        "question": about["question"],
        "family": about["family"],
        "notes": " ".join(about["notes"]),
        "measures": parts,
    }


def _row(row: dict[str, Any], base: float) -> dict[str, Any]:
    if "error" in row:
        return {"method": row["method"], "error": row["error"]}
    shown = {"method": row["method"], "error": "", "mean": f"{row['mean']:.3f}"}
    shown |= {"by_seed": " ".join(f"{v:.2f}" for v in row["values"])}
    shown |= {"time": f"{row['seconds'] / base:.1f} x", "difference": "", "interval": ""}
    shown |= {"patients": "", "kind": "", "against": row["baseline"].partition(":")[2]}
    if "difference" in row:
        shown["difference"] = _signed(row["difference"])
        shown["interval"] = _range(row["low"], row["high"])
        shown["patients"] = _range(*row["patients"])
        better = row if row["better"] == "higher" else {"low": -row["high"], "high": -row["low"]}
        shown["kind"] = _kind(better)
    return shown


def _plot(
    name: str, measure: str, rows: list[dict[str, Any]], limits: dict[str, float | None]
) -> Any:
    """Dots of the seeds and a bar at their mean, a line of methods each, between the limits."""
    from markupsafe import Markup

    good = [row for row in rows if "values" in row]
    sides = {"chance": "left", "counting": "center", "ceiling": "right"}
    colours = {"chance": plots.BOUND, "counting": plots.MUTED, "ceiling": plots.THIRD}

    def paint(axes: Any) -> None:
        for place, row in enumerate(good):
            colour = plots.ACCENT if place else plots.INK
            axes.plot(row["values"], [place] * len(row["values"]), "o", ms=3.2, color=colour,
                      alpha=0.55, mew=0)  # fmt: skip
            axes.plot([row["mean"]] * 2, [place - 0.34, place + 0.34], color=colour, lw=1.8)
        if good:
            axes.axvline(good[0]["mean"], color=plots.INK, lw=0.6, ls=(0, (1, 2)))
        for word, limit in limits.items():
            if limit is not None:
                axes.axvline(limit, color=colours[word], lw=0.8, ls=(0, (4, 2)))
                axes.annotate(word, (limit, 1.0), xycoords=("data", "axes fraction"), fontsize=7,
                              color=colours[word], ha=sides[word], va="bottom")  # fmt: skip
        axes.set_yticks(range(len(good)), [row["method"] for row in good])
        axes.set_ylim(len(good) - 0.4, -0.6)

    alt = f"{measure}: " + ", ".join(f"{row['method']} {row['mean']:.3f}" for row in good)
    size = (4.6, 0.55 + ROW * max(2, len(good)))
    return Markup(plots.draw(f"{name}-{measure}", size, paint, alt=alt))
