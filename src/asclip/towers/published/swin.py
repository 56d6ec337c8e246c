"""Swin transformers under the names that `transformers` saves them with on the hub.

The window w comes from the table of relative positions, [(2 w - 1)^2, heads]; the tables of indices
are computed, so those of the file are not read. GELU is the exact one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from asclip.towers.published.keys import Layout, Part, Row, depth, linear, norm, shape


def vision(tensors: Mapping[str, Tensor], prefix: str, size: tuple[int, int]) -> Part:
    """The image transformer for images of `size` (H, W); it has no class token."""
    width, channels, patch, _ = shape(
        tensors, f"{prefix}embeddings.patch_embeddings.projection.weight", 4
    )
    stages = depth(tensors, f"{prefix}encoder.layers.")
    depths = [depth(tensors, f"{prefix}encoder.layers.{s}.blocks.") for s in range(stages)]
    bias = "attention.self.relative_position_bias_table"
    tables = [
        shape(tensors, f"{prefix}encoder.layers.{s}.blocks.0.{bias}", 2) for s in range(stages)
    ]
    window = (math.isqrt(tables[0][0]) + 1) // 2
    inner = shape(tensors, f"{prefix}encoder.layers.0.blocks.0.intermediate.dense.weight", 2)[0]
    first = "embeddings.patch_embeddings.projection"
    layout: Layout = {
        f"{prefix}{first}.weight": Row((width, channels, patch, patch), (f"{first}.weight",)),
        f"{prefix}{first}.bias": Row((width,), (f"{first}.bias",)),
        **norm(f"{prefix}embeddings.norm", "embeddings.norm", width),
    }
    for s, (blocks, (_, heads)) in enumerate(zip(depths, tables, strict=True)):
        wide, table = width * 2**s, ((2 * window - 1) ** 2, heads)
        for b in range(blocks):
            new = f"encoder.layers.{s}.blocks.{b}."
            layout |= _block(prefix, new, wide, inner * 2**s, table)
        if s + 1 < stages:
            new = f"encoder.layers.{s}.downsample."
            key = f"{new}reduction.weight"
            layout[prefix + key] = Row((2 * wide, 4 * wide), (key,))
            layout |= norm(f"{prefix}{new}norm", f"{new}norm", 4 * wide)
    features = width * 2 ** (stages - 1)
    layout |= norm(f"{prefix}layernorm", "layernorm", features)
    architecture = {
        "model_type": "swin",
        "image_size": list(size),
        "patch_size": patch,
        "num_channels": channels,
        "embed_dim": width,
        "depths": depths,
        "num_heads": [heads for _, heads in tables],
        "window_size": window,
        "mlp_ratio": inner / width,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "qkv_bias": True,
    }
    return Part(architecture, prefix, layout, features, size)


def _block(prefix: str, new: str, width: int, inner: int, table: tuple[int, ...]) -> Layout:
    old = prefix + new
    bias = f"{new}attention.self.relative_position_bias_table"
    layout: Layout = {
        prefix + bias: Row(table, (bias,)),
        f"{old}attention.self.relative_position_index": Row((), optional=True),
    }
    for name in ("query", "key", "value"):
        layout |= linear(f"{old}attention.self.{name}", f"{new}attention.self.{name}", width, width)
    return layout | {
        **norm(f"{old}layernorm_before", f"{new}layernorm_before", width),
        **linear(f"{old}attention.output.dense", f"{new}attention.output.dense", width, width),
        **norm(f"{old}layernorm_after", f"{new}layernorm_after", width),
        **linear(f"{old}intermediate.dense", f"{new}intermediate.dense", inner, width),
        **linear(f"{old}output.dense", f"{new}output.dense", width, inner),
    }
