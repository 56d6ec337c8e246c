from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.errors import DataError, ModelError
from asclip.recipes import load, pretrain


def test_a_run_folder_holds_what_it_says(run: Path) -> None:
    names = {"run.json", "model.json", "model.safetensors", "tokenizer.json", "metrics.csv"}
    assert names | {"objective.safetensors", "checkpoint.pt"} <= {p.name for p in run.iterdir()}
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"] == "gloria"
    assert record["parameters"]["steps"] == 60
    assert not any(part.startswith("/") for part in json.dumps(record).split('"'))


def test_no_patient_is_named_in_any_file_of_the_run(run: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file():
            assert b"patient 1" not in path.read_bytes(), path.name


def test_a_loaded_model_scores_as_the_trained_objective(run: Path, data: Path) -> None:
    model = load(str(run))
    assert model.scorer is not None
    part = Dataset.open(data).split("test")
    image = model.encode_images(part)
    text = model.encode_texts(["There is a left effusion.", "No effusion."])
    score = model.score(image, text)
    assert score.shape == (len(part), 2)
    assert torch.isfinite(score).all()
    truth = part.label_matrix()[:, part.labels.index("effusion")]
    margin = (score[:, 0] - score[:, 1]).numpy()
    assert margin[truth == 1].mean() > margin[truth == 0].mean()


def test_the_same_command_again_does_nothing_new(run: Path, data: Path) -> None:
    before = (run / "model.safetensors").read_bytes()
    given = {"steps": 60, "batch": 32, "lr": 2e-3, "average": 0.0, "evaluations": 2, "width": 32}
    pretrain(str(data), "gloria", str(run), given)  # folders as strings, too
    assert (run / "model.safetensors").read_bytes() == before


def test_the_supervised_bound_learns_and_needs_labels(bound: Path, data: Path) -> None:
    model = load(bound)
    part = Dataset.open(data).split("test")
    logits = model.classify(part)
    truth = part.label_matrix()
    for k in range(2):
        assert logits[truth[:, k] == 1, k].mean() > logits[truth[:, k] == 0, k].mean()
    with pytest.raises(ModelError, match="no label head"):
        type(model).classify(load_without_head(model), part)


def load_without_head(model):
    model.classifier = None
    return model


def test_weights_of_another_architecture_are_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    values = json.loads((copy / "model.json").read_text())
    values["image"]["width"] = values["text"]["width"] = 48
    (copy / "model.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="does not fit"):
        load(copy)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"must hold run\.json"):
        load(tmp_path)


def test_too_few_texts_are_said(tmp_path: Path, data: Path) -> None:
    import pandas as pd

    from asclip.data.ingest import ingest
    from asclip.data.sources.table import Table
    from asclip.files.preprocessing import Preprocessing

    table = pd.read_csv(data.parent / "reports.csv").assign(text="")
    table.to_csv(data.parent / "silent.csv", index=False)
    silent = ingest(
        Table(data.parent / "silent.csv"), tmp_path / "d", Preprocessing(size=(32, 32)), workers=0
    )
    with pytest.raises(DataError, match="text"):
        pretrain(silent.root, "clip", tmp_path / "run", {"steps": 1})


def test_one_image_file_gives_the_embedding_of_its_study(run: Path, data: Path) -> None:
    """Preprocessing at inference is that of training, bit for bit."""
    from asclip.files import read

    model, dataset = load(run), Dataset.open(data)
    item = model.preprocessing(read(data.parent / "png" / "7.png"))
    slots = [rows[0] for rows in dataset.image_rows()]
    assert any(np.array_equal(item, dataset.pixels[slot]) for slot in slots)


def test_the_scale_of_a_model_is_the_one_it_was_trained_with(data: Path, tmp_path: Path) -> None:
    given = {"steps": 1, "batch": 8, "width": 16, "evaluations": 1}
    out = pretrain(data, "mgca", tmp_path / "mgca", given)
    assert json.loads((out / "model.json").read_text())["scale"] == pytest.approx(1 / 0.07)
    assert load(out).scale == pytest.approx(1 / 0.07)


@pytest.mark.parametrize(("name", "existence"), [("kad", True), ("gloria", False)])
def test_what_a_score_means_comes_back_with_the_model(
    data: Path, tmp_path: Path, name: str, existence: bool
) -> None:
    given = {"steps": 1, "batch": 8, "width": 16, "evaluations": 1}
    model = load(pretrain(data, name, tmp_path / name, given))
    assert model.scorer is not None
    assert model.scores_existence is existence


@pytest.mark.parametrize(
    ("name", "own", "words"),
    [
        ("biovil-t", {"batch": 1}, ["a batch of one study", "the same text", "an earlier one"]),
        ("modalities", {"streams": "view,second"}, ["a second image", "a second text"]),
    ],
)
def test_what_the_data_never_bring_is_said_before_the_start(
    data: Path, tmp_path: Path, name: str, own: dict[str, object], words: list[str]
) -> None:
    import pandas as pd

    from asclip.data.ingest import ingest
    from asclip.data.sources.table import Table
    from asclip.files.preprocessing import Preprocessing

    table = pd.read_csv(data.parent / "reports.csv").assign(**{"text": "Normal.", "meta:date": ""})
    table.to_csv(data.parent / "same.csv", index=False)
    same = ingest(
        Table(data.parent / "same.csv"), tmp_path / "d", Preprocessing(size=(32, 32)), workers=0
    )
    given = {"steps": 1, "width": 16, "image_tower": "micro", "text_tower": "words"} | own
    said: list[str] = []
    pretrain(same.root, name, tmp_path / "run", given, say=said.append)
    assert [word for word in words if word not in said[0]] == []


def test_best_weights_without_a_study_to_validate_on_are_said(data: Path, tmp_path: Path) -> None:
    import pandas as pd

    from asclip.data.ingest import ingest
    from asclip.data.sources.table import Table
    from asclip.files.preprocessing import Preprocessing

    table = pd.read_csv(data.parent / "reports.csv").assign(split="train")
    table.to_csv(data.parent / "train.csv", index=False)
    how = Preprocessing(size=(32, 32))
    whole = ingest(Table(data.parent / "train.csv"), tmp_path / "d", how, workers=0)
    given = {"steps": 1, "width": 16, "image_tower": "micro", "text_tower": "words"}
    said: list[str] = []
    pretrain(whole.root, "clip", tmp_path / "a", given | {"keep": "best"}, say=said.append)
    pretrain(whole.root, "clip", tmp_path / "b", given, say=said.append)
    assert [("the last weights are kept" in text) for text in said].count(True) == 1
    assert "the last weights are kept" in said[0]
