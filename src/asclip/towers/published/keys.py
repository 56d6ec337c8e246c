"""Layouts: official key -> the shape that it must have and the key that it becomes.

A missing, an extra and a misshapen key are found by the layout alone, before a network is built,
and are named as the checkpoint names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from asclip.errors import ModelError


@dataclass(frozen=True, slots=True)
class Row:
    """One official tensor: its `shape`, and `to`, its keys in a `transformers` network.

    Several are equal parts along the first axis (a fused q, k, v), none is a tensor that no tower
    reads. Of an `optional` one neither absence nor shape is an error.
    """

    shape: tuple[int, ...]
    to: tuple[str, ...] = ()
    optional: bool = False


Layout = dict[str, Row]


@dataclass(frozen=True, slots=True)
class Part:
    """A tower's backbone: `architecture` builds it, `features` is the width F of its vectors.

    `layout` None: all keys that begin with `prefix` are already those of a `transformers` network.
    `size` (H, W) is what the weights were made for, None where the network does not say it.
    """

    architecture: dict[str, Any]
    prefix: str
    layout: Layout | None
    features: int
    size: tuple[int, int] | None = None


def linear(old: str, new: str, out: int, into: int) -> Layout:
    """Weight and bias of a linear map."""
    return {
        f"{old}.weight": Row((out, into), (f"{new}.weight",)),
        f"{old}.bias": Row((out,), (f"{new}.bias",)),
    }


def norm(old: str, new: str, width: int) -> Layout:
    """Weight and bias of a LayerNorm."""
    return {f"{old}.{name}": Row((width,), (f"{new}.{name}",)) for name in ("weight", "bias")}


def fused(weight: str, bias: str, new: Iterable[str], width: int) -> Layout:
    """Queries, keys and values as one matrix [3 F, F], and its bias."""
    new = tuple(new)
    return {
        weight: Row((3 * width, width), tuple(f"{name}.weight" for name in new)),
        bias: Row((3 * width,), tuple(f"{name}.bias" for name in new)),
    }


def shape(tensors: Mapping[str, Tensor], key: str, axes: int) -> tuple[int, ...]:
    """The shape of an official tensor; ModelError where it is absent or has other axes."""
    if key not in tensors:
        raise ModelError(
            f"the checkpoint must have the weight {key!r} and has not; check that it is the file "
            "of this model"
        )
    found = tuple(tensors[key].shape)
    if len(found) != axes:
        raise ModelError(f"the weight {key!r} must have {axes} axes, got the shape {found}")
    return found


def depth(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """The number of blocks `prefix`0, `prefix`1 ... that the keys speak of."""
    found = [re.match(rf"{re.escape(prefix)}(\d+)\.", key) for key in tensors]
    numbers = [int(one[1]) for one in found if one]
    if not numbers:
        raise ModelError(
            f"the checkpoint must have weights {prefix}0... and has none; check that it is the "
            "file of this model"
        )
    return max(numbers) + 1


def check(tensors: Mapping[str, Tensor], layout: Layout, ignored: Iterable[str], what: str) -> None:
    """ModelError with the number and the first of missing, extra and misshapen keys, if any.

    Keys that begin with one of `ignored` are not extra.
    """
    ignored = tuple(ignored)
    missing = [k for k, row in layout.items() if k not in tensors and not row.optional]
    extra = [k for k in tensors if k not in layout and not k.startswith(ignored)]
    odd = [
        (k, tuple(tensors[k].shape), row.shape)
        for k, row in layout.items()
        if k in tensors and not row.optional and tuple(tensors[k].shape) != row.shape
    ]
    problems = []
    if missing:
        problems.append(f"{len(missing)} weights are missing, first {missing[0]!r}")
    if extra:
        problems.append(f"{len(extra)} are not of this model, first {extra[0]!r}")
    if odd:
        key, got, want = odd[0]
        problems.append(f"{len(odd)} have another shape, first {key!r} with {got}, must be {want}")
    if problems:
        raise ModelError(f"{what} does not fit: {'; '.join(problems)}; nothing was loaded")


def convert(tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The tensors of a layout under their new keys, float32 where they are floating."""
    found: dict[str, Tensor] = {}
    for old, row in layout.items():
        if old in tensors and row.to:
            parts = tensors[old].chunk(len(row.to)) if len(row.to) > 1 else (tensors[old],)
            found.update(zip(row.to, map(plain, parts), strict=True))
    return found


def plain(tensor: Tensor) -> Tensor:
    """Contiguous; float32 in place of other floating types."""
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous()
