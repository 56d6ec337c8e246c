"""Boxes of the file on the item: a bright square must be where its moved box says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.data.sources.table import Table
from asclip.errors import DataError
from asclip.files.preprocessing import Preprocessing
from asclip.trust.explain.boxes import boxes_of

PROMPTS = PromptSet(
    "p", "1", "multi-label", {"Mass": ClassPrompts(("mass",)), "Edema": ClassPrompts(("edema",))}
)


def table(folder: Path, shape: tuple[int, int], cells: list[str]) -> Path:
    """A black film for each cell, white in its boxes."""
    rows = []
    for number, cell in enumerate(cells):
        film = np.zeros(shape, np.uint8)
        for box in filter(None, cell.split(";")):
            x, y, right, low = (float(edge) for edge in box.split())
            height, width = shape
            film[
                round(y * height) : round(low * height), round(x * width) : round(right * width)
            ] = 255
        Image.fromarray(film).save(folder / f"{number}.png")
        rows.append({
            "image": f"{number}.png", "text": "x", "patient": f"p{number}", "study": f"s{number}",
            "meta:truth:box mass": cell, "meta:truth:box hernia": "", "meta:age": 3,
        })  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.mark.parametrize("shape", [(60, 80), (90, 50)])
@pytest.mark.parametrize("fit", ["pad", "crop", "squash"])
def test_a_box_goes_where_its_pixels_go(shape: tuple[int, int], fit: str, tmp_path: Path) -> None:
    cells = ["0.4 0.4 0.6 0.6", "0.3 0.5 0.5 0.6; 0.6 0.3 0.7 0.4", ""]
    how = Preprocessing(size=(64, 64), fit=fit, window="full")
    data = ingest(Table(table(tmp_path, shape, cells)), tmp_path / "data", how, workers=0)
    found = boxes_of(data, PROMPTS)
    assert list(found) == ["Mass"]
    for row, count in enumerate((1, 2, 0)):
        boxes = found["Mass"][row]
        assert boxes.shape == (count, 4)
        want = np.zeros((64, 64))
        for x, y, right, low in np.rint(64 * boxes).astype(int):
            want[y:low, x:right] = 255
        item = data.pixels[data.image_rows()[row][0]].astype(float)
        assert np.abs(item - want).mean() < 6


def test_what_a_crop_cuts_off_is_cut_off(tmp_path: Path) -> None:
    cells = ["0.0 0.4 0.1 0.6; 0.2 0.4 0.5 0.6"]
    how = Preprocessing(size=(32, 32), fit="crop")
    data = ingest(Table(table(tmp_path, (50, 100), cells)), tmp_path / "data", how, workers=0)
    np.testing.assert_allclose(boxes_of(data, PROMPTS)["Mass"], [[[0.0, 0.4, 0.5, 0.6]]], atol=0.02)


@pytest.mark.parametrize("cell", ["0.1 0.2 0.3", "a b c d", "0.5 0.1 0.4 0.9", "0 0 1 1; 2 2"])
def test_a_cell_that_is_no_box_is_said(cell: str, tmp_path: Path) -> None:
    good = table(tmp_path, (40, 40), ["0.4 0.4 0.6 0.6"])
    data: Dataset = ingest(Table(good), tmp_path / "data", Preprocessing(size=(32, 32)), workers=0)
    studies = data.studies.assign(**{"meta:truth:box mass": [cell]})
    with pytest.raises(DataError, match="must hold boxes as"):
        boxes_of(replace(data, studies=studies), PROMPTS)
