"""The layer of an image tower whose map is explained: read it, or put another in its place.

Of convolutional networks, and of transformers without a class token, it is what the network gives.
Of transformers with one it is what the last block takes: behind that block the class token, which
is what is scored, reads no patch any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asclip.errors import ModelError


@dataclass(frozen=True, slots=True)
class Layer:
    """`module`'s input (`before`) or output, as rows [B, N, F] of the places of `grid`."""

    module: nn.Module
    grid: tuple[int, ...]
    before: bool


def last_map(tower: Any) -> Layer:
    """The last layer of an image tower that has places and on which its summary depends."""
    backbone = tower.backbone
    if not backbone.has_class_token:
        return Layer(backbone.net, tower.grid, before=False)
    return Layer(blocks(backbone.net)[-1], tower.grid, before=True)


def blocks(net: nn.Module) -> nn.ModuleList | nn.Sequential:
    """The blocks of a transformer: its longest list of modules of one class.

    Raises:
        ModelError: there is none.
    """
    lists = [
        part
        for part in net.modules()
        if isinstance(part, (nn.ModuleList, nn.Sequential))
        and len(part)
        and len({type(child) for child in part}) == 1
    ]
    if not lists:
        raise ModelError(
            "the blocks of this transformer cannot be found, so it has no map to explain; "
            "use the similarity of its regions"
        )
    return max(lists, key=len)


@contextmanager
def changed(layer: Layer, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While it lasts, `change` ([B, N, F] -> the same shape) stands behind the layer.

    A `change` that returns what it was given only looks on.
    """

    def before(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        tokens: Tensor = given[0]
        extra = tokens.shape[1] - math.prod(layer.grid)
        new = change(tokens[:, extra:])
        return (torch.cat([tokens[:, :extra], new], 1), *given[1:])

    def after(module: nn.Module, given: object, out: Any) -> Any:
        found = out if isinstance(out, Tensor) else out.last_hidden_state
        if found.ndim == 3:
            new = change(found)
        else:  # [B, F, (d,) h, w]
            rows = change(found.flatten(2).transpose(1, 2))
            new = rows.transpose(1, 2).reshape(found.shape)
        if isinstance(out, Tensor):
            return new
        out.last_hidden_state = new
        return out

    module = layer.module
    hook = (
        module.register_forward_pre_hook(before)
        if layer.before
        else module.register_forward_hook(after)
    )
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def given(layer: Layer, rows: Tensor) -> Iterator[None]:
    """While it lasts, the layer's map is `rows` [B, N, F]; a whole network before it is not run."""
    if layer.before:
        with changed(layer, lambda tokens: rows):
            yield
        return
    # An object's own attribute hides the method of its class, and goes without a trace.
    layer.module.forward = lambda *pixels, **options: rows
    try:
        yield
    finally:
        del layer.module.forward
