"""The figures of a card: prevalences, AUROC with intervals; curves.py has those of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asclip.card.plots import ACCENT, BOUND, GRID, MUTED, PAPER, Plot, draw
from asclip.card.tables import LabelRow, LabelTable
from asclip.card.words import readable
from asclip.types import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def prevalences(rows: Sequence[tuple[str, float, str]]) -> Plot:
    """Bars of (label, share, text at the bar's end)."""
    top = max(share for _, share, _ in rows)

    def paint(axes: Axes) -> None:
        place = np.arange(len(rows))[::-1]
        axes.barh(place, [100 * share for _, share, _ in rows], height=0.62, color=ACCENT)
        for y, (_, share, text) in zip(place, rows, strict=True):
            axes.annotate(
                text, (100 * share, y), (3, 0), textcoords="offset points", va="center",
                fontsize=8, color=MUTED,
            )  # fmt: skip
        axes.set_yticks(place, [readable(label) for label, _, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 100 * top * 1.3 or 1)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("studies with the label, of those that state it (%)")

    alt = "Prevalence of each label: " + "; ".join(f"{name} {text}" for name, _, text in rows)
    return Plot(draw("prevalence", (4.3, 0.6 + 0.215 * len(rows)), paint, alt=alt), "Prevalence")


def forest(name: str, table: LabelTable) -> Plot:
    """AUROC of each label as a dot with its interval, the bound beside it, chance as a line.

    A label without AUROC is left to the table, which gives the reason.
    """
    rows = [row for row in table.rows if row.auroc and not math.isnan(row.auroc.value)]
    rows += [table.macro] if table.macro else []
    place = np.arange(len(rows))[::-1].astype(float)
    if table.macro:
        place[-1] -= 0.35

    def paint(axes: Axes) -> None:
        axes.grid(axis="x")
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        shift = 0.17 if table.has_bound else 0.0
        for y, row in zip(place, rows, strict=True):
            _whisker(axes, y + shift, row.auroc, ACCENT, "o", heavy=row is table.macro)
            _whisker(axes, y - shift, row.bound, BOUND, "D", heavy=row is table.macro)
        if table.macro:
            axes.axhline(float(place[-1]) + 0.67, color=GRID, linewidth=0.8)
        axes.set_yticks(place, [_tick(row) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(float(place[-1]) - 0.6, len(rows) - 0.4)
        axes.set_xlim(_lowest(rows), 1.0)
        axes.set_xlabel("AUROC, 95 % interval over patients")

    alt = f"{table.title}: AUROC per label. " + "; ".join(
        f"{row.label} {row.auroc.value:.2f}" for row in rows if row.auroc
    )
    size = (4.4, 0.62 + 0.235 * len(rows))
    return Plot(draw(name, size, paint, alt=alt), table.title)


def _tick(row: LabelRow) -> str:
    name = "mean over labels" if row.label == "macro" else readable(row.label) or "all"
    if row.label == "macro" or row.positives is None:
        return name
    return f"{name}  (n⁺ {row.positives})"


def _whisker(
    axes: Axes, y: float, score: Score | None, colour: str, marker: str, *, heavy: bool
) -> None:
    if score is None or math.isnan(score.value):
        return
    if not math.isnan(score.low):
        axes.plot([score.low, score.high], [y, y], color=colour, linewidth=1.7 if heavy else 1.2)
    size = 5.2 if marker == "o" else 4.2
    face = colour if marker == "o" else PAPER
    axes.plot(score.value, y, marker, color=colour, markersize=size, markerfacecolor=face)


def _lowest(rows: Sequence[LabelRow]) -> float:
    values = [
        value
        for row in rows
        for score in (row.auroc, row.bound)
        if score is not None
        for value in (score.low, score.value)
        if not math.isnan(value)
    ]
    return max(0.0, math.floor(min([0.45, *values]) * 20 - 0.2) / 20)
