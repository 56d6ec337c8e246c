from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import load, pretrain
from asclip.recipes.assembly import assemble
from asclip.recipes.options import choose

GIVEN = {"steps": 3, "batch": 32, "evaluations": 1, "width": 16, "image_tower": "micro"}
GIVEN |= {"text_tower": "words"}


@pytest.fixture(scope="module")
def grouped(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn pictures with a column of groups, a third of them of the rare one, one unknown."""
    table = pd.read_csv(data.parent / "reports.csv")
    table["image"] = [str(data.parent / one) for one in table["image"]]
    table["sex"] = np.where(np.arange(len(table)) // 2 % 3 == 0, "F", "M")
    table["age"] = 20 + np.arange(len(table)) % 60
    table.loc[0, "sex"] = None
    folder = tmp_path_factory.mktemp("grouped")
    table.to_csv(folder / "reports.csv", index=False)
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    source = Table(folder / "reports.csv", root="/", mapping={"meta:sex": "sex", "meta:age": "age"})
    return ingest(source, folder / "data", how, workers=0).root


@pytest.mark.parametrize("name", ["fairclip", "group-weights"])
def test_a_recipe_runs_and_its_run_is_used_as_any_other(
    name: str, grouped: Path, tmp_path: Path
) -> None:
    run = pretrain(grouped, name, tmp_path / "run", GIVEN)
    record = json.loads((run / "run.json").read_text())
    assert record["knowledge"]["group:sex"] == ["F", "M"]
    assert record["parameters"]["attribute"] == "sex"
    part = Dataset.open(grouped).split("test")
    assert torch.isfinite(load(run).encode_images(part).pooled).all()


@pytest.mark.parametrize("attribute", ["sex", "age:50"])
def test_batches_bring_the_group_of_each_study(
    attribute: str, grouped: Path, tmp_path: Path
) -> None:
    dataset = Dataset.open(grouped)
    settings, own = choose("fairclip", {**GIVEN, "attribute": attribute})
    run, _ = assemble(dataset, "fairclip", replace(settings, mining=""), own, tmp_path)
    facts = run.batches.at(0).facts
    found = facts.targets[f"group:{attribute}"]
    assert found.dtype == torch.int64
    rows = facts.targets["study"].numpy()
    train = dataset.split("train").studies.iloc[rows]
    if attribute == "sex":
        wanted = train["meta:sex"].map({"F": 0, "M": 1}).fillna(-1)
    else:
        wanted = (train["meta:age"] < 50).map(
            {True: 1, False: 0}
        )  # names are in order of the alphabet
    assert found.tolist() == wanted.astype(int).tolist()


def test_a_column_that_is_not_there_is_said(grouped: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'sex'"):
        pretrain(grouped, "fairclip", tmp_path / "run", {**GIVEN, "attribute": "sx"})
