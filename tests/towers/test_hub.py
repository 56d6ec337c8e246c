"""Backbones of transformers, from folders with random weights that the tests write."""

from __future__ import annotations

import json

import pytest
import torch

from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.towers import weights
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.types import Tokens

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def vision(kind):
    import transformers as t

    common = {**SIZES, "intermediate_size": 48, "image_size": 32, "patch_size": 8}
    hidden = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
    return {
        "vit": lambda: t.ViTModel(t.ViTConfig(**common, num_channels=1)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**common)),
        "convnext": lambda: t.ConvNextModel(t.ConvNextConfig(**hidden)),
        "resnet": lambda: t.ResNetModel(
            t.ResNetConfig(embedding_size=8, layer_type="basic", **hidden)
        ),
        "clip": lambda: t.CLIPModel(
            t.CLIPConfig(vision_config=common, text_config={**SIZES, "vocab_size": 60})
        ),
    }[kind]()


def text_folder(folder):
    import transformers as t

    config = t.BertConfig(**SIZES, intermediate_size=48, vocab_size=60, max_position_embeddings=40)
    t.BertModel(config).save_pretrained(folder)
    return f"hf:{folder}"


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        ("vit", (4, 4)),
        ("dinov2", (4, 4)),
        ("convnext", (1, 1)),
        ("resnet", (1, 1)),
        ("clip", (4, 4)),
    ],
)
def test_any_vision_backbone_loads_from_its_folder(kind, grid, tmp_path):
    net = vision(kind)
    net.save_pretrained(tmp_path / "net")
    config = ImageConfig(f"hf:{tmp_path / 'net'}", width=8, size=(32, 32))
    tower = image_tower(config, local_files_only=True)
    assert tower.grid == grid
    assert tower.local_features == 32
    theirs, ours = net.state_dict(), tower.backbone.net.state_dict()
    prefix = "vision_model." if kind == "clip" and "vision_model.embeddings" not in ours else ""
    same = [
        k
        for k in ours
        if any(torch.equal(ours[k], theirs[t]) for t in (k, prefix + k) if t in theirs)
    ]
    assert len(same) == len(ours)
    encoded = tower.train()(torch.randn(2, 1, 32, 32))
    assert encoded.local.shape == (2, grid[0] * grid[1], 8)
    (encoded.pooled.square().sum()).backward()
    without = [n for n, p in tower.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_random_weights_take_the_size_of_the_data(tmp_path):
    vision("vit").save_pretrained(tmp_path)
    config = ImageConfig(f"hf:{tmp_path}", width=8, size=(64, 64))
    tower = image_tower(config, pretrained=False)
    assert tower.grid == (8, 8)
    assert tower.config.weights == ""


def test_pretrained_weights_take_another_size_by_interpolation(tmp_path):
    vision("vit").save_pretrained(tmp_path)
    tower = image_tower(ImageConfig(f"hf:{tmp_path}", width=8, size=(48, 48)))
    assert tower.grid == (6, 6)


def test_text_backbone_loads_and_padding_changes_nothing(tmp_path):
    tower = text_tower(TextConfig(text_folder(tmp_path), width=8, max_tokens=64)).eval()
    assert (tower.config.vocabulary, tower.config.max_tokens, tower.features) == (60, 40, 32)
    ids, mask = torch.arange(1, 7)[None], torch.ones(1, 6, dtype=torch.bool)
    padded = Tokens(torch.nn.functional.pad(ids, (0, 9)), torch.nn.functional.pad(mask, (0, 9)))
    torch.testing.assert_close(
        tower(Tokens(ids, mask)).pooled, tower(padded).pooled, rtol=1e-4, atol=1e-5
    )
    tower.train()(padded).pooled.sum().backward()
    assert [n for n, p in tower.named_parameters() if p.requires_grad and p.grad is None] == []


def test_a_saved_model_needs_neither_folder_nor_path(tmp_path, tokenizer):
    source = tmp_path / "sources"
    vision("convnext").save_pretrained(source / "image")
    name = text_folder(source / "text")
    image = image_tower(ImageConfig(f"hf:{source / 'image'}", width=8, size=(32, 32)))
    text = text_tower(TextConfig(name, width=8))
    model = Model(DualEncoder(image, text), tokenizer, Preprocessing(size=(32, 32)))
    model.save(tmp_path / "run")
    source.rename(tmp_path / "gone")
    loaded = Model.load(tmp_path / "run")
    for key, value in model.encoder.state_dict().items():
        assert torch.equal(value, loaded.encoder.state_dict()[key])
    written = json.loads((tmp_path / "run" / "model.json").read_text())
    assert str(tmp_path) not in json.dumps(written)
    assert written["image"]["weights"] == "image"


def test_what_cannot_be_read_is_said_without_a_path(tmp_path):
    with pytest.raises(ModelError, match="'nothing' cannot be read") as caught:
        image_tower(ImageConfig(f"hf:{tmp_path / 'nothing'}"), local_files_only=True)
    assert str(tmp_path) not in str(caught.value)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    vision("convnext").save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks 1 weights"):
        image_tower(ImageConfig(f"hf:{tmp_path}"))


def test_the_recorded_statistics_of_the_input_are_read(tmp_path):
    assert weights.input_statistics(f"hf:{tmp_path}", 1, local_files_only=True) is None
    record = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.2, 0.2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(record))
    assert weights.input_statistics(f"hf:{tmp_path}", 3) == ((0.4, 0.5, 0.6), (0.2, 0.2, 0.2))
    mean, std = weights.input_statistics(f"hf:{tmp_path}", 1)
    assert (mean, std) == (pytest.approx((0.5,)), pytest.approx((0.2,)))
    assert weights.input_statistics("efficientnet-lite0", 1) == ((127 / 255,), (128 / 255,))
    assert weights.input_statistics("tiny", 1) is None


@pytest.mark.parametrize("kind", ["vit", "dinov2", "convnext", "clip"])
def test_under_autocast_the_residual_stream_is_bfloat16_and_near_float32(kind, tmp_path):
    vision(kind).save_pretrained(tmp_path / "net")
    channels = 1 if kind == "vit" else 3
    config = ImageConfig(f"hf:{tmp_path / 'net'}", 16, channels, (32, 32))
    tower = image_tower(config).eval()
    seen = []
    net = tower.backbone.net
    net.embeddings.register_forward_hook(lambda module, inputs, out: seen.append(out))
    x = torch.randn(4, channels, 32, 32)
    with torch.no_grad():
        exact = tower(x).pooled
        with torch.autocast("cpu", torch.bfloat16):
            rough = tower(x).pooled.float()
    assert [out.dtype for out in seen] == [torch.float32, torch.bfloat16]
    assert torch.nn.functional.cosine_similarity(exact, rough).min() > 0.99
