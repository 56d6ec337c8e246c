"""Reliability diagrams: share of positives against probability, with the studies of each bin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.card.plots import ACCENT, BOUND, MUTED, PAPER, THIRD, VARIABLES, Plot, draw
from asclip.card.words import readable
from asclip.data import atomic
from asclip.metrics.calibration import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (3.4, 4.3)
STYLES = ((BOUND, "o", "-"), (ACCENT, "s", (0, (3, 2))), (THIRD, "D", "-"))


def diagram(name: str, title: str, tables: Mapping[str, Reliability]) -> Plot:
    """The curves of up to three `tables` by their name, the identity, and counts below.

    A dot is a bin at its mean probability; its bar is the share's 95 % Wilson interval, which takes
    answers as independent. An answer is a study's probability of one label.
    """

    def paint(axes: Axes) -> None:
        figure: Figure = axes.figure  # pyright: ignore[reportAssignmentType]
        axes.remove()
        upper, lower = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (3.2, 1), "hspace": 0.04}
        )
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for style, (label, table) in zip(STYLES, tables.items(), strict=False):
            _curve(upper, table, style, f"{label}: ECE {table.error:.2f}")
            # Steps and not bars: several counts can be read over each other.
            lower.stairs(table.n, table.edges, color=style[0], linestyle=style[2], linewidth=1.2)
        upper.set_xlim(-0.02, 1.02)
        upper.set_ylim(-0.02, 1.02)
        upper.grid()
        upper.set_ylabel("share with the finding")
        number = int(next(iter(tables.values())).n.sum())
        upper.set_title(f"{readable(title)}\n(n = {number:,} answers)")
        upper.legend(loc="upper left", handlelength=1.6, borderpad=0.1, labelspacing=0.3)
        # Most answers stand in the lowest bin; on a plain scale the others would not be seen.
        lower.set_yscale("symlog", linthresh=1)
        top = max(int(table.n.max()) for table in tables.values())
        ticks = [t for t in (0, 1, 10, 100, 1_000, 10_000, 100_000) if t <= max(top, 1)]
        lower.set_yticks(ticks, [f"{t:,}" for t in ticks])
        lower.minorticks_off()
        lower.set_ylim(0, 2 * max(top, 1))
        lower.set_ylabel("answers")
        lower.set_xlabel("probability")

    said = "; ".join(f"{label}: {_said(table)}" for label, table in tables.items())
    alt = f"Reliability diagram of {readable(title)}. {said}"
    return Plot(draw(name, SIZE, paint, alt=alt), readable(title))


def write(path: Path, plot: Plot) -> Path:
    """The plot as an SVG file that stands alone, on white; the path."""
    colours = ";".join(f"{variable}:{colour}" for colour, variable in VARIABLES.items())
    style = f"<style>svg{{{colours};font-family:sans-serif;background:{PAPER}}}</style>"
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, plot.svg.replace(">", f">{style}", 1).encode("utf-8"))
    return path


def _curve(axes: Axes, table: Reliability, style: tuple[str, str, Any], label: str) -> None:
    colour, marker, line = style
    filled = table.n > 0
    x, share = table.confidence[filled], table.frequency[filled]
    low, high = _wilson(share, table.n[filled])
    axes.vlines(x, low, high, color=colour, linewidth=0.9, alpha=0.55)
    axes.plot(
        x, share, color=colour, marker=marker, linestyle=line, markersize=3.4, linewidth=1.1,
        label=label,
    )  # fmt: skip


def _wilson(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson 1927: the 95 % interval of a share of n."""
    z = 1.959964
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _said(table: Reliability) -> str:
    filled = np.flatnonzero(table.n)
    bins = ", ".join(
        f"{table.frequency[k]:.2f} at {table.confidence[k]:.2f} ({table.n[k]})" for k in filled
    )
    return f"error {table.error:.3f}; share at probability (studies) {bins}"
