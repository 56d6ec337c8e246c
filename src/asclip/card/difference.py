"""Two runs on the same studies as one page: a forest of differences for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from asclip import __version__
from asclip.card.page import put
from asclip.card.plots import ACCENT, GRID, MUTED, PAPER, Plot, draw
from asclip.card.words import number, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
MEANS = ("macro", "")


class Comparable(Protocol):
    """What the page reads of a comparison of two runs."""

    @property
    def summary(self) -> str:
        """One sentence on how many differences are clear."""
        ...

    def to_json(self) -> dict[str, Any]:
        """first, second, dataset, split, split_hash, rows, notes."""
        ...


def write_difference(path: Path, compared: Comparable) -> Path:
    """Write the page of `recipes.difference.difference`'s result; the path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("asclip", "card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("difference.html")
    return put(path, page.render(**view(compared)))


def view(compared: Comparable) -> dict[str, Any]:
    """What the template shows."""
    found = compared.to_json()
    tasks: dict[str, list[Row]] = {}
    for row in found["rows"]:
        tasks.setdefault(row["task"], []).append(row)
    return {
        "version": __version__,
        "summary": compared.summary,
        **{key: found[key] for key in ("first", "second", "dataset", "split", "split_hash")},
        "notes": found["notes"],
        "tasks": [_task(f"d{i}", name, rows) for i, (name, rows) in enumerate(tasks.items())],
    }


def _task(name: str, title: str, rows: Sequence[Row]) -> dict[str, Any]:
    plotted = [row for row in rows if row["metric"] != "average_precision"]
    return {
        "id": name,
        "title": title[:1].upper() + title[1:],
        "plot": forest(name, title, plotted) if any(map(_known, plotted)) else None,
        "rows": [_cells(row) for row in rows],
    }


def _known(row: Row) -> bool:
    return row["low"] == row["low"]


def forest(name: str, title: str, rows: Sequence[Row]) -> Plot:
    """Differences with their intervals, labels by size and means below; 0 as a line."""
    known = [row for row in rows if _known(row)]
    labels = sorted((r for r in known if r["label"] not in MEANS), key=lambda r: -r["difference"])
    means = [row for row in known if row["label"] in MEANS]
    ordered = [*labels, *means]

    def paint(axes: Axes) -> None:
        axes.grid(axis="x")
        axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for place, row in enumerate(ordered):
            clear = row["low"] > 0 or row["high"] < 0
            wide = 1.9 if row in means else 1.3
            axes.plot([row["low"], row["high"]], [-place] * 2, color=ACCENT, linewidth=wide)
            face = ACCENT if clear else PAPER
            axes.plot(
                row["difference"], -place, "o", color=ACCENT, markersize=5, markerfacecolor=face
            )
        if labels and means:
            axes.axhline(0.5 - len(labels), color=GRID, linewidth=0.8)
        axes.set_yticks([-place for place in range(len(ordered))], [_tick(r) for r in ordered])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.6 - len(ordered), 0.6)
        axes.set_xlabel("difference (second − first), 95 % interval")

    alt = f"{title}: difference of each score. " + "; ".join(
        f"{_tick(row)} {row['difference']:+.3f}" for row in ordered
    )
    size = (4.6, 0.62 + 0.225 * max(2, len(ordered)))
    return Plot(draw(name, size, paint, alt=alt), title)


def _tick(row: Row) -> str:
    if row["label"] not in MEANS:
        return f"{readable(row['label'])}  (n {row['n']:,})"
    mean = "mean " if row["label"] == "macro" else ""
    return f"{mean}{readable(row['metric']).replace('auroc', 'AUROC')}  (n {row['n']:,})"


def _cells(row: Row) -> dict[str, Any]:
    signed = "n/a" if row["why_nan"] else f"{row['difference']:+.3f}".replace("-", "−")
    span = f"{row['low']:+.3f} to {row['high']:+.3f}".replace("-", "−") if _known(row) else ""
    return {
        "metric": readable(row["metric"]),
        "label": "mean over labels" if row["label"] == "macro" else readable(row["label"]),
        "first": number(row["first"]),
        "second": number(row["second"]),
        "difference": signed,
        "interval": span or row["why_nan"],
        "p": f"{row['p']:.2g}" if row["p"] == row["p"] else "",
        "n": f"{row['n']:,}",
        "kind": "wins" if row["low"] > 0 else "loses" if row["high"] < 0 else "",
        "mean": row["label"] == "macro",
    }
