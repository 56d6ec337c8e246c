"""BERT text encoders, under the names of `transformers`; the pooler is not read.

Widths, layers and vocabulary come from shapes; an attention head is 64 wide in every size.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from asclip.errors import ModelError
from asclip.towers.published.keys import Layout, Part, Row, depth, linear, norm, shape

HEAD = 64


def text(tensors: Mapping[str, Tensor], prefix: str) -> Part:
    """The text encoder."""
    vocabulary, width = shape(tensors, f"{prefix}embeddings.word_embeddings.weight", 2)
    positions = shape(tensors, f"{prefix}embeddings.position_embeddings.weight", 2)[0]
    types = shape(tensors, f"{prefix}embeddings.token_type_embeddings.weight", 2)[0]
    layers = depth(tensors, f"{prefix}encoder.layer.")
    inner = shape(tensors, f"{prefix}encoder.layer.0.intermediate.dense.weight", 2)[0]
    if width % HEAD:
        raise ModelError(f"a BERT must have heads of {HEAD}, got the width {width}")

    def embedding(name: str, rows: int) -> Layout:
        key = f"embeddings.{name}_embeddings.weight"
        return {prefix + key: Row((rows, width), (key,))}

    layout = {
        **embedding("word", vocabulary),
        **embedding("position", positions),
        **embedding("token_type", types),
        **norm(f"{prefix}embeddings.LayerNorm", "embeddings.LayerNorm", width),
    }
    for i in range(layers):
        layout |= _layer(prefix, f"encoder.layer.{i}.", width, inner)
    for key in ("embeddings.position_ids", "embeddings.token_type_ids"):
        layout[prefix + key] = Row((), optional=True)
    for key in ("pooler.dense.weight", "pooler.dense.bias"):
        layout[prefix + key] = Row((), optional=True)
    architecture = {
        "model_type": "bert",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": width // HEAD,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    return Part(architecture, prefix, layout, width)


def _layer(prefix: str, new: str, width: int, inner: int) -> Layout:
    old = prefix + new
    layout: Layout = {}
    for name in ("query", "key", "value"):
        layout |= linear(f"{old}attention.self.{name}", f"{new}attention.self.{name}", width, width)
    return layout | {
        **linear(f"{old}attention.output.dense", f"{new}attention.output.dense", width, width),
        **norm(f"{old}attention.output.LayerNorm", f"{new}attention.output.LayerNorm", width),
        **linear(f"{old}intermediate.dense", f"{new}intermediate.dense", inner, width),
        **linear(f"{old}output.dense", f"{new}output.dense", width, inner),
        **norm(f"{old}output.LayerNorm", f"{new}output.LayerNorm", width),
    }
