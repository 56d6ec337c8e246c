"""OpenAI's CLIP and open_clip: vision transformers and the causal text transformer.

    visual.transformer.resblocks.0.attn.in_proj_weight [3 F, F]
        -> vision_model.encoder.layers.0.self_attn.{q,k,v}_proj.weight [F, F] each

Shapes do not tell QuickGELU, x sigmoid(1.702 x), from GELU: the entry or its configuration does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from asclip.errors import ModelError
from asclip.towers.published.keys import Layout, Part, Row, depth, fused, linear, norm, shape


def vision(
    tensors: Mapping[str, Tensor], prefix: str, activation: str, head_width: int = 64
) -> Part:
    """The image transformer; class token first, `post_layernorm` on all tokens."""
    width, channels, patch, _ = shape(tensors, f"{prefix}conv1.weight", 4)
    positions = shape(tensors, f"{prefix}positional_embedding", 2)[0]
    side = math.isqrt(positions - 1)
    if side * side != positions - 1:
        raise ModelError(
            f"'{prefix}positional_embedding' must have one row for the class token and one for "
            f"each of n x n patches, got {positions} rows"
        )
    layers, inner = _blocks(tensors, f"{prefix}transformer.resblocks.")
    new = "vision_model."
    layout = {
        f"{prefix}class_embedding": Row((width,), (f"{new}embeddings.class_embedding",)),
        f"{prefix}positional_embedding": Row(
            (positions, width), (f"{new}embeddings.position_embedding.weight",)
        ),
        f"{prefix}conv1.weight": Row(
            (width, channels, patch, patch), (f"{new}embeddings.patch_embedding.weight",)
        ),
        **norm(f"{prefix}ln_pre", f"{new}pre_layrnorm", width),
        **_transformer(f"{prefix}transformer.resblocks.", new, layers, width, inner),
        **norm(f"{prefix}ln_post", f"{new}post_layernorm", width),
    }
    architecture = {
        "model_type": "clip_vision_model",
        "image_size": side * patch,
        "patch_size": patch,
        "num_channels": channels,
        **_common(width, inner, layers, activation, head_width),
    }
    return Part(architecture, prefix, layout, width, (side * patch, side * patch))


def text(tensors: Mapping[str, Tensor], prefix: str, activation: str, head_width: int = 64) -> Part:
    """The text transformer; each token sees those before it, so that the last has read them all."""
    vocabulary, width = shape(tensors, f"{prefix}token_embedding.weight", 2)
    positions = shape(tensors, f"{prefix}positional_embedding", 2)[0]
    layers, inner = _blocks(tensors, f"{prefix}transformer.resblocks.")
    new = "text_model."
    layout = {
        f"{prefix}token_embedding.weight": Row(
            (vocabulary, width), (f"{new}embeddings.token_embedding.weight",)
        ),
        f"{prefix}positional_embedding": Row(
            (positions, width), (f"{new}embeddings.position_embedding.weight",)
        ),
        **_transformer(f"{prefix}transformer.resblocks.", new, layers, width, inner),
        **norm(f"{prefix}ln_final", f"{new}final_layer_norm", width),
    }
    architecture = {
        "model_type": "clip_text_model",
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        # Read by no tower, which pools by itself; the usual ones must be ids of the vocabulary.
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        **_common(width, inner, layers, activation, head_width),
    }
    return Part(architecture, prefix, layout, width)


def _common(
    width: int, inner: int, layers: int, activation: str, head_width: int
) -> dict[str, int | float | str]:
    if width % head_width:
        raise ModelError(
            f"a transformer of width {width} must have heads of {head_width}; this one has others"
        )
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": width // head_width,
        "hidden_act": activation,
        "layer_norm_eps": 1e-5,
    }


def _blocks(tensors: Mapping[str, Tensor], prefix: str) -> tuple[int, int]:
    """(number of blocks, inner width of an MLP)."""
    return depth(tensors, prefix), shape(tensors, f"{prefix}0.mlp.c_fc.weight", 2)[0]


def _transformer(old: str, new: str, layers: int, width: int, inner: int) -> Layout:
    layout: Layout = {}
    for i in range(layers):
        one, other = f"{old}{i}.", f"{new}encoder.layers.{i}."
        attention = [f"{other}self_attn.{name}_proj" for name in "qkv"]
        layout |= {
            **norm(f"{one}ln_1", f"{other}layer_norm1", width),
            **fused(f"{one}attn.in_proj_weight", f"{one}attn.in_proj_bias", attention, width),
            **linear(f"{one}attn.out_proj", f"{other}self_attn.out_proj", width, width),
            **norm(f"{one}ln_2", f"{other}layer_norm2", width),
            **linear(f"{one}mlp.c_fc", f"{other}mlp.fc1", inner, width),
            **linear(f"{one}mlp.c_proj", f"{other}mlp.fc2", width, inner),
        }
    return layout
