"""A published model as a run: evaluated, adapted and used like one that was trained here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from asclip import modelling
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.recipes.adaptation import adapt
from asclip.recipes.evaluation import evaluate
from asclip.recipes.models import add, preprocessing_of
from asclip.recipes.pretraining import load, read_run
from checkpoints import OFFICIAL, TEXTS
from drawn import SAID, draw

CLASSES = {name: {"positive": [here], "negative": [none]} for name, (here, none) in SAID.items()}
PROMPTS = {"name": "drawn", "version": "1", "kind": "multi-label", "classes": CLASSES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CheXzero's official keys at a small size, with a tokenizer, in a folder."""
    folder = tmp_path_factory.mktemp("chexzero")
    official = OFFICIAL["chexzero"]()
    torch.save(official.tensors, folder / "best.pt")
    official.tokenizer().save(folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add("chexzero", tmp_path_factory.mktemp("runs") / "chexzero", str(folder))


@pytest.fixture(scope="module")
def data(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return ingest(Table(draw(folder)), folder / "data", preprocessing_of(run), workers=0).root


def test_the_run_says_whose_it_is_and_fakes_no_training(run: Path, folder: Path) -> None:
    record = read_run(run)
    assert [record[key] for key in ("recipe", "steps", "studies", "seconds")] == [
        "chexzero", None, None, None,
    ]  # fmt: skip
    assert set(record["data"].values()) == {None}
    published = record["published"]
    assert (published["licence"], published["file"]) == ("MIT", "best.pt")
    assert published["as_published"] is False
    assert str(folder) not in (run / "run.json").read_text() + (run / "model.json").read_text()


def test_its_preprocessing_travels_with_it(run: Path) -> None:
    how = preprocessing_of(run)
    assert isinstance(how, Preprocessing)
    assert (how.size, how.channels, how.fit) == ((32, 32), 1, "pad")
    assert (how.mean[0] * 255, how.std[0] * 255) == pytest.approx((101.48761, 83.43944))
    alone = run.parent / "text-alone"
    alone.mkdir()
    (alone / "model.json").write_text("{}")
    with pytest.raises(ModelError, match="must have the preprocessing of images"):
        preprocessing_of(alone)


def test_it_loads_without_the_file_it_came_from(run: Path) -> None:
    official = OFFICIAL["chexzero"]()
    model = load(run)
    tokens = model.tokenizer.encode(TEXTS)
    with torch.no_grad():
        theirs = official.text(tokens.ids, tokens.mask)
    torch.testing.assert_close(model.encode_texts(TEXTS).pooled, theirs, rtol=1e-4, atol=1e-5)
    assert model.scale == pytest.approx(float(official.tensors["logit_scale"].exp()))


def test_it_is_evaluated_and_adapted_like_any_run(run: Path, data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(run, own)
    prompts = tmp_path / "drawn.json"
    prompts.write_text(json.dumps(PROMPTS))
    scores = evaluate(own, data, prompts=[str(prompts)], images=False)
    found = {score.task for score in scores}
    assert any(task.startswith("zero-shot") for task in found), found
    assert any("retrieval" in task for task in found), found
    assert (own / "card-reports-test.html").exists()
    rows = adapt(
        own, data, str(prompts), "zero-shot,tip-adapter,coop:vectors=2,steps=2", shots=(1,),
        seeds=(0,),
    )  # fmt: skip
    assert len({row.method for row in rows}) == 3
    assert all(np.isfinite(row.score.value) or row.score.why_nan for row in rows)


def test_what_cannot_be_added_is_said_and_leaves_no_folder(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for name, source, hint in (
        ("chexzero", "", r"has no hub id; get its weights at https://github\.com/rajpurkarlab"),
        ("chexzro", str(folder), "did you mean 'chexzero'"),
        ("gloria", str(folder), "cannot be added: it enlarges"),
        ("biomedclip", str(folder), r"must have the weight 'visual\.trunk\.patch_embed\.proj"),
        ("medsiglip", str(tmp_path / "gone"), "given after registration at https"),
    ):
        with pytest.raises(ModelError, match=hint):
            add(name, out, source)
    with pytest.raises(ModelError, match="must have the SHA-256 000000000000"):
        add("chexzero", out, str(folder), sha256="0" * 64)
    with pytest.raises(ModelError, match=r"holds more than weights|is not a readable tokenizer"):
        add("chexzero", out, str(folder), tokenizer=_broken(tmp_path))
    assert not out.exists()
    with pytest.raises(ModelError, match="--out must be a new folder, and chexzero is there"):
        add("chexzero", folder.rename(tmp_path / "chexzero"), "anything")
    (tmp_path / "chexzero").rename(folder)


def _broken(folder: Path) -> str:
    path = folder / "tokenizer.json"
    path.write_text("{}")
    return str(path)


def test_the_published_digest_is_asked_for(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "best.pt", tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(ModelError, match=r"must have the SHA-256 e88815d05f50\.\.\., it has"):
        add("quiltnet-b-32", tmp_path / "run", str(tmp_path))


def test_the_commands_list_show_and_add(folder: Path, tmp_path: Path) -> None:
    call = CliRunner().invoke
    listed = json.loads(call(modelling.app, ["list", "--json"]).stdout)
    assert {"biomedclip", "gloria"} <= {one["name"] for one in listed}
    assert "have no tower here" in call(modelling.app, ["list"]).stdout
    assert json.loads(call(modelling.app, ["show", "plip", "--json"]).stdout)["licence"] is None
    assert "MIT" in call(modelling.app, ["show", "biomedclip"]).stdout
    words = ["add", "chexzero", "--from", str(folder / "best.pt"), "--out", str(tmp_path / "run")]
    done = call(modelling.app, words)
    assert done.exit_code == 0
    assert "licence: MIT" in done.stderr
    assert (tmp_path / "run" / "model.safetensors").exists()
