"""A text tower on its own, on disk and as the start of another run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from asclip.errors import ModelError
from asclip.towers.alone import TextAlone, run_tokenizer, run_tower
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer


@pytest.fixture(params=["words", "tiny"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TextAlone, Path]:
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(["a mass in the lung", "a mass in the left lung"])
    config = TextConfig(name=request.param, width=16, vocabulary=tokenizer.vocabulary)
    model = TextAlone(text_tower(config), tokenizer)
    folder = tmp_path / "stage"
    folder.mkdir()
    model.save(folder)
    return model, folder


def test_a_run_starts_with_the_same_weights_and_words(saved: tuple[TextAlone, Path]) -> None:
    model, folder = saved
    tower = run_tower(f"run:{folder}", width=16)
    theirs = model.text.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in tower.state_dict().items())
    text = "a mass in the right lung"
    ours = run_tokenizer(f"run:{folder}").encode([text]).ids
    assert torch.equal(ours, model.tokenizer.encode([text]).ids)


def test_what_the_new_run_sets_is_its_own(saved: tuple[TextAlone, Path]) -> None:
    _, folder = saved
    tower = run_tower(f"run:{folder}", width=16, locked=True, dropout=0.3)
    assert tower.config.locked
    assert tower.config.dropout == 0.3
    assert not any(p.requires_grad for p in tower.backbone.parameters())


def test_it_encodes_texts_and_nothing_else(saved: tuple[TextAlone, Path]) -> None:
    model, _ = saved
    tokens = model.tokenizer.encode(["a mass"])
    assert model.stream("second", tokens, local=False).pooled.shape == (1, 16)
    with pytest.raises(ModelError, match="encodes no images, got the stream 'image'"):
        model.stream("image", torch.zeros(1, 1, 8, 8), local=False)


def test_a_folder_that_is_no_run_is_refused(saved: tuple[TextAlone, Path], tmp_path: Path) -> None:
    _, folder = saved
    with pytest.raises(
        ModelError, match="run:none must be the folder of a finished run; it lacks m"
    ):
        run_tower(f"run:{tmp_path / 'none'}", width=16)
    with pytest.raises(ModelError, match=r"it lacks model.json, .*--text-tower run:FOLDER"):
        run_tokenizer(f"run:{tmp_path}")
    with pytest.raises(ModelError, match="has the width 16 and this run 32; use --width 16"):
        run_tower(f"run:{folder}", width=32)
    record = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**record, "sha256": "0"}))
    with pytest.raises(ModelError, match=r"must be the file that model\.json speaks of"):
        run_tower(f"run:{folder}", width=16)
    (folder / "model.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(ModelError, match="must describe a text tower"):
        run_tower(f"run:{folder}", width=16)
