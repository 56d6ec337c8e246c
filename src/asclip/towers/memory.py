"""How much memory a training step will take, told before it starts."""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.towers.pair import DualEncoder
from asclip.types import Encoded, Tokens


def estimate_memory(
    model: DualEncoder,
    batch: int,
    *,
    item_shape: tuple[int, ...],
    tokens: int,
    local: bool = False,
    texts: int | None = None,
    precision: str = "bf16",
) -> int:
    """Bytes of weights, gradients, AdamW states and activations kept for the backward pass.

    `item_shape` is (C, H, W), `tokens` the length of a text, `texts` how many distinct texts a
    batch has (as many as images if None). Activations are measured on one and on three samples and
    extended in a straight line; a locked backbone keeps none. Rough: working memory of single
    operations and the objective's B x B terms are not counted.
    """
    count = batch if texts is None else texts
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    image = _line(model, "image", _pixels(item_shape), local, precision)
    text = _line(model, "text", _tokens(tokens), local, precision)
    return int(weights + 3 * trained + image[0] + image[1] * batch + text[0] + text[1] * count)


def saved_bytes(
    model: DualEncoder, name: str, x: Tensor | Tokens | Encoded, *, local: bool, precision: str
) -> int:
    """Bytes that autograd keeps after encoding `x`, weights not counted."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        # Keeping the tensor keeps its address from being given to another one.
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    bf16 = precision == "bf16"
    device = next(model.parameters()).device.type
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.enable_grad():
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            encoded = model.stream(name, x, local=local)
    del encoded
    return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in own)


def _line(model: DualEncoder, name: str, make, local: bool, precision: str) -> tuple[int, int]:
    """Bytes that do not grow with the batch, and bytes per sample."""
    device = next(model.parameters()).device
    one = saved_bytes(model, name, make(1, device), local=local, precision=precision)
    three = saved_bytes(model, name, make(3, device), local=local, precision=precision)
    slope = max((three - one) // 2, 0)
    return max(one - slope, 0), slope


def _pixels(shape: tuple[int, ...]):
    return lambda count, device: torch.zeros(count, *shape, device=device)


def _tokens(length: int):
    def make(count: int, device: torch.device) -> Tokens:
        ids = torch.zeros(count, length, dtype=torch.int64, device=device)
        return Tokens(ids, torch.ones_like(ids, dtype=torch.bool))

    return make
