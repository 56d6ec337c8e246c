"""The explanation block of a card: what each method's maps are worth, and a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from asclip.card import pictures
from asclip.card.content import Explained, Heatmap
from asclip.card.words import readable
from asclip.types import Score

PREFIX = "explain-"
DIGITS = 2
# Metric -> heading and what is better; others stand behind with their own name.
METRICS = {
    "pointing": "pointing, wide box ↑",
    "pointing_strict": "pointing, true box ↑",
    "cnr": "contrast to noise ↑",
    "overlap": "overlap ↑",
    "insertion": "insertion ↑",
    "deletion": "deletion ↓",
}
CHECKS = {
    "shuffled_projection": "projection shuffled ↓",
    "shuffled_upper_half": "upper half shuffled ↓",
    "shuffled_all": "all weights shuffled ↓",
}


def view(
    scores: Sequence[Score], explained: Sequence[Explained], *, include_images: bool
) -> dict[str, Any] | None:
    """`sheet`, tables `worth` and `sanity`, and `by_label`: pairs of pointing scores by method.

    A table is (name, heading) of its metrics and rows of (method, scores by metric).
    """
    scores = [one for one in scores if one.metric != "block"]
    whole: dict[str, dict[str, Score]] = {}
    by_label: dict[str, dict[str, dict[str, Score]]] = {}
    for one in scores:
        method = readable(one.task.removeprefix(PREFIX))
        if one.label in ("", "macro"):
            # A correlation of 0.0001 is no more than 0.00 here.
            shown = replace(one, value=round(one.value, DIGITS) + 0.0)
            whole.setdefault(method, {})[one.metric] = shown
        elif one.metric in ("pointing", "pointing_strict"):
            by_label.setdefault(method, {}).setdefault(one.label, {})[one.metric] = one
    if not whole:
        return None
    seen = dict.fromkeys(metric for row in whole.values() for metric in row)
    rest = {one: readable(one) for one in seen if one not in METRICS | CHECKS}
    return {
        "worth": _table(METRICS | rest, whole),
        "sanity": _table(CHECKS, whole),
        "by_label": by_label,
        "sheet": [_row(one) for one in explained] if include_images else [],
    }


def _table(headings: dict[str, str], whole: dict[str, dict[str, Score]]) -> dict[str, Any]:
    rows = [(name, found) for name, found in whole.items() if headings.keys() & found.keys()]
    known = {metric for _, found in rows for metric in found}
    return {"metrics": [pair for pair in headings.items() if pair[0] in known], "rows": rows}


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
