"""What the card tells of training: what was logged, and how the loss comes from its parts."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from asclip.card.curves import composition, curves, pace


def test_curves_are_those_that_were_logged() -> None:
    rows = [{"step": float(i), "loss": 1.0, "val_loss": math.nan} for i in range(5)]
    assert [plot.caption for plot in curves(rows)] == ["Loss"]
    assert pace(rows) == []
    rows = [{**row, "data_wait_share": 0.01, "val_auroc": 0.5, "local": 1.0} for row in rows]
    assert [plot.caption for plot in curves(rows)] == ["Loss and its parts", "Validation"]
    assert [plot.caption for plot in pace(rows)] == ["Waiting for data"]
    assert curves(rows[:1]) == pace(rows[:1]) == curves([]) == []


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0.5, 0.5), "The loss is the mean of its parts, a b and c."),
        ((1.0, 1.0), "The loss is the sum of its parts, a b and c."),
        ((1.0, 0.3), "The loss is the total that is minimised; of its parts a b and c were logged"),
    ],
)
def test_what_the_loss_is_made_of(weights: tuple[float, float], expected: str) -> None:
    rng = np.random.default_rng(0)
    parts = rng.uniform(1, 4, (20, 2))
    rows = [
        {"step": float(i), "loss": float(f"{part @ weights:.6g}"), "a_b": part[0], "c": part[1]}
        | {"scale": 14.0, "local_scale": 9.0, "lr": 0.1, "val_loss": 3.0}
        for i, part in enumerate(parts)
    ]
    assert composition(rows).startswith(expected)
    assert composition([{k: v for k, v in r.items() if k not in ("a_b", "c")} for r in rows]) == ""
    assert composition([]) == ""


def test_steps_are_whole_and_the_legend_covers_nothing() -> None:
    rows = [{"step": float(i), "loss": 1.0 + i, "a": i, "b": 2.0} for i in range(1, 4)]
    (plot,) = curves(rows)
    ticks = re.findall(r"<text[^>]*>([^<]+)</text>", plot.svg)
    assert [one for one in ticks if re.fullmatch(r"[\d.]+", one)][:3] == ["1", "2", "3"]
    heights = {name: _height(plot.svg, name) for name in ("step", "loss", "a", "b")}
    assert min(heights[name] for name in ("loss", "a", "b")) > heights["step"]


def _height(svg: str, text: str) -> float:
    """How far down in a drawing a text stands, in points."""
    found = re.search(rf"<text([^>]*)>{text}</text>", svg)
    assert found, text
    place = re.search(r'(?:y="|translate\([\d.]+[ ,]+)([\d.]+)', found.group(1))
    assert place, found.group()
    return float(place.group(1))
