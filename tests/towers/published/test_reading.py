"""Files, folders and hub ids; what cannot be read, and what the table says."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from asclip.errors import ModelError
from asclip.towers.checkpoint import file_digest
from asclip.towers.published import bpe
from asclip.towers.published.build import build
from asclip.towers.published.keys import fused, shape
from asclip.towers.published.reading import WEIGHTS, locate, read
from asclip.towers.published.table import entries, entry, from_json
from checkpoints import OFFICIAL, bert_tokenizer, clip_like_tokenizer

HELD = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}


def test_a_training_checkpoint_is_opened_to_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    wrapped = {f"module.{key}": value for key, value in HELD.items()}
    torch.save({"epoch": 7, "state_dict": wrapped, "optimizer": {"lr": 0.1}}, path)
    found = read(path, inside=("state_dict",), strip=("module.",))
    assert set(found.tensors) == set(HELD)
    assert found.sha256 == file_digest(path)
    mixed = {"module.a": HELD["a.bias"], "b": HELD["a.bias"]}
    torch.save(mixed, path)
    assert set(read(path, strip=("module.",)).tensors) == set(mixed)  # not all have it: not taken
    torch.save({"epoch": 7, "weights": wrapped}, path)
    with pytest.raises(ModelError, match=r"at the top or in model; under 'epoch' is a int"):
        read(path, inside=("model",))


def test_what_could_run_code_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"state_dict": HELD, "config": SimpleNamespace(lr=1)}, path)
    with pytest.raises(ModelError, match=r"model\.pt .* holds more than weights.*as safetensors"):
        read(path)
    torch.save([HELD], path)
    with pytest.raises(ModelError, match="must hold a dictionary of weights, got a list"):
        read(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ModelError, match="holds more than weights"):
        read(path)
    path.write_text("no weights")
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        read(path.rename(tmp_path / "model.safetensors"))


def test_another_file_than_the_published_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(HELD, path)
    assert read(path, sha256=file_digest(path).upper()).file == "model.safetensors"
    with pytest.raises(ModelError, match=r"must have the SHA-256 ffffffffffff\.\.\., it has"):
        read(path, sha256="f" * 64)


def test_a_folder_gives_its_weights_safetensors_first(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it has none"):
        locate(str(tmp_path))
    for name in ("one.pth", "two.pth"):
        (tmp_path / name).touch()
    assert locate(str(tmp_path / "one.pth")).name == "one.pth"
    with pytest.raises(ModelError, match=r"it has one\.pth, two\.pth; give the file"):
        locate(str(tmp_path))
    for name in reversed(WEIGHTS):
        (tmp_path / name).touch()
        assert locate(str(tmp_path)).name == name


def test_a_hub_id_that_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        "transformers.utils.hub.cached_file", lambda source, name, **how: asked.append(name)
    )
    with pytest.raises(ModelError, match=r"'org/name' must be a weights file.*; ask its authors"):
        locate("org/name", refused="; ask its authors")
    assert asked == list(WEIGHTS)
    with pytest.raises(ModelError, match=r"'gone\.pt' must be a weights file"):
        locate("/somewhere/else/gone.pt")


def test_a_tokenizer_of_another_vocabulary_is_refused() -> None:
    official = OFFICIAL["biomedclip"]()
    with pytest.raises(ModelError, match=r"has 18 tokens and the tokenizer 16; give its own"):
        build(official.entry, official.checkpoint(), clip_like_tokenizer)
    wide = {**official.tensors, "visual.head.proj.weight": torch.zeros(50, 128)}
    with pytest.raises(ModelError, match="both towers must have one width, got 50 and 48"):
        build(official.entry, official.checkpoint(wide), bert_tokenizer)


def test_a_model_without_a_tower_says_why() -> None:
    official = OFFICIAL["chexzero"]()
    for one in entries().values():
        if not one.loads:
            with pytest.raises(ModelError, match="cannot be added: it"):
                build(one, official.checkpoint(), clip_like_tokenizer)


def test_the_scale_is_bounded_where_its_publishers_bound_it() -> None:
    official = OFFICIAL["medclip-resnet50"]()
    high = {**official.tensors, "logit_scale": torch.tensor(9.0)}
    assert build(official.entry, official.checkpoint(high), bert_tokenizer).scale == 100.0
    free = replace(official.entry, scale_most=None)
    model = build(free, official.checkpoint(high), bert_tokenizer)
    assert model.scale == pytest.approx(8103.08, rel=1e-4)


def test_the_table_tells_what_is_known() -> None:
    known = entries()
    assert len(known) >= 25
    assert sum(one.loads for one in known.values()) >= 15
    for name, one in known.items():
        assert one.name == name
        assert one.page.startswith("https://")
        assert one.loads != bool(one.reason)
        assert one.hub is None or one.hub in one.page
        told = one.told()
        assert all(value not in (None, "") for value in told.values())
        assert all(len(digest) == 64 for digest in one.sha256.values())
        if one.loads and not one.configured:
            assert one.image is not None
            assert one.text is not None
            assert None not in (one.size, one.mean, one.std, one.context, one.tokenizer)
            assert one.mean is not None
            assert len(one.mean) in (1, one.channels)
    assert known["plip"].told()["licence"] == "not known"
    with pytest.raises(ModelError, match="did you mean 'biomedclip'"):
        entry("biomedclp")
    with pytest.raises(ModelError, match="has no field 'license'"):
        from_json({"name": "x", "license": "MIT"})


MERGES = ["h e", "he a", "hea r", "hear t</w>", "t h", "th e</w>", "i n"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory):
    """CLIP's tokenizer from a vocabulary file, and that of transformers from the same merges."""
    import transformers

    folder = tmp_path_factory.mktemp("bpe")
    text = "\n".join(["#version: 0.2", *MERGES, ""])
    (folder / "merges.txt.gz").write_bytes(gzip.compress(text.encode()))
    letters = bpe._bytes()
    pieces = [*letters, *(x + "</w>" for x in letters), *(m.replace(" ", "") for m in MERGES)]
    pieces += [bpe.START, bpe.END]
    (folder / "vocab.json").write_text(json.dumps({piece: k for k, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text(text)
    theirs = transformers.CLIPTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    )
    return bpe.clip_tokenizer(folder / "merges.txt.gz"), theirs


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="heart inT0123'.,:-µé\t ", max_size=30))
def test_clips_vocabulary_file_gives_its_tokens(both, text: str) -> None:
    ours, theirs = both
    assert ours.encode([text], max_length=77).ids[0].tolist() == theirs(text)["input_ids"]


