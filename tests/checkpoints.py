"""Checkpoints of every loadable entry with its official keys, and what its own code would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asclip.towers.published.build import build
from asclip.towers.published.reading import Checkpoint
from asclip.towers.published.table import Entry, entry
from asclip.towers.tokenizer import Tokenizer
from official import Clip, QuickGelu, ResNet, TimmVit, seeded

WORDS = "the heart is enlarged no pleural effusion mass seen on right left lung clear".split()
TEXTS = ["the heart is enlarged", "no effusion", "mass seen on the right lung"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def tokenizer(start: str | None, end: str, special: list[str]) -> Tokenizer:
    """One id a word, with a start and an end token; the specials come first, or last for CLIP."""
    from tokenizers import Tokenizer as Core
    from tokenizers import models, pre_tokenizers, processors

    pieces = [*special, *WORDS] if special[0] == "[PAD]" else [*WORDS, *special]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    core = Core(models.WordLevel(vocabulary, unk_token=special[1]))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, vocabulary[name]) for name in dict.fromkeys([start or end, end])]
    core.post_processor = processors.TemplateProcessing(
        single=f"{start + ' ' if start else ''}$A {end}", special_tokens=ends
    )
    return Tokenizer(core)


def bert_tokenizer() -> Tokenizer:
    return tokenizer("[CLS]", "[SEP]", BERT_SPECIAL)


def clip_like_tokenizer() -> Tokenizer:
    return tokenizer("<s>", "<e>", ["<s>", "<e>"])


@dataclass
class Official:
    """A checkpoint, its entry at a small size, and the publishers' forward passes."""

    entry: Entry
    tensors: dict[str, Tensor]
    tokenizer: Callable[[], Tokenizer]
    image: Callable[[Tensor], Tensor]
    text: Callable[[Tensor, Tensor], Tensor]

    def checkpoint(self, changed: dict[str, Tensor] | None = None) -> Checkpoint:
        tensors = self.tensors if changed is None else changed
        return Checkpoint(tensors, "tiny.pt", "0" * 64, Path("nowhere"))

    def model(self) -> Any:
        return build(self.entry, self.checkpoint(), self.tokenizer)

    def items(self) -> np.ndarray:
        size = self.model().preprocessing.item_shape
        return np.random.default_rng(0).integers(0, 256, (3, *size), dtype=np.uint8)


