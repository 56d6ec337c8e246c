"""Formats that a configuration tells, and what shapes do not tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from asclip.errors import ModelError
from asclip.towers import hub
from asclip.towers.image import ImageConfig, ImageTower
from asclip.towers.pixels import to_tensor
from asclip.towers.published import clip as clip_format
from asclip.towers.published import keys, resnet, timm_vit
from asclip.towers.published.build import build
from asclip.towers.published.heads import Head
from asclip.towers.published.reading import locate, read
from asclip.towers.published.table import Side, entry
from checkpoints import OFFICIAL, TEXTS, WORDS, biomedclip, clip, clip_like_tokenizer, tokenizer
from official import QuickGelu, ResNet, seeded

SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 96}


def pair(kind: str) -> nn.Module:
    """A small CLIPModel or SiglipModel."""
    import transformers as t

    vision = {**SIZES, "image_size": 32, "patch_size": 8}
    text = {**SIZES, "vocab_size": len(WORDS) + 2, "max_position_embeddings": 9}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    if kind == "siglip":
        config = t.SiglipConfig(vision_config=vision, text_config={**text, "projection_size": 64})
        return seeded(lambda: t.SiglipModel(config))
    last = len(WORDS) + 1
    text |= {"eos_token_id": last, "bos_token_id": last - 1}
    config = t.CLIPConfig(vision_config=vision, text_config=text, projection_dim=40)
    return seeded(lambda: t.CLIPModel(config))


def saved(kind: str, folder: Path) -> nn.Module:
    net = pair(kind)
    net.save_pretrained(folder)
    how = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "do_center_crop": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(how))
    return net


def siglip_tokenizer():
    return tokenizer(None, "<e>", ["<s>", "<e>"])


def tensor_of(out) -> torch.Tensor:
    return out if isinstance(out, torch.Tensor) else out.pooler_output


@torch.no_grad()
@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_pair_of_transformers_gives_its_own_embeddings(kind: str, tmp_path: Path) -> None:
    net = saved(kind, tmp_path)
    checkpoint = read(locate(str(tmp_path), entry("transformers").weights))
    words = siglip_tokenizer if kind == "siglip" else clip_like_tokenizer
    model = build(entry("transformers"), checkpoint, words)
    how = model.preprocessing
    assert (how.size, how.fit, how.mean, how.std) == (
        (32, 32), "squash", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4),
    )  # fmt: skip
    items = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    theirs = tensor_of(net.get_image_features(pixel_values=to_tensor(items, how)))
    torch.testing.assert_close(model.encode_pixels(items).pooled, theirs, rtol=1e-4, atol=1e-5)
    tokens = model.tokenizer.encode(TEXTS)
    ids = tokens.ids.masked_fill(~tokens.mask, 1)
    given = {"attention_mask": tokens.mask.long()}
    if kind == "siglip":  # reads texts filled up to its longest, padding and all
        ids, given = nn.functional.pad(ids, (0, 9 - ids.shape[1]), value=1), {}
    theirs = tensor_of(net.get_text_features(input_ids=ids, **given))
    torch.testing.assert_close(model.encode_texts(TEXTS).pooled, theirs, rtol=1e-4, atol=1e-5)
    local = model.encode_pixels(items, local=True).local
    assert local is not None
    assert local.shape == (3, 16, model.encoder.width)


def test_a_pair_that_lacks_a_key_or_has_one_more_is_refused(tmp_path: Path) -> None:
    saved("siglip", tmp_path)
    checkpoint = read(tmp_path / "model.safetensors")
    key = "vision_model.post_layernorm.weight"
    fewer = {name: value for name, value in checkpoint.tensors.items() if name != key}
    with pytest.raises(ModelError, match=r"1 weights are missing, first '.*post_layernorm\.weight"):
        build(entry("transformers"), replace(checkpoint, tensors=fewer), siglip_tokenizer)
    more = {**checkpoint.tensors, "text_model.surplus": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"not of this architecture, first '.*surplus'"):
        build(entry("transformers"), replace(checkpoint, tensors=more), siglip_tokenizer)
    odd = {**checkpoint.tensors, key: torch.zeros(3)}
    with pytest.raises(ModelError, match=r"have another shape, first '.*post_layernorm\.weight"):
        build(entry("transformers"), replace(checkpoint, tensors=odd), siglip_tokenizer)


def open_clip_folder(folder: Path, tensors: dict, values: dict) -> Path:
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tensors.items()}},
               folder / "open_clip_pytorch_model.bin")  # fmt: skip
    shown = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5], "resize_mode": "longest"}
    config = {"model_cfg": values, "preprocess_cfg": shown}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@torch.no_grad()
@pytest.mark.parametrize("quick", [True, False])
def test_open_clip_tells_its_activation_in_its_configuration(quick: bool, tmp_path: Path) -> None:
    """The wrong one would load without a word and be wrong by far more than rounding."""
    official = clip("chexzero", QuickGelu if quick else nn.GELU)
    values = {
        "quick_gelu": quick, "vision_cfg": {"layers": 2},
        "text_cfg": {"width": 64, "heads": 1, "context_length": 8},
    }  # fmt: skip
    one = entry("open-clip")
    path = locate(str(open_clip_folder(tmp_path, official.tensors, values)), one.weights)
    checkpoint = read(path, inside=one.inside, strip=one.strip)
    model = build(one, checkpoint, clip_like_tokenizer)
    assert (model.preprocessing.fit, model.preprocessing.mean) == ("pad", (0.1, 0.2, 0.3))
    assert model.encoder.text.config.max_tokens == 8
    tokens = model.tokenizer.encode(TEXTS)
    theirs = official.text(tokens.ids, tokens.mask)
    torch.testing.assert_close(model.encode_texts(TEXTS).pooled, theirs, rtol=1e-4, atol=1e-5)
    other = clip("chexzero", nn.GELU if quick else QuickGelu).text(tokens.ids, tokens.mask)
    assert (other - theirs).abs().max() > 1e-3


def test_open_clip_with_timm_and_bert_is_what_the_entry_of_biomedclip_says(tmp_path: Path) -> None:
    official = biomedclip()
    values = {
        "vision_cfg": {
            "timm_model_name": "vit_base_patch16_224", "timm_pool": "", "timm_proj": "linear"
        },
        "text_cfg": {
            "hf_model_name": "BERT", "hf_proj_type": "mlp", "context_length": 256,
            "hf_pooler_type": "cls_last_hidden_state_pooler",
        },
    }  # fmt: skip
    one = entry("open-clip")
    folder = open_clip_folder(tmp_path, official.tensors, values)
    checkpoint = read(locate(str(folder)), inside=one.inside, strip=one.strip)
    ours, other = build(one, checkpoint, official.tokenizer), official.model()
    state = other.encoder.state_dict()
    for key, value in ours.encoder.state_dict().items():
        assert torch.equal(value, state[key])
    for name in ("architecture", "pooling", "layers", "fill", "projection", "hidden"):
        assert getattr(ours.encoder.text.config, name) == getattr(other.encoder.text.config, name)
    for refused in ({"timm_pool": "avg"}, {"timm_model_name": "convnext_base"}):
        bad = {**values, "vision_cfg": {**values["vision_cfg"], **refused}}
        open_clip_folder(tmp_path, official.tensors, bad)
        with pytest.raises(ModelError, match="of timm's networks only plain vision transformers"):
            build(one, checkpoint, official.tokenizer)


@torch.no_grad()
@pytest.mark.parametrize("deep", [True, False])
def test_a_residual_network_of_either_block_has_torchvisions_features(deep: bool) -> None:
    net = seeded(lambda: ResNet(deep=deep))
    part = resnet.vision(net.state_dict(), "")
    assert part.architecture["layer_type"] == ("bottleneck" if deep else "basic")
    ours = hub.with_weights(part.architecture, keys.convert(net.state_dict(), part.layout), "it")
    x = torch.randn(2, 3, 64, 64)
    mean = ours.eval()(x).last_hidden_state.mean((2, 3))
    torch.testing.assert_close(mean, net(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_local_vectors_are_the_patches_in_the_joint_space() -> None:
    official = OFFICIAL["chexzero"]()
    tower = official.model().encoder.image
    x = torch.randn(2, 3, 32, 32)
    found, raw = tower(x), tower.raw(x)
    assert found.local.shape == (2, 16, 48)
    torch.testing.assert_close(found.local, raw.local @ official.tensors["visual.proj"])
    alone = ImageTower(ImageConfig.from_json(tower.config.to_json()))
    assert alone.grid == (4, 4)
    with pytest.raises(ModelError, match="has no summary 'head'"):
        ImageTower(replace(tower.config, summary="head"))


@torch.no_grad()
def test_the_plain_vision_transformer_is_timms() -> None:
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    net = seeded(
        lambda: timm.create_model(
            "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2,
            num_classes=0,
        )
    )  # fmt: skip
    part = timm_vit.vision(net.state_dict(), "")
    ours = hub.with_weights(part.architecture, keys.convert(net.state_dict(), part.layout), "it")
    x = torch.randn(2, 3, 32, 32)
    first = ours.eval()(pixel_values=x).last_hidden_state[:, 0]
    torch.testing.assert_close(first, net(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("quick", [True, False])
def test_the_plain_clip_is_open_clips(quick: bool) -> None:
    open_clip = pytest.importorskip("open_clip", reason="the extra openclip is not installed")
    vision = {"layers": 2, "width": 128, "patch_size": 8, "image_size": 32}
    text = {"context_length": 12, "vocab_size": len(WORDS) + 2, "width": 64, "heads": 1}
    text |= {"layers": 2}
    net = seeded(lambda: open_clip.CLIP(48, vision, text, quick_gelu=quick))
    state = net.state_dict()
    one = replace(
        entry("quiltnet-b-32"),
        image=Side("clip", "visual.", Head("matrix", "visual.proj"),
                   activation="quick_gelu" if quick else "gelu"),
        text=Side("clip", "", Head("matrix", "text_projection"), pooling="last",
                  activation="quick_gelu" if quick else "gelu"),
    )  # fmt: skip
    official = clip("chexzero", QuickGelu)
    model = build(one, official.checkpoint(state), clip_like_tokenizer)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(
        model.encoder.image(x).pooled, net.encode_image(x), rtol=1e-4, atol=1e-5
    )
    tokens = model.tokenizer.encode(TEXTS)
    ids = nn.functional.pad(tokens.ids, (0, 12 - tokens.ids.shape[1]))
    torch.testing.assert_close(
        model.encode_texts(TEXTS).pooled, net.encode_text(ids), rtol=1e-4, atol=1e-5
    )
    assert clip_format.text(state, "", "gelu").architecture["max_position_embeddings"] == 12
