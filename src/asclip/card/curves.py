"""Training as the log tells it: curves over steps, and what the loss is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from asclip.card.plots import ACCENT, BOUND, FOURTH, INK, MUTED, THIRD, Plot, draw
from asclip.card.words import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NARROW = (3.5, 2.3)
SMALL = (2.3, 1.5)
LEGEND_ROW = 0.17  # inches
MOST_POINTS = 300
NOT_A_PART = frozenset(
    {"step", "epoch", "loss", "lr", "learning_rate", "samples_per_second", "data_wait_share"}
    | {"seconds", "elapsed", "time", "scale", "temperature", "logit_scale", "memory", "grad_norm"}
    | {"gradient_norm", "samples", "bias", "local_scale"}
)


def curves(rows: Sequence[Mapping[str, float]]) -> list[Plot]:
    """Loss with its parts, validation, learning rate: what was logged."""
    columns = _columns(rows)
    validation = {key: v for key, v in columns.items() if key.startswith("val")}
    parts = _parts(columns)
    losses = {**_only(columns, "loss"), **parts}
    losses |= {key: v for key, v in validation.items() if "loss" in key}
    measures = {key: v for key, v in validation.items() if "loss" not in key}
    rate = _only(columns, "lr")
    wanted = [
        ("Loss and its parts" if parts else "Loss", "loss (nats)", losses),
        ("Validation", "score", measures),
        ("Learning rate", "learning rate (10⁻³)", {k: 1e3 * v for k, v in rate.items()}),
    ]
    return _all_lines("curve", NARROW, columns, wanted)


def pace(rows: Sequence[Mapping[str, float]]) -> list[Plot]:
    """Small plots of throughput and of waiting for data, as far as they were logged."""
    columns = _columns(rows)
    wait = _only(columns, "data_wait_share")
    wanted = [
        ("Throughput", "samples / s", _only(columns, "samples_per_second")),
        ("Waiting for data", "share of time (%)", {k: 100 * v for k, v in wait.items()}),
    ]
    return _all_lines("pace", SMALL, columns, wanted)


def composition(rows: Sequence[Mapping[str, float]]) -> str:
    """A sentence on how the loss comes from its parts, as the numbers say; "" without parts."""
    columns = _columns(rows)
    parts = _parts(columns)
    if "loss" not in columns or not parts:
        return ""
    total, values = columns["loss"], np.stack(list(parts.values()))
    known = np.isfinite(total) & np.isfinite(values).all(axis=0)
    total, values = total[known], values[:, known]
    names = [readable(name) for name in parts]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    for made, word in ((values.mean(axis=0), "mean"), (values.sum(axis=0), "sum")):
        # 1e-3: the log keeps about six digits, and a cut-off halves the last ones.
        if len(names) > 1 and total.size and np.allclose(made, total, rtol=1e-3, atol=1e-3):
            return f"The loss is the {word} of its parts, {listed}."
    return f"The loss is the total that is minimised; of its parts {listed} were logged."


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """What was logged at least twice, by name [rows]; `step` is there whenever anything is."""
    columns = {key: _column(rows, key) for key in dict.fromkeys(k for row in rows for k in row)}
    columns = {key: v for key, v in columns.items() if np.isfinite(v).sum() > 1}
    return {"step": np.arange(len(rows), dtype=float), **columns} if columns else {}


def _parts(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k: v for k, v in columns.items() if k not in NOT_A_PART and not k.startswith("val")}


def _all_lines(
    prefix: str,
    size: tuple[float, float],
    columns: Mapping[str, np.ndarray],
    wanted: Sequence[tuple[str, str, dict[str, np.ndarray]]],
) -> list[Plot]:
    """The plots of those (title, unit, lines) that have any line."""
    return [
        _lines(f"{prefix}{i}", size, title, unit, columns["step"], lines)
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
    name: str,
    size: tuple[float, float],
    title: str,
    unit: str,
    step: np.ndarray,
    lines: Mapping[str, np.ndarray],
) -> Plot:
    small = size == SMALL
    rows = math.ceil(len(lines) / 2) if len(lines) > 1 else 0  # of the legend

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
        axes.locator_params(axis="x", integer=True, nbins=4 if small else 9)
        axes.set_ylabel(unit)
        axes.margins(x=0.02)
        if all(np.nanmin(v) >= 0 for v in lines.values()) and "loss" not in lines:
            # A share is read against what matters (5 %), not against its own noise.
            axes.set_ylim(0, max(5.0, axes.get_ylim()[1]) if "%" in unit else None)
        if rows:
            # Below the axes: among the curves it hides one sooner or later.
            axes.get_figure().legend(  # pyright: ignore[reportOptionalMemberAccess]
                loc="outside lower center", ncols=2, handlelength=1.6, borderpad=0.2,
                labelspacing=0.3,
            )  # fmt: skip

    last = ", ".join(f"{readable(key)} {v[np.isfinite(v)][-1]:.3g}" for key, v in lines.items())
    alt = f"{title} against training step, {np.isfinite(step).sum()} rows; last values: {last}"
    size = (size[0], size[1] + LEGEND_ROW * rows)  # the axes keep their height
    return Plot(draw(name, size, paint, alt=alt), title)


def _colours(count: int) -> list[str]:
    return [(ACCENT, BOUND, THIRD, FOURTH, MUTED, INK)[i % 6] for i in range(count)]


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MOST_POINTS` points: means over equal runs of steps, so that noise is averaged."""
    if len(x) <= MOST_POINTS:
        return x, y
    runs = np.array_split(np.arange(len(x)), MOST_POINTS)
    return np.array([x[r].mean() for r in runs]), np.array([y[r].mean() for r in runs])
