"""A checkpoint and the entry that describes it -> a `Model` of Asclip's own towers.

All official keys are checked before anything is built; afterwards the model needs neither the file
nor a further package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.towers import hub
from asclip.towers.image import ImageConfig, ImageTower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.published import bert, clip, heads, keys, resnet, sides, swin, timm_vit
from asclip.towers.published.keys import Layout, Part, Row
from asclip.towers.published.reading import Checkpoint
from asclip.towers.published.table import Entry, Side
from asclip.towers.text import TextConfig, TextTower
from asclip.towers.tokenizer import Tokenizer

_CONFIGURED: dict[str, Callable[[Checkpoint], sides.Told]] = {
    "open_clip": sides.open_clip,
    "transformers": sides.transformers,
}


@dataclass(frozen=True, slots=True)
class Tower:
    """One side of a checkpoint: how the entry describes it, and what was found."""

    side: Side
    part: Part
    head: heads.Found

    def load(
        self, tower: ImageTower | TextTower, net: nn.Module, tensors: dict[str, Tensor]
    ) -> None:
        """Copy the weights of this side into a tower whose backbone's network is `net`."""
        if self.part.layout is None:
            own = {k: keys.plain(v) for k, v in tensors.items() if k.startswith(self.part.prefix)}
        else:
            own = keys.convert(tensors, self.part.layout)
        what = f"the {type(tower).__name__} under {self.part.prefix!r}"
        net.load_state_dict(hub.with_weights(self.part.architecture, own, what).state_dict())
        tower.projection.load_state_dict(heads.state(self.side.head, self.head, tensors))


def build(entry: Entry, checkpoint: Checkpoint, tokenizer: Callable[[], Tokenizer]) -> Model:
    """The model, in evaluation mode; `tokenizer` is asked for once the weights are known to fit.

    Raises:
        ModelError: there is no tower for it, or a key, a shape or the vocabulary does not fit.
    """
    if not entry.loads:
        raise ModelError(f"{entry.title} cannot be added: {entry.reason}; see {entry.page}")
    told = _told(entry, checkpoint)
    tensors = checkpoint.tensors
    image = _tower(told.image, _vision(told.image, checkpoint, entry), tensors)
    text = _tower(told.text, _text(told.text, checkpoint), tensors)
    _check(entry, checkpoint, image, text)
    if image.head.width != text.head.width:
        raise ModelError(
            f"both towers must have one width, got {image.head.width} and {text.head.width}; the "
            "file is not that of this model"
        )
    how = _preprocessing(entry, told.input, image.part)
    words = tokenizer()
    encoder = DualEncoder(
        _image_tower(entry, image, how, tensors),
        _text_tower(entry, text, told.input, words, tensors),
    )
    return Model(encoder.eval(), words, how, scale=_scale(entry, tensors))


def _told(entry: Entry, checkpoint: Checkpoint) -> sides.Told:
    if entry.configured:
        return _CONFIGURED[entry.configured](checkpoint)
    assert entry.image is not None
    assert entry.text is not None
    return sides.Told(entry.image, entry.text)


def _tower(side: Side, part: Part, tensors: Mapping[str, Tensor]) -> Tower:
    return Tower(side, part, heads.find(side.head, tensors, part.features))


def _vision(side: Side, checkpoint: Checkpoint, entry: Entry) -> Part:
    tensors = checkpoint.tensors
    if side.format == "clip":
        return clip.vision(tensors, side.prefix, side.activation, side.head_width)
    if side.format == "timm_vit":
        return timm_vit.vision(tensors, side.prefix)
    if side.format == "resnet":
        return resnet.vision(tensors, side.prefix)
    if side.format == "swin":
        assert entry.size is not None
        return swin.vision(tensors, side.prefix, entry.size)
    return sides.part(checkpoint, side, "vision_config")


def _text(side: Side, checkpoint: Checkpoint) -> Part:
    if side.format == "clip":
        return clip.text(checkpoint.tensors, side.prefix, side.activation, side.head_width)
    if side.format == "bert":
        return bert.text(checkpoint.tensors, side.prefix)
    return sides.part(checkpoint, side, "text_config")


def _check(entry: Entry, checkpoint: Checkpoint, image: Tower, text: Tower) -> None:
    """Every key of the file is used, or named by the entry; every key that is needed is there."""
    layout: Layout = {}
    for tower in (image, text):
        layout |= (tower.part.layout or {}) | tower.head.layout
    if entry.scale_key:
        held = checkpoint.tensors.get(entry.scale_key)
        layout[entry.scale_key] = Row(tuple(held.shape) if held is not None else ())
        if held is not None and held.numel() != 1:
            raise ModelError(f"{entry.scale_key!r} must be one number, got {tuple(held.shape)}")
    whole = [tower.part.prefix for tower in (image, text) if tower.part.layout is None]
    what = f"{checkpoint.file} as {entry.name}"
    keys.check(checkpoint.tensors, layout, [*entry.unused, *whole], what)


def _preprocessing(entry: Entry, told: dict[str, Any], part: Part) -> Preprocessing:
    """What the network's positions say, then the configuration, then the entry."""
    values = {
        "size": part.size or entry.size,
        "mean": told.get("mean", entry.mean),
        "std": told.get("std", entry.std),
    }
    lacking = [name for name, value in values.items() if value is None]
    if lacking:
        raise ModelError(
            f"the {' and '.join(lacking)} of the images must stand in preprocessor_config.json or "
            "open_clip_config.json beside the weights; give the whole folder"
        )
    return Preprocessing(channels=entry.channels, fit=told.get("fit", entry.fit), **values)


def _image_tower(
    entry: Entry, found: Tower, how: Preprocessing, tensors: dict[str, Tensor]
) -> ImageTower:
    tower = ImageTower(
        ImageConfig(
            "hf",
            width=found.head.width,
            channels=how.channels,
            size=how.size,
            hidden=found.head.hidden,
            architecture=found.part.architecture,
            weights=entry.name,
            summary=found.side.summary,
            projection="plain",
        )
    )
    found.load(tower, tower.backbone.net, tensors)
    return tower


def _text_tower(
    entry: Entry,
    found: Tower,
    told: dict[str, Any],
    tokenizer: Tokenizer,
    tensors: dict[str, Tensor],
) -> TextTower:
    architecture = found.part.architecture
    vocabulary, positions = (
        int(architecture[name]) for name in ("vocab_size", "max_position_embeddings")
    )
    if tokenizer.vocabulary != vocabulary:
        raise ModelError(
            f"{entry.name} has {vocabulary:,} tokens and the tokenizer {tokenizer.vocabulary:,}; "
            f"give its own with --tokenizer{f': {entry.tokenizer}' if entry.tokenizer else ''}"
        )
    tower = TextTower(
        TextConfig(
            "hf",
            width=found.head.width,
            vocabulary=vocabulary,
            max_tokens=min(positions, told.get("context", entry.context) or positions),
            pooling=found.side.pooling,
            hidden=found.head.hidden,
            architecture=architecture,
            weights=entry.name,
            projection="plain",
            layers=found.side.layers,
            fill=found.side.fill,
        )
    )
    found.load(tower, tower.backbone, tensors)
    return tower


def _scale(entry: Entry, tensors: Mapping[str, Tensor]) -> float:
    """What a cosine is multiplied with."""
    if not entry.scale_key:
        return 1.0
    scale = math.exp(float(tensors[entry.scale_key]))
    return scale if entry.scale_most is None else min(scale, entry.scale_most)
