"""A volume the whole way: from a DICOM series to a model, its scores and a prediction."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import load, pretrain
from asclip.recipes.evaluation import Encodings, evaluate
from asclip.recipes.pictures import picture, similarity_map
from asclip.recipes.prediction import predict
from scans import KINDS, SHAPE, SPACING, scans

HOW = Preprocessing(SHAPE, window=(-1000.0, 400.0), spacing=SPACING)
FAST = {"steps": 60, "batch": 12, "width": 32, "average": 0.0, "evaluations": 2, "warmup": 0.05}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def volumes(table: Path) -> Path:
    return ingest(Table(table), table.parent / "data", HOW, workers=0).root


@pytest.fixture(scope="module")
def trained(volumes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(volumes, "ct-clip", tmp_path_factory.mktemp("runs") / "ct", FAST)


def test_the_loss_falls(trained: Path) -> None:
    with (trained / "metrics.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.75 * losses[0]
    assert np.isfinite(losses).all()
    parameters = json.loads((trained / "run.json").read_text())["parameters"]
    assert (parameters["image_tower"], parameters["texts"]) == ("tiny-3d", "report")


def test_scores_and_card_are_written(trained: Path) -> None:
    found = evaluate(trained, split="all")
    assert any((s.task, s.label, s.metric) == ("zero-shot", "macro", "auroc") for s in found)
    assert any(s.task == "retrieval" and "R@5" in s.metric and s.pool == 24 for s in found)
    card = next(trained.glob("card*.html")).read_text()
    assert "Z to superior, H to posterior, W to patient left" in card
    assert card.count("data:image") >= 3


def test_a_series_is_predicted_as_in_the_data_set(
    trained: Path, table: Path, volumes: Path
) -> None:
    data = Dataset.open(volumes)
    model = load(trained)
    assert model.preprocessing.size == SHAPE
    assert (model.preprocessing.window, model.preprocessing.spacing) == (HOW.window, SPACING)
    (row,) = predict(trained, [table.parent / "PH000003-1"], "phantom-findings")
    assert set(KINDS) <= set(row["scores"])
    kept = {item.tobytes() for item in data.pixels}
    from asclip.files import read

    assert model.preprocessing(read(table.parent / "PH000003-1")).tobytes() in kept


def test_a_phrase_is_pointed_at_on_the_slice_where_it_is_found(
    trained: Path, volumes: Path
) -> None:
    one = Dataset.open(volumes).take(np.array([0]))
    model = Encodings(load(trained))
    heat = similarity_map(model, one, "Left pleural effusion.")
    assert heat is not None
    assert heat.shape == model.encoder.image.grid == (2, 2, 2)
    item = one.pixels[one.image_rows()[0][0]]
    np.testing.assert_array_equal(picture(one, 0, 0.75), item[12])


@pytest.mark.parametrize("recipe", ["lovt", "mrm"])
def test_methods_with_regions_and_patches_take_volumes(
    recipe: str, volumes: Path, tmp_path: Path
) -> None:
    given = {"image_tower": "tiny-3d", "steps": 1, "batch": 4, "width": 16, "average": 0.0}
    out = pretrain(volumes, recipe, tmp_path / recipe, given)
    parameters = json.loads((out / "run.json").read_text())["parameters"]
    known = {"grid": [2, 2, 2], "pixels": 8 * 16 * 16}
    assert {key: parameters[key] for key in known if key in parameters}
    assert all(parameters[key] == value for key, value in known.items() if key in parameters)
    load(out)


def test_towers_of_other_images_are_refused_with_the_way_out(
    volumes: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"takes pictures.*16 x 32 x 32.*--image-tower tiny-3d"):
        pretrain(volumes, "clip", tmp_path / "flat", {"steps": 1})
    with pytest.raises(ModelError, match=r"takes volumes.*32 x 32; .*--image-tower tiny\)"):
        pretrain(data, "ct-clip", tmp_path / "deep", {"steps": 1})