def under(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {prefix + key: value.clone() for key, value in module.state_dict().items()}


def bert() -> Any:
    import transformers

    config = transformers.BertConfig(
        hidden_size=128, num_hidden_layers=3, num_attention_heads=2, intermediate_size=160,
        vocab_size=len(WORDS) + len(BERT_SPECIAL), max_position_embeddings=20,
    )  # fmt: skip
    return seeded(lambda: transformers.BertModel(config), 1)


def hidden(net: Any, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    out = net(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
    return out.hidden_states


def head(into: int, out: int, bias: bool = False) -> nn.Linear:
    return seeded(lambda: nn.Linear(into, out, bias=bias), into + out)


SCALE = {"logit_scale": torch.tensor(2.5)}


def clip(name: str, activation: Any) -> Official:
    net = seeded(lambda: Clip(len(WORDS) + 2, activation))
    return Official(entry(name), under("", net), clip_like_tokenizer, net.image, net.text)


def mlp(out: int) -> nn.Sequential:
    return nn.Sequential(head(128, 96), nn.GELU(), head(96, out))


def biomedclip(name: str = "biomedclip") -> Official:
    trunk, text, first, last = seeded(TimmVit), bert(), head(128, 48), mlp(48)
    tensors = {
        **under("visual.trunk.", trunk), **under("visual.head.proj.", first),
        **under("text.transformer.", text), **under("text.proj.", last), **SCALE,
        "text.transformer.embeddings.position_ids": torch.arange(20)[None],
    }  # fmt: skip
    return Official(
        entry(name), tensors, bert_tokenizer, lambda x: first(trunk(x)),
        lambda ids, mask: last(hidden(text, ids, mask)[-1][:, 0]),
    )  # fmt: skip


def unimed() -> Official:
    net, text, last = seeded(lambda: Clip(4, QuickGelu)), bert(), mlp(48)
    tensors = {
        **under("visual.", net.visual), **under("text_encoder.transformer.", text),
        **under("text_encoder.proj.", last), **SCALE,
    }  # fmt: skip
    return Official(
        entry("unimed-clip-b16"), tensors, bert_tokenizer, net.image,
        lambda ids, mask: last(hidden(text, ids, mask)[-1][:, 0]),
    )  # fmt: skip


def swin() -> tuple[Any, dict[str, Tensor]]:
    """A Swin of transformers and its tensors under the names that the hub has."""
    import transformers

    config = transformers.SwinConfig(
        image_size=56, patch_size=4, embed_dim=16, depths=[2, 1], num_heads=[2, 4], window_size=7
    )
    net = seeded(lambda: transformers.SwinModel(config), 2)
    renamed = {}
    for key, value in net.state_dict().items():
        for new, old in (
            ("attention.q_proj", "attention.self.query"),
            ("attention.k_proj", "attention.self.key"),
            ("attention.v_proj", "attention.self.value"),
            ("attention.o_proj", "attention.output.dense"),
            ("attention.relative_position_bias.", "attention.self."),
            ("mlp.fc1", "intermediate.dense"),
            ("mlp.fc2", "output.dense"),
        ):
            key = key.replace(new, old)
        renamed[key] = value.clone()
    return net, renamed


def three_layers(states: tuple[Tensor, ...], mask: Tensor) -> Tensor:
    """Mean of the hidden states 1, 2 and the last, over the tokens of the text."""
    mean = torch.stack([states[1], states[2], states[-1]]).mean(0)
    return (mean * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def medclip(name: str) -> Official:
    text, last, size = bert(), head(128, 24), 64
    if name == "medclip-vit":
        net, tensors = swin()
        first, size = head(32, 24), 56
        tensors = {f"vision_model.model.{key}": value for key, value in tensors.items()}
        index = "vision_model.model.encoder.layers.0.blocks.1.attention.self."
        tensors |= {f"{index}relative_position_index": torch.zeros(49, 49)}
        tensors |= under("vision_model.projection_head.", first)

        def image(x):
            return first(net(x).pooler_output)
    else:
        grid = seeded(ResNet)
        first = head(128, 24)
        tensors = under("vision_model.model.", grid) | under("vision_model.model.fc.", first)

        def image(x):
            return first(grid(x))

    tensors |= under("text_model.model.", text) | under("text_model.projection_head.", last) | SCALE
    one = replace(entry(name), size=(size, size))
    return Official(
        one, tensors, bert_tokenizer, image,
        lambda ids, mask: last(three_layers(hidden(text, ids, mask), mask)),
    )  # fmt: skip


def flair() -> Official:
    grid, text = seeded(ResNet), bert()
    first, last = head(128, 24), seeded(lambda: nn.Linear(128, 24, bias=False), 7)
    tensors = {
        **under("vision_model.model.", grid), **under("text_model.model.", text),
        **under("vision_model.projection_head_vision.projection.", first),
        **under("text_model.projection_head_text.projection.", last), **SCALE,
    }  # fmt: skip

    def unit(x):
        return x / x.norm(dim=1, keepdim=True)

    return Official(
        replace(entry("flair"), size=(64, 64)), tensors, bert_tokenizer,
        lambda x: first(unit(grid(x))),
        lambda ids, mask: last(unit(three_layers(hidden(text, ids, mask), mask))),
    )  # fmt: skip


def cxr_clip(name: str) -> Official:
    text, last, size = bert(), head(128, 24, True), 64
    if name == "cxr-clip-swin":
        net, tensors = swin()
        first, size = head(32, 24, True), 56
        tensors = {f"image_encoder.image_encoder.{key}": value for key, value in tensors.items()}

        def image(x):
            return first(net(x).last_hidden_state[:, 0])
    else:
        grid = seeded(ResNet)
        first = head(128, 24, True)
        tensors = under("image_encoder.resnet.", grid)

        def image(x):
            return first(grid(x))

    tensors |= under("text_encoder.text_encoder.", text) | SCALE
    tensors |= under("image_projection.projection.", first)
    tensors |= under("text_projection.projection.", last)

    def read(ids, mask):
        return last(hidden(text, ids, mask)[-1][torch.arange(len(ids)), mask.sum(1) - 1])

    one = replace(entry(name), size=(size, size))
    return Official(one, tensors, bert_tokenizer, image, read)


OFFICIAL: dict[str, Callable[[], Official]] = {
    "chexzero": lambda: clip("chexzero", QuickGelu),
    "quiltnet-b-32": lambda: clip("quiltnet-b-32", nn.GELU),
    "biomedclip": biomedclip,
    "quiltnet-b-16-pmb": lambda: biomedclip("quiltnet-b-16-pmb"),
    "unimed-clip-b16": unimed,
    "medclip-vit": lambda: medclip("medclip-vit"),
    "medclip-resnet50": lambda: medclip("medclip-resnet50"),
    "cxr-clip-swin": lambda: cxr_clip("cxr-clip-swin"),
    "cxr-clip-resnet50": lambda: cxr_clip("cxr-clip-resnet50"),
    "flair": flair,
}
