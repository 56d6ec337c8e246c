"""The figures of a card: training curves, prevalences, AUROC with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from asclip.card.plots import ACCENT, BOUND, FOURTH, GRID, INK, MUTED, PAPER, THIRD, Plot, draw
from asclip.card.tables import LabelRow, LabelTable
from asclip.card.words import readable
from asclip.types import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = (3.5, 2.3)
MOST_POINTS = 300
NOT_A_PART = frozenset(
    {"step", "epoch", "loss", "lr", "learning_rate", "samples_per_second", "data_wait_share"}
    | {"seconds", "elapsed", "time", "scale", "temperature", "logit_scale", "memory", "grad_norm"}
    | {"gradient_norm", "samples", "bias"}
)


def curves(rows: Sequence[Mapping[str, float]]) -> list[Plot]:
    """Loss with its parts, validation, throughput, waiting, learning rate: what was logged."""
    if len(rows) < 2:
        return []
    columns = {key: _column(rows, key) for key in dict.fromkeys(k for row in rows for k in row)}
    columns = {key: v for key, v in columns.items() if np.isfinite(v).sum() > 1}
    step = columns.get("step", np.arange(len(rows), dtype=float))
    validation = {key: v for key, v in columns.items() if key.startswith("val")}
    parts = {k: v for k, v in columns.items() if k not in NOT_A_PART and k not in validation}
    losses = {k: v for k, v in {"loss": columns.get("loss"), **parts}.items() if v is not None}
    losses |= {key: v for key, v in validation.items() if "loss" in key}
    measures = {key: v for key, v in validation.items() if "loss" not in key}
    wait = columns.get("data_wait_share")
    rate = _only(columns, "lr")
    wanted = [
        ("Loss and its parts", "loss (nats)", losses),
        ("Validation", "score", measures),
        ("Throughput", "samples / s", _only(columns, "samples_per_second")),
        ("Waiting for data", "share of time (%)", {} if wait is None else {"wait": 100 * wait}),
        ("Learning rate", "learning rate (10⁻³)", {k: 1e3 * v for k, v in rate.items()}),
    ]
    return [
        _lines(f"curve{i}", title, unit, step, lines)
        for i, (title, unit, lines) in enumerate(wanted)
        if lines
    ]


def _only(columns: Mapping[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    return {key: columns[key]} if key in columns else {}


def _column(rows: Sequence[Mapping[str, float]], key: str) -> np.ndarray:
    values = []
    for row in rows:
        try:
            values.append(float(row.get(key, math.nan)))
        except (TypeError, ValueError):
            values.append(math.nan)
    return np.array(values)


def _lines(
    name: str, title: str, unit: str, step: np.ndarray, lines: Mapping[str, np.ndarray]
) -> Plot:
    def paint(axes: Axes) -> None:
        axes.grid(axis="y")
        for (key, values), colour in zip(lines.items(), _colours(len(lines)), strict=True):
            known = np.isfinite(values)
            x, y = _thin(step[known], values[known])
            sparse = len(x) <= 25
            axes.plot(
                x,
                y,
                color=colour,
                linewidth=1.6 if key == "loss" or len(lines) == 1 else 1.2,
                linestyle="--" if key.startswith("val") and "loss" in lines else "-",
                marker="o" if sparse else None,
                markersize=2.6,
                label=readable(key.removeprefix("val_") if "loss" not in lines else key),
            )
        axes.set_xlabel("step")
        axes.set_ylabel(unit)
        axes.margins(x=0.02)
        if all(np.nanmin(v) >= 0 for v in lines.values()) and "loss" not in lines:
            # A share is read against what matters (5 %), not against its own noise.
            axes.set_ylim(0, max(5.0, axes.get_ylim()[1]) if "%" in unit else None)
        if len(lines) > 1:
            axes.legend(loc="best", handlelength=1.6, borderpad=0.2, labelspacing=0.3)

    last = ", ".join(f"{readable(key)} {v[np.isfinite(v)][-1]:.3g}" for key, v in lines.items())
    alt = f"{title} against training step, {np.isfinite(step).sum()} rows; last values: {last}"
    return Plot(draw(name, NARROW, paint, alt=alt), title)


def _colours(count: int) -> list[str]:
    return [(ACCENT, BOUND, THIRD, FOURTH, MUTED, INK)[i % 6] for i in range(count)]


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MOST_POINTS` points: means over equal runs of steps, so that noise is averaged."""
    if len(x) <= MOST_POINTS:
        return x, y
    runs = np.array_split(np.arange(len(x)), MOST_POINTS)
    return np.array([x[r].mean() for r in runs]), np.array([y[r].mean() for r in runs])


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
