"""The explanation block of a card: what each method's maps are worth, and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asclip.card import pictures
from asclip.card.content import Explained, Heatmap
from asclip.card.words import readable
from asclip.types import Score

PREFIX = "explain-"
# Metric -> heading and what is better; others stand behind with their own name.
METRICS = {
    "pointing": "pointing ↑",
    "cnr": "contrast to noise ↑",
    "overlap": "overlap ↑",
    "insertion": "insertion ↑",
    "deletion": "deletion ↓",
    "shuffled_all": "all weights shuffled ↓",
}


def view(
    scores: Sequence[Score], explained: Sequence[Explained], *, include_images: bool
) -> dict[str, Any] | None:
    """`sheet`, `metrics` (name, heading), `rows` of (method, scores by metric), `by_label`."""
    scores = [one for one in scores if one.metric != "block"]
    whole: dict[str, dict[str, Score]] = {}
    by_label: dict[str, list[Score]] = {}
    for one in scores:
        method = readable(one.task.removeprefix(PREFIX))
        if one.label in ("", "macro"):
            whole.setdefault(method, {})[one.metric] = one
        elif one.metric == "pointing":
            by_label.setdefault(method, []).append(one)
    if not whole:
        return None
    seen = dict.fromkeys(metric for row in whole.values() for metric in row)
    order = [*(m for m in METRICS if m in seen), *(m for m in seen if m not in METRICS)]
    return {
        "metrics": [(metric, METRICS.get(metric, readable(metric))) for metric in order],
        "rows": list(whole.items()),
        "by_label": by_label,
        "sheet": [_row(one) for one in explained] if include_images else [],
    }


def _row(one: Explained) -> dict[str, Any]:
    maps = [
        (readable(name), pictures.overlay(Heatmap(one.image, one.phrase, heat)).overlay)
        for name, heat in one.maps.items()
    ]
    height, width = one.image.shape[:2]
    return {
        "phrase": one.phrase,
        "width": width,
        "height": height,
        "pictures": [("image", pictures.uri(one.image)), *maps],
        "boxes": [
            (left * width, top * height, (right - left) * width, (bottom - top) * height)
            for left, top, right, bottom in one.boxes.tolist()
        ],
    }
