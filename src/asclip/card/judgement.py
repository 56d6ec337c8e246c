"""The trust block of a card: calibration, coverage of conformal sets, abstention, subgroups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.card import reliability
from asclip.card.content import Card, Judged
from asclip.card.plots import ACCENT, BOUND, MUTED, Plot, draw
from asclip.card.textual import whisker
from asclip.card.words import number, readable
from asclip.types import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 250
STAGES = ("raw", "temperature", "platt")
ERRORS = {
    "ece": "expected calibration error",
    "adaptive_ece": "the same, bins of equal counts",
    "top_label_ece": "of the likeliest class",
    "brier": "Brier score",
    "log_loss": "log loss (nats)",
}


def view(card: Card) -> list[dict[str, Any]]:
    """For each judged task its title, plots, table of errors and subgroups."""
    shown = []
    for i, one in enumerate(card.judged):
        title = one.title
        plots = []
        if one.reliability:
            plots.append(reliability.diagram(f"reliability{i}", title, one.reliability))
        covered = _coverage(f"coverage{i}", one)
        plots += [covered] if covered else []
        if one.risk[0].size:
            plots.append(_risk(f"risk{i}", one))
        shown.append(
            {
                "title": title,
                "plots": plots,
                "stages": [s for s in STAGES if any(s == _stage(x) for x in one.scores)],
                "errors": errors(one.scores),
                "others": [s for s in one.scores if s.metric == "aurc" and s.label != ""][-1:]
                or [s for s in one.scores if s.metric == "aurc"],
                "groups": groups(one.subgroups),
                "num_clear": sum(_clear(row) for row in one.subgroups),
                "known": sum(_known(row) for row in one.subgroups),
                "rows": [_cells(row) for row in one.subgroups],
            }
        )
    return shown


def _stage(score: Score) -> str:
    return score.metric.rpartition("_")[2]


def errors(scores: Sequence[Score]) -> list[tuple[str, dict[str, Score], Score]]:
    """(name, score by stage, its last one) of each calibration error, mean over labels."""
    found: dict[str, dict[str, Score]] = {}
    for one in scores:
        name, _, stage = one.metric.rpartition("_")
        if name in ERRORS and stage in STAGES and one.label in ("macro", ""):
            found.setdefault(name, {})[stage] = one
    return [(ERRORS[name], found[name], _last(found[name])) for name in ERRORS if name in found]


def _last(by_stage: Mapping[str, Score]) -> Score:
    """The score of the last stage that has one."""
    known = [one for one in by_stage.values() if not math.isnan(one.value)]
    return (known or list(by_stage.values()))[-1]


def groups(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per group: its studies, its labels with an AUROC, their mean, and what differs."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["attribute"], row["group"]), []).append(row)
    return [
        {
            "attribute": readable(attribute),
            "group": group,
            "n": max(row["n"] for row in own),
            "labels": sum(_known(row) for row in own),
            "mean": number(float(np.mean([row["auroc"] for row in own if _known(row)])))
            if any(_known(row) for row in own)
            else "–",
            "lower": sum(row["gap_high"] < 0 for row in own),
            "higher": sum(row["gap_low"] > 0 for row in own),
        }
        for (attribute, group), own in found.items()
    ]


def _known(row: Mapping[str, Any]) -> bool:
    return not math.isnan(row["auroc"])


def _clear(row: Mapping[str, Any]) -> bool:
    return row["gap_low"] > 0 or row["gap_high"] < 0


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    def span(low: str, high: str) -> str:
        return "" if math.isnan(row[low]) else f"[{row[low]:.3f}, {row[high]:.3f}]"

    return {
        "label": readable(row["label"]),
        "group": f"{readable(row['attribute'])} {row['group']}",
        "counts": f"{row['positives']:,} / {row['n']:,}",
        "auroc": number(row["auroc"]),
        "interval": span("low", "high"),
        "gap": "" if math.isnan(row["gap"]) else f"{row['gap']:+.3f}".replace("-", "−"),
        "gap_interval": span("gap_low", "gap_high"),
        "why": row["why_nan"],
    }


def _coverage(name: str, judged: Judged) -> Plot | None:
    """Coverage of the sets among studies with and without each label, against what was promised."""
    at = f"@{judged.promised:g}"
    with_, without = (
        {s.label: s for s in judged.scores if s.metric == f"{metric}{at}"}
        for metric in ("conformal_present", "conformal_absent")
    )
    whole = [(m, s) for m in ("lac", "aps") for s in judged.scores
             if s.metric == f"conformal_{m}{at}"]  # fmt: skip
    labels = [
        label
        for label, one in with_.items()
        if label != "macro" and not (math.isnan(one.value) and math.isnan(without[label].value))
    ]
    rows = [(readable(label), with_[label], without[label]) for label in labels]
    rows += [(m.upper(), one, None) for m, one in whole if not math.isnan(one.value)]
    if not rows:
        return None

    def paint(axes: Axes) -> None:
        axes.grid(axis="x")
        axes.axvline(judged.promised, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for place, (_, one, other) in enumerate(rows):
            whisker(axes, 0.17 - place, one, ACCENT, "o")
            if other is not None:
                whisker(axes, -0.17 - place, other, BOUND, "D")
        ticks = [
            f"{label}  ({one.n:,} · {other.n:,})" if other else f"{label}  ({one.n:,})"
            for label, one, other in rows
        ]
        axes.set_yticks([-float(place) for place in range(len(rows))], ticks)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.6 - len(rows), 0.6)
        low = min(s.low for _, a, b in rows for s in (a, b) if s and not math.isnan(s.low))
        axes.set_xlim(max(0.0, min(low, judged.promised - 0.1) - 0.02), 1.01)
        axes.set_xlabel(f"coverage, 95 % interval; promised {judged.promised:g}")
        axes.set_title("Coverage of conformal sets")

    alt = f"Coverage of conformal sets, promised {judged.promised:g}: " + "; ".join(
        f"{label} {one.value:.2f}" + (f" and {other.value:.2f}" if other else "")
        for label, one, other in rows
    )
    size = (3.9, max(1.6, 0.75 + 0.235 * len(rows)))
    return Plot(draw(name, size, paint, alt=alt), "Coverage")


def _risk(name: str, judged: Judged) -> Plot:
    """Share of wrong answers among those kept, the surest first."""
    coverage, risk = judged.risk
    rows = np.unique(np.linspace(0, len(coverage) - 1, MOST_POINTS).astype(int))

    def paint(axes: Axes) -> None:
        axes.grid()
        axes.axhline(100 * risk[-1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(100 * coverage[rows], 100 * risk[rows], color=ACCENT, linewidth=1.5)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, max(100 * float(risk[rows].max()) * 1.08, 1))
        axes.set_xlabel("answers kept, the surest first (%)")
        axes.set_ylabel("wrong among them (%)")
        axes.set_title(f"Risk and coverage\n(n = {len(coverage):,} answers)")

    alt = f"Risk against coverage: {risk[-1]:.3f} of all {len(coverage)} answers are wrong, " + (
        f"{risk[len(risk) // 2]:.3f} of the surer half"
    )
    return Plot(draw(name, (3.2, 2.6), paint, alt=alt), "Risk and coverage")
