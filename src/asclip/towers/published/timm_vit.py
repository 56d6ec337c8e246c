"""Vision transformers as timm (and DeiT, BLIP) name them.

    blocks.0.attn.qkv.weight [3 F, F] -> encoder.layer.0.attention.attention.query.weight ...

GELU is the exact one, the LayerNorms add 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from asclip.errors import ModelError
from asclip.towers.published.keys import Layout, Part, Row, depth, fused, linear, norm, shape

HEAD = 64  # width of an attention head: of tiny, small, base and large alike


def vision(tensors: Mapping[str, Tensor], prefix: str) -> Part:
    """The image transformer; class token first, the last norm on all tokens."""
    width, channels, patch, _ = shape(tensors, f"{prefix}patch_embed.proj.weight", 4)
    positions = shape(tensors, f"{prefix}pos_embed", 3)[1]
    side = math.isqrt(positions - 1)
    if side * side != positions - 1 or width % HEAD:
        raise ModelError(
            f"a timm vision transformer must have a class token, n x n patches and heads "
            f"of {HEAD}, got {positions} positions of width {width}"
        )
    layers = depth(tensors, f"{prefix}blocks.")
    inner = shape(tensors, f"{prefix}blocks.0.mlp.fc1.weight", 2)[0]
    patches = "embeddings.patch_embeddings.projection"
    layout: Layout = {
        f"{prefix}cls_token": Row((1, 1, width), ("embeddings.cls_token",)),
        f"{prefix}pos_embed": Row((1, positions, width), ("embeddings.position_embeddings",)),
        f"{prefix}patch_embed.proj.weight": Row(
            (width, channels, patch, patch), (f"{patches}.weight",)
        ),
        f"{prefix}patch_embed.proj.bias": Row((width,), (f"{patches}.bias",)),
        **norm(f"{prefix}norm", "layernorm", width),
    }
    for i in range(layers):
        old, new = f"{prefix}blocks.{i}.", f"encoder.layer.{i}."
        attention = [f"{new}attention.attention.{name}" for name in ("query", "key", "value")]
        layout |= {
            **norm(f"{old}norm1", f"{new}layernorm_before", width),
            **fused(f"{old}attn.qkv.weight", f"{old}attn.qkv.bias", attention, width),
            **linear(f"{old}attn.proj", f"{new}attention.output.dense", width, width),
            **norm(f"{old}norm2", f"{new}layernorm_after", width),
            **linear(f"{old}mlp.fc1", f"{new}intermediate.dense", inner, width),
            **linear(f"{old}mlp.fc2", f"{new}output.dense", width, inner),
        }
    architecture = {
        "model_type": "vit",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": width // HEAD,
        "image_size": side * patch,
        "patch_size": patch,
        "num_channels": channels,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
    }
    return Part(architecture, prefix, layout, width, (side * patch, side * patch))
