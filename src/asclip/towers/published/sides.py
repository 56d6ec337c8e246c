"""Where the two towers lie, as the configuration beside the weights tells it.

config.json             CLIPModel and SiglipModel of transformers
open_clip_config.json   open_clip: vision transformers of its own or of timm, texts of its own
                        or a BERT of transformers
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from asclip.errors import ModelError
from asclip.towers import hub
from asclip.towers.published.heads import Head
from asclip.towers.published.keys import Part
from asclip.towers.published.reading import Checkpoint
from asclip.towers.published.table import Side

_POOLINGS = {"cls_last_hidden_state_pooler": "first", "mean_pooler": "mean"}
_FITS = {"shortest": "crop", "longest": "pad", "squash": "squash"}


@dataclass(frozen=True, slots=True)
class Told:
    """The sides, and what of the input the configuration says: size, mean, std, fit, context."""

    image: Side
    text: Side
    input: dict[str, Any] = field(default_factory=dict)


def transformers(checkpoint: Checkpoint) -> Told:
    """The sides of a CLIPModel or SiglipModel."""
    config = checkpoint.config("config.json")
    kind = config.get("model_type")
    if kind not in ("clip", "siglip"):
        raise ModelError(
            f"config.json must be that of a CLIPModel or SiglipModel, got model_type {kind!r}"
        )
    found = _processor(checkpoint)
    if kind == "clip":
        image = Side("transformers", "vision_model.", Head("linear", "visual_projection"))
        text = Side(
            "transformers", "text_model.", Head("linear", "text_projection"), pooling="last"
        )
        return Told(image, text, found)
    inner = _architecture(checkpoint, "text_config")
    image = Side("transformers", "vision_model.", Head("identity"), summary="head")
    text = Side(
        "transformers",
        "text_model.",
        Head("linear", "text_model.head", bias=True),
        pooling="last",
        fill=int(inner["pad_token_id"]),
    )
    return Told(image, text, found)


def part(checkpoint: Checkpoint, side: Side, which: str) -> Part:
    """The backbone of a CLIPModel or SiglipModel; `which` is "vision_config" or "text_config"."""
    architecture = _architecture(checkpoint, which)
    size = architecture.get("image_size")
    return Part(
        architecture,
        side.prefix,
        None,
        int(architecture["hidden_size"]),
        None if size is None else (int(size), int(size)),
    )


def _architecture(checkpoint: Checkpoint, which: str) -> dict[str, Any]:
    source = str(checkpoint.folder)
    return hub.read_architecture(source, part=which, changes={}, local_files_only=True)


def _processor(checkpoint: Checkpoint) -> dict[str, Any]:
    if not (checkpoint.folder / "preprocessor_config.json").is_file():
        return {}
    values = checkpoint.config("preprocessor_config.json")
    found: dict[str, Any] = {"fit": "crop" if values.get("do_center_crop") else "squash"}
    for name in ("mean", "std"):
        if values.get(f"image_{name}"):
            found[name] = tuple(map(float, values[f"image_{name}"]))
    return found


def open_clip(checkpoint: Checkpoint) -> Told:
    """The sides of an open_clip model, and its input."""
    config = checkpoint.config("open_clip_config.json")
    values, shown = config.get("model_cfg", config), config.get("preprocess_cfg", {})
    vision, text = values.get("vision_cfg", {}), values.get("text_cfg", {})
    activation = "quick_gelu" if values.get("quick_gelu") else "gelu"
    found: dict[str, Any] = {
        name: tuple(map(float, shown[name])) for name in ("mean", "std") if shown.get(name)
    }
    found["fit"] = _FITS.get(shown.get("resize_mode", "shortest"), "crop")
    if "context_length" in text:
        found["context"] = int(text["context_length"])
    return Told(_vision(vision, activation), _text(text, activation, checkpoint), found)


def _vision(values: dict[str, Any], activation: str) -> Side:
    name = values.get("timm_model_name")
    if name is None:
        _plain("vision_cfg", values, {"attentional_pool", "no_ln_pre", "final_ln_after_pool"})
        if isinstance(values.get("layers"), list):
            raise ModelError(
                "open_clip's residual networks have no tower; use a vision transformer"
            )
        width = int(values.get("head_width", 64))
        return Side(
            "clip",
            "visual.",
            Head("matrix", "visual.proj"),
            activation=activation,
            head_width=width,
        )
    if (
        not re.fullmatch(r"vit_\w+_patch\d+_\d+", name)
        or values.get("timm_pool", "") not in ("", "token")
        or values.get("timm_proj") != "linear"
    ):
        raise ModelError(
            "of timm's networks only plain vision transformers with class token and linear "
            f"projection have a tower, got {name!r}, pool {values.get('timm_pool')!r}, projection "
            f"{values.get('timm_proj')!r}"
        )
    return Side("timm_vit", "visual.trunk.", Head("linear", "visual.head.proj"))


def _text(values: dict[str, Any], activation: str, checkpoint: Checkpoint) -> Side:
    if values.get("hf_model_name") is None:
        _plain("text_cfg", values, {"embed_cls", "no_causal_mask", "final_ln_after_pool"})
        apart = "text." if "text.token_embedding.weight" in checkpoint.tensors else ""
        heads = int(values.get("width", 512)) // int(values.get("heads", 8))
        return Side(
            "clip",
            apart,
            Head("matrix", f"{apart}text_projection"),
            pooling="last",
            activation=activation,
            head_width=heads,
        )
    pooler, kind = values.get("hf_pooler_type"), values.get("hf_proj_type")
    if pooler not in _POOLINGS or kind not in ("mlp", "linear"):
        raise ModelError(
            f"a text encoder of transformers must have one of the poolers {', '.join(_POOLINGS)} "
            f"and an mlp or linear projection, got {pooler!r} and {kind!r}"
        )
    return Side("bert", "text.transformer.", Head(kind, "text.proj"), pooling=_POOLINGS[pooler])


def _plain(name: str, values: dict[str, Any], refused: set[str]) -> None:
    """ModelError where a configuration asks for a network that no format describes."""
    wanted = sorted(key for key in refused if values.get(key))
    if wanted:
        raise ModelError(
            f"{name} of open_clip_config.json asks for {wanted[0]}, which no tower has"
        )
