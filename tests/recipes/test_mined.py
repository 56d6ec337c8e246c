"""Mining from a recipe's settings to a trained run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError, ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import load, pretrain
from asclip.recipes.assembly import assemble
from asclip.recipes.options import choose
from asclip.towers.projection import Standard
from asclip.train.run import Run

SMALL = {"steps": 4, "batch": 16, "width": 16, "evaluations": 1, "average": 0.0}


def assembled(data: Path, name: str, out: Path, **given: Any) -> Run:
    settings, own = choose(name, SMALL | given)
    torch.manual_seed(0)
    return assemble(Dataset.open(data), name, settings, own, out)[0]


def told(run: Run, steps: int = 6) -> set[str]:
    found = run.batches.pieces.texts
    numbers = [run.batches.at(step).facts.targets["text"].tolist() for step in range(steps)]
    return {found[number] for some in numbers for number in some}


@pytest.fixture(scope="module")
def silent(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same studies; two of three have labels and no text."""
    table = pd.read_csv(data.parent / "reports.csv")
    table.loc[np.arange(len(table)) % 3 > 0, "text"] = ""
    path = data.parent / "some.csv"
    table.to_csv(path, index=False)
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    return ingest(Table(path), tmp_path_factory.mktemp("some") / "data", how, workers=0).root


@pytest.mark.parametrize(
    ("name", "mining"),
    [
        *(("clip", way) for way in ("shuffle", "eda", "prompts", "shuffle, eda,prompts")),
        ("convirt", "eda"),
        ("convirt", "prompts"),
    ],
)
def test_each_way_changes_the_batches(data: Path, tmp_path: Path, mining: str, name: str) -> None:
    plain = assembled(data, name, tmp_path)
    run = assembled(data, name, tmp_path, mining=mining, whole=0.5)
    again = assembled(data, name, tmp_path, mining=mining, whole=0.5)
    assert told(run) - set(plain.batches.pieces.texts)
    assert told(run) == told(again)
    assert run.validation is not None
    assert plain.validation is not None
    assert run.validation.pieces.texts == plain.validation.pieces.texts
    assert not run.validation.pieces.variants


@pytest.mark.parametrize(
    ("name", "mining", "idle"),
    [
        ("convirt", "shuffle", "shuffle"),  # one sentence has no order
        ("gloria", "shuffle,eda", "shuffle"),
        ("sat", "prompts", "prompts"),  # whole reports bring no further sentence
        ("clip-reports", "eda,prompts", "prompts"),
    ],
)
def test_what_no_batch_may_bring_is_refused(
    data: Path, tmp_path: Path, name: str, mining: str, idle: str
) -> None:
    with pytest.raises(DataError, match=rf"mining \({idle}\) must change or add a text that"):
        assembled(data, name, tmp_path, mining=mining)
    assert told(assembled(data, name, tmp_path, mining=mining, texts="mixed"))


@pytest.mark.parametrize("mining", ["shuffle", "eda", "prompts", "shuffle,eda,prompts"])
def test_a_mined_run_trains_and_is_recorded(data: Path, tmp_path: Path, mining: str) -> None:
    out = pretrain(data, "clip", tmp_path / "run", SMALL | {"mining": mining})
    record = json.loads((out / "run.json").read_text())
    assert record["parameters"]["mining"] == mining
    assert record["last"]["loss"] > 0
    plain = pretrain(data, "clip", tmp_path / "plain", SMALL)
    assert record["last"]["loss"] != json.loads((plain / "run.json").read_text())["last"]["loss"]


def test_studies_with_labels_and_no_text_join_by_their_prompts(
    silent: Path, tmp_path: Path
) -> None:
    plain = assembled(silent, "cxr-clip", tmp_path)
    run = assembled(silent, "cxr-clip", tmp_path, mining="prompts")
    count = len(Dataset.open(silent).split("train"))
    assert len(plain.batches.rows) < count / 2
    assert len(run.batches.rows) == count
    batch = run.batches.at(0)
    texts = run.batches.pieces.texts
    labels = run.batches.dataset.label_matrix()
    names = run.batches.dataset.labels
    facts = batch.facts.targets
    assert facts["has_second"].any()
    for study, number in zip(facts["owner"].tolist(), facts["text"].tolist(), strict=True):
        text = texts[number].lower()
        for name, value in zip(names, labels[study], strict=True):
            piece = next(s for s in text.split(".") if name in s)
            denied = any(word in piece for word in ("no ", "negative"))
            assert denied == (value == 0), text
    out = pretrain(silent, "cxr-clip", tmp_path / "run", SMALL | {"mining": "prompts"})
    assert load(out).encode_texts(["There is pleural effusion."]).pooled.shape == (1, 16)


def test_a_recipe_of_its_own_accord_mines_what_there_is(data: Path, tmp_path: Path) -> None:
    """The drawn reports name no modality; who asks for that is told, the recipe goes on."""
    heard: list[str] = []
    pretrain(data, "clip-few", tmp_path / "few", SMALL, say=heard.append)
    assert ", no text to mine (acquisition)" in heard[0]
    projection = load(tmp_path / "few").encoder.image.projection
    assert isinstance(projection.norm, Standard)
    assert float(projection.norm.mean.abs().max()) > 0  # what training features said travels along
    with pytest.raises(DataError, match="found nothing; leave it out"):
        assembled(data, "clip", tmp_path, mining="acquisition")


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ModelError, match="mining must be a list of shuffle, eda, prompts"):
        choose("clip", {"mining": "shuffle,magic"})
