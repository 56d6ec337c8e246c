"""Files with a part missing, and questions that the data cannot answer: said in one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from asclip.adapt.draws import Drawn
from asclip.adapt.few_shot import _short
from asclip.errors import ModelError
from asclip.recipes import load, pretrain
from asclip.recipes.adaptation import adapt
from asclip.recipes.evaluation import evaluate
from asclip.towers.checkpoint import read_tensors
from asclip.towers.published.reading import read
from drawn import SAID


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def asking(path: Path, *names: str) -> str:
    """A prompt set of drawn findings; one that is not drawn is asked for all the same."""
    said = SAID | {"silicosis": ("There is silicosis.", "No silicosis.")}
    classes = {
        name: {"positive": [said[name][0]], "negative": [said[name][1]]} for name in names
    }  # fmt: skip
    content = {"name": "asked", "version": "1", "kind": "multi-label", "classes": classes}
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize("name", ["model.safetensors", "objective.safetensors"])
def test_weights_under_another_name_are_named(copy: Path, name: str) -> None:
    tensors = load_file(copy / name)
    first = next(iter(tensors))
    tensors["renamed"] = tensors.pop(first)
    save_file(tensors, copy / name)
    with pytest.raises(ModelError, match=f"{name} of 'copy' .* missing, first '{first}'; 1 .*'ren"):
        load(copy)


def test_an_objective_that_is_cut_or_gone_is_named(copy: Path) -> None:
    path = copy / "objective.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ModelError, match=r"objective\.safetensors is not a readable"):
        load(copy)
    path.unlink()
    with pytest.raises(ModelError, match=r"objective\.safetensors is not in the model folder"):
        load(copy)


@pytest.mark.parametrize("length", [128, 640, 896])
def test_a_header_as_long_as_a_pickle_begins_is_none(tmp_path: Path, length: int) -> None:
    path, about = tmp_path / "w.safetensors", {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"a": about}).ljust(length).encode()
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))
    assert path.read_bytes()[0] == 0x80
    assert read_tensors(path)["a"].tolist() == [0.0]
    assert read(path).tensors["a"].tolist() == [0.0]


def test_a_run_does_not_go_on_from_a_checkpoint_of_other_weights(copy: Path, data: Path) -> None:
    given = json.loads((copy / "run.json").read_text())["parameters"]
    state = torch.load(copy / "checkpoint.pt", weights_only=True)
    first = next(iter(state["model"]))
    state["model"]["renamed"] = state["model"].pop(first)
    torch.save(state, copy / "checkpoint.pt")
    with pytest.raises(ModelError, match=rf"checkpoint.pt of 'copy'.*'{first}'.*with --fresh"):
        pretrain(data, "gloria", copy, given)


def test_weights_that_are_no_torch_file_are_said(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(b"\x80\x02junk")
    with pytest.raises(ModelError, match=r"w\.bin .* holds more than weights"):
        read(path)


def test_a_run_does_not_go_on_from_another_file(copy: Path, data: Path) -> None:
    given = json.loads((copy / "run.json").read_text())["parameters"]
    torch.save({"weights": torch.zeros(1)}, copy / "checkpoint.pt")
    with pytest.raises(ModelError, match=r"checkpoint\.pt of 'copy' must be one that asclip"):
        pretrain(data, "gloria", copy, given)


def test_a_class_that_no_study_has_is_said(copy: Path, data: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    prompts = asking(tmp_path / "asked.json", "mass", "silicosis")
    evaluate(copy, data, prompts=[prompts], images=False, say=heard.append)
    assert "vision: zero-shot-asked: reports has no studies to ask about silicosis" in heard


def test_more_shots_than_patients_are_said_once_a_draw(
    copy: Path, data: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    adapt(
        copy, data, asking(tmp_path / "asked.json", "mass"), "linear-probe,tip-adapter",
        shots=(1, 5000), seeds=(0, 1), say=heard.append,
    )  # fmt: skip
    short = [line for line in heard if "fewer patients" in line]
    assert [line.partition(":")[0] for line in short] == [
        "5000 shots, seed 0",
        "5000 shots, seed 1",
    ]
    assert ": has not " in short[0]


def test_many_short_classes_are_counted() -> None:
    said = _short(Drawn(16, 0, short={f"c{k}: has": k for k in range(5)}))
    assert said.endswith("c0: has 0, c1: has 1, c2: has 2 and 2 more")
