"""ROC curves as small multiples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asclip.card.plots import ACCENT, BOUND, MUTED, Plot, draw
from asclip.card.tables import counts
from asclip.card.words import readable
from asclip.types import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROC = 24


def plots(name: str, predictions: Predictions, bound: Predictions | None) -> list[Plot]:
    """One small ROC plot per label with both outcomes, at most `MOST_ROC`, commonest first."""
    found = [(label, counts(predictions, label)) for label in predictions.labels]
    both = [(label, c) for label, c in found if c and 0 < c[0] < c[1]]
    both.sort(key=lambda one: -one[1][0])
    return [
        _roc(f"{name}{i}", label, count, predictions, bound)
        for i, (label, count) in enumerate(both[:MOST_ROC])
    ]


def _roc(
    name: str,
    label: str,
    count: tuple[int, int],
    predictions: Predictions,
    bound: Predictions | None,
) -> Plot:
    x, y = roc_points(predictions, label)
    area = float(np.trapezoid(y, x))

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        if bound is not None and counts(bound, label):
            axes.plot(*roc_points(bound, label), color=BOUND, linewidth=1.1)
        axes.plot(x, y, color=ACCENT, linewidth=1.5)
        axes.set_aspect("equal")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
        axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
        axes.set_xlabel("1 - specificity")
        axes.set_ylabel("sensitivity")
        axes.text(1, 0.04, f"{area:.2f}", ha="right", fontsize=11, color=ACCENT)

    alt = f"ROC curve of {readable(label)}: area {area:.2f}, {count[0]} of {count[1]} positive"
    caption = f"{readable(label)}|{count[0]} of {count[1]}"
    return Plot(draw(name, (1.85, 1.8), paint, alt=alt), caption)


def roc_points(predictions: Predictions, label: str) -> tuple[np.ndarray, np.ndarray]:
    """(1 - specificity, sensitivity) at each distinct score, from (0, 0) to (1, 1).

    Ties give one slanted piece, so that the area equals AUROC with half credit for ties. Corners
    that lie on a straight piece are left out.
    """
    column = predictions.labels.index(label)
    truth = np.asarray(predictions.truth, dtype=float)[:, column]
    score = np.asarray(predictions.scores, dtype=float)[:, column]
    known = np.isfinite(truth) & np.isfinite(score)
    truth, score = truth[known], score[known]
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.append(0, np.cumsum(truth[order])[last])
    x = (np.append(0, last + 1) - hits) / max((truth == 0).sum(), 1)
    y = hits / max((truth == 1).sum(), 1)
    bend = np.diff(x)[:-1] * np.diff(y)[1:] - np.diff(x)[1:] * np.diff(y)[:-1]
    keep = np.concatenate([[True], np.abs(bend) > 1e-12, [True]])[: len(x)]
    return x[keep], y[keep]
