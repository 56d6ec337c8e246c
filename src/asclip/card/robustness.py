"""The robustness block of a card: curves of a score against severity, and what else was tried."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asclip.card.plots import ACCENT, MUTED, Plot, draw
from asclip.card.words import percent, readable
from asclip.types import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DROP = "relative_drop"
CLEAN = ("clean", "all templates")  # labels of what nothing was done to
LEVEL = re.compile(r"^(?P<what>.+)-(?P<level>[1-9])$")  # "blur-3": blur at severity 3
STEPS = {"fgsm": "largest change (grey levels)", "typing": "letters changed in a prompt"}
FEWEST = 3  # severities of a curve


@dataclass(slots=True)
class Tried:
    """One thing that was done: score and relative drop, by severity where it has several (else 0).

    `mean` is the mean drop over severities, where there is one.
    """

    task: str
    what: str
    score: dict[int, Score] = field(default_factory=dict)
    drop: dict[int, Score] = field(default_factory=dict)
    mean: Score | None = None
    clean: Score | None = None

    @property
    def worst(self) -> float:
        """The lowest score; the highest where there is none."""
        known = [one.value for one in self.score.values() if not math.isnan(one.value)]
        return min(known, default=math.inf)


def view(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """For each prompt set its title, the metric, curves (worst first) and rows of all else."""
    sets: dict[str, list[Score]] = {}
    for one in scores:
        if one.metric != "block":
            sets.setdefault(one.prompts.partition(":")[0], []).append(one)
    shown = []
    for number, (name, group) in enumerate(sets.items()):
        curves, rows = split(group)
        metric = next((s.metric for one in curves for s in one.score.values()), "")
        ends = [v for one in curves for s in one.score.values() for v in (s.value, s.low, s.high)]
        ends += [one.clean.value for one in curves if one.clean is not None]
        known = [v for v in ends if not math.isnan(v)] or [0.0, 1.0]
        scale = (min(known), max(known))
        plots = [plot(f"robust{number}-{i}", one, scale) for i, one in enumerate(curves)]
        shown.append(
            {
                "title": name or "Without prompts",
                "metric": axis(metric),
                "plots": plots,
                "rows": [row for one in rows for row in _rows(one)],
                "levels": [row for one in curves for row in _rows(one)],
            }
        )
    return shown


def split(scores: Sequence[Score]) -> tuple[list[Tried], list[Tried]]:
    """What has `FEWEST` severities or more, the lowest score first, and the rest in order."""
    found: dict[tuple[str, str], Tried] = {}
    clean: dict[tuple[str, int], Score] = {}
    series = _series(scores)
    for one in scores:
        match = LEVEL.match(one.label)
        what, level = one.label, 0
        if match and (one.task, match["what"]) in series:
            what, level = match["what"], int(match["level"])
        tried = found.setdefault((one.task, what), Tried(one.task, what))
        if one.label in CLEAN:
            clean[one.metric, one.n] = one
        if one.metric == DROP and not level and (one.task, what) in series:
            tried.mean = one
        else:
            (tried.drop if one.metric == DROP else tried.score)[level] = one
    curves = [one for key, one in found.items() if key in series]
    for one in curves:
        first = next(iter(one.score.values()))
        one.clean = clean.get((first.metric, first.n))
    rest = [one for key, one in found.items() if key not in series]
    return sorted(curves, key=lambda one: one.worst), rest


def _series(scores: Sequence[Score]) -> set[tuple[str, str]]:
    """(task, what) of the labels that count severities 1, 2, 3 ... up."""
    levels: dict[tuple[str, str], set[int]] = {}
    for one in scores:
        match = LEVEL.match(one.label)
        if match and one.metric != DROP and not math.isnan(one.value):
            levels.setdefault((one.task, match["what"]), set()).add(int(match["level"]))
    return {key for key, some in levels.items() if len(some) >= FEWEST and max(some) == len(some)}


def _rows(tried: Tried) -> list[dict[str, Any]]:
    """Cells of a table: what was done, the score, the drop, n."""
    kind = readable(tried.task.removeprefix("robustness-"))
    return [
        {
            "kind": kind,
            "what": plain(tried.what) + (f", severity {level}" if level else ""),
            "score": tried.score.get(level),
            "drop": tried.drop.get(level),
            "metric": axis(tried.score[level].metric) if level in tried.score else "",
            "n": (tried.score.get(level) or tried.drop[level]).n,
        }
        for level in sorted({*tried.score, *tried.drop})
    ]


def plot(name: str, tried: Tried, scale: tuple[float, float]) -> Plot:
    """A curve with intervals on the common `scale`; dashed is the value of untouched studies."""
    low, high = scale
    margin = 0.05 * ((high - low) or 1.0)
    start = [(0, tried.clean)] if tried.clean is not None else []
    points = [*start, *sorted(tried.score.items())]

    def paint(axes: Axes) -> None:
        axes.grid(axis="y")
        if tried.clean is not None:
            axes.axhline(tried.clean.value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot([x for x, _ in points], [s.value for _, s in points], color=ACCENT, marker="o",
                  markersize=3.4, linewidth=1.3)  # fmt: skip
        for x, one in points:
            if not math.isnan(one.low):
                axes.plot([x, x], [one.low, one.high], color=ACCENT, linewidth=1)
        axes.set_xticks([x for x, _ in points])
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel(STEPS.get(tried.what, "severity"))
        axes.set_ylabel(axis(points[-1][1].metric))

    alt = f"{plain(tried.what)}: {axis(points[-1][1].metric)} " + ", ".join(
        f"{one.value:.2f} at {x}" for x, one in points
    )
    lost = f", mean loss {percent(tried.mean.value, 0)}" if tried.mean is not None else ""
    caption = f"{plain(tried.what)}|n = {points[-1][1].n:,}{lost}"
    return Plot(draw(name, (2.2, 1.75), paint, alt=alt), caption)


def plain(name: str) -> str:
    """A name of a corruption as words.

    >>> plain("dead-rows"), plain("jpeg")
    ('dead rows', 'JPEG')
    """
    return {"jpeg": "JPEG", "fgsm": "adversarial step"}.get(name, readable(name.replace("-", " ")))


def axis(metric: str) -> str:
    """A metric as the label of an axis."""
    return readable(metric).replace("auroc", "AUROC")
