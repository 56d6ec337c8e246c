"""The text block of a card: the text tower beside a bag of words, as a plot and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asclip.card.plots import ACCENT, BOUND, MUTED, PAPER, Plot, draw
from asclip.card.words import readable
from asclip.types import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = "-words"
# Task, metric, label -> what a reader wants to know; the rows of the plot, in its order.
QUESTIONS = {
    ("negation", "paraphrase_before_contrary", ""): "paraphrase nearer than contrary",
    ("negation", "image_report_before_contrary", ""): "image nearer to report than contrary",
    ("sentence-similarity", "spearman", ""): "similarity of sentences (Spearman)",
    ("entailment", "balanced_accuracy", ""): "entailment (balanced accuracy)",
    ("report-retrieval", "P@5", ""): "reports of same findings (P@5)",
    ("text-probe", "auroc", "macro"): "report → labels (mean AUROC)",
}
TITLES = {
    "negation": "Negation",
    "sentence-similarity": "Sentence similarity",
    "entailment": "Entailment",
    "report-retrieval": "Report retrieval",
    "text-probe": "Report → labels",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One question: the text tower's score and that of a bag of words, None where it has none."""

    title: str
    tower: Score
    words: Score | None


def view(scores: Sequence[Score]) -> dict[str, Any] | None:
    """`plot`, `groups` of rows by task, and `probe`, the rows by label; None without scores."""
    scores = [one for one in scores if one.metric != "block"]
    if not scores:
        return None
    bags = {(one.task, one.metric, one.label): one for one in scores if one.task.endswith(WORDS)}
    groups: dict[str, list[Row]] = {}
    probe: list[Row] = []
    leading: list[Row] = []
    for one in scores:
        if one.task.endswith(WORDS):
            continue
        beside = bags.get((one.task + WORDS, one.metric, one.label))
        key = (one.task, one.metric, one.label)
        if key in QUESTIONS:
            leading.append(Row(QUESTIONS[key], one, beside))
        name = readable(one.metric) + (f", {readable(one.label)}" if one.label else "")
        if one.task == "text-probe" and one.label != "macro":
            probe.append(Row(name, one, beside))
        else:
            groups.setdefault(TITLES.get(one.task, one.task), []).append(Row(name, one, beside))
    order = [*QUESTIONS.values()]
    leading.sort(key=lambda row: order.index(row.title))
    known = [row for row in leading if not math.isnan(row.tower.value)]
    return {"plot": plot(known) if known else None, "groups": groups, "probe": probe}


def plot(rows: Sequence[Row]) -> Plot:
    """Dots of the tower and diamonds of the words with their intervals; chance as a tick."""

    def paint(axes: Axes) -> None:
        axes.grid(axis="x")
        for place, row in enumerate(rows):
            y = -float(place)
            if row.tower.chance is not None:
                axes.plot([row.tower.chance] * 2, [y - 0.34, y + 0.34], color=MUTED, linewidth=1.4)
            whisker(axes, y + 0.13, row.tower, ACCENT, "o")
            if row.words is not None:
                whisker(axes, y - 0.13, row.words, BOUND, "D")
        ticks = [f"{row.title}\n(n = {row.tower.n:,})" for row in rows]
        places = [-float(place) for place in range(len(rows))]
        axes.set_yticks(places, ticks, multialignment="right")
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.5 - len(rows), 0.5)
        lowest = min([0.0, *(s.low for r in rows for s in (r.tower, r.words) if s and s.low < 0)])
        axes.set_xlim(lowest - 0.02, 1.02)
        axes.set_xlabel("share, correlation or AUROC; 95 % interval")

    alt = "Text tower against a bag of words: " + "; ".join(
        f"{row.title} {row.tower.value:.2f}"
        + (f" (words {row.words.value:.2f})" if row.words else "")
        for row in rows
    )
    return Plot(draw("textual", (5.0, 0.6 + 0.4 * len(rows)), paint, alt=alt), "Text block")


def whisker(axes: Axes, y: float, score: Score, colour: str, marker: str) -> None:
    """A value with its interval at height `y`; nothing for NaN."""
    if math.isnan(score.value):
        return
    if not math.isnan(score.low):
        axes.plot([score.low, score.high], [y, y], color=colour, linewidth=1.4)
    face = colour if marker == "o" else PAPER
    size = 5.2 if marker == "o" else 4.2
    axes.plot(score.value, y, marker, color=colour, markersize=size, markerfacecolor=face)
