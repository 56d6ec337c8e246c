"""Official projections -> the state of a `Projection` of the kind "plain".

    identity  none: features are the embedding                       (SigLIP's images)
    matrix    KEY [F, D], features on the left: x @ KEY              (OpenAI, open_clip)
    linear    KEY.weight [D, F], of a `bias` also KEY.bias
    mlp       KEY.0, GELU, KEY.2, each as linear                     (BiomedCLIP's texts)

A bias that a model does not have is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.towers.published.keys import Layout, Row, plain, shape

KINDS = ("identity", "matrix", "linear", "mlp")


@dataclass(frozen=True, slots=True)
class Head:
    """What a projection is called: one of `KINDS`, its KEY, whether it has a bias."""

    kind: str
    key: str = ""
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A projection in a checkpoint: joint width D, `hidden` width or 0, official keys."""

    width: int
    hidden: int
    layout: Layout


def find(head: Head, tensors: Mapping[str, Tensor], features: int) -> Found:
    """The widths of a projection of `features` F, from its shapes."""
    if head.kind == "identity":
        return Found(features, 0, {})
    if head.kind == "matrix":
        width = shape(tensors, head.key, 2)[1]
        return Found(width, 0, {head.key: Row((features, width))})
    if head.kind == "linear":
        width = shape(tensors, f"{head.key}.weight", 2)[0]
        return Found(width, 0, _rows(head, head.key, width, features))
    if head.kind == "mlp":
        hidden = shape(tensors, f"{head.key}.0.weight", 2)[0]
        width = shape(tensors, f"{head.key}.2.weight", 2)[0]
        rows = _rows(head, f"{head.key}.0", hidden, features)
        return Found(width, hidden, rows | _rows(head, f"{head.key}.2", width, hidden))
    raise ModelError(f"a projection must be one of {', '.join(KINDS)}, got {head.kind!r}")


def state(head: Head, found: Found, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names that `Projection` has."""
    if head.kind == "identity":
        return {"linear.weight": torch.eye(found.width), "linear.bias": torch.zeros(found.width)}
    if head.kind == "matrix":
        return {
            "linear.weight": plain(tensors[head.key].T),
            "linear.bias": torch.zeros(found.width),
        }
    if head.kind == "linear":
        return _map(tensors, head.key, "linear")
    return _map(tensors, f"{head.key}.0", "hidden") | _map(tensors, f"{head.key}.2", "linear")


def _rows(head: Head, key: str, out: int, into: int) -> Layout:
    bias = {f"{key}.bias": Row((out,))} if head.bias else {}
    return {f"{key}.weight": Row((out, into)), **bias}


def _map(tensors: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    weight = plain(tensors[f"{old}.weight"])
    bias = tensors.get(f"{old}.bias", torch.zeros(len(weight)))
    return {f"{new}.weight": weight, f"{new}.bias": plain(bias)}