def test_a_cut_text_keeps_its_end(both) -> None:
    ours, _ = both
    ids = ours.encode(["the heart " * 20], max_length=9).ids[0].tolist()
    assert (ids[0], ids[-1]) == (ours.vocabulary - 2, ours.vocabulary - 1)


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("title\none word too many\n")
    with pytest.raises(ModelError, match="must hold two pieces a line"):
        bpe.clip_tokenizer(path)
    (tmp_path / "merges.txt.gz").write_text("no gzip")
    with pytest.raises(ModelError, match="is not a readable vocabulary of CLIP"):
        bpe.clip_tokenizer(tmp_path / "merges.txt.gz")


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9))
def test_a_fused_matrix_is_parted_into_query_key_and_value(width: int) -> None:
    from asclip.towers.published.keys import convert

    tensors = {"w": torch.randn(3 * width, width), "b": torch.randn(3 * width).half()}
    found = convert(tensors, fused("w", "b", "qkv", width))
    assert torch.equal(torch.cat([found[f"{k}.weight"] for k in "qkv"]), tensors["w"])
    assert torch.equal(torch.cat([found[f"{k}.bias"] for k in "qkv"]), tensors["b"].float())
    with pytest.raises(ModelError, match=r"'w' must have 1 axes, got the shape"):
        shape(tensors, "w", 1)
