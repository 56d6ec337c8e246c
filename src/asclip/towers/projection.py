"""From raw backbone features to the joint space: a norm, dropout, linear or a small MLP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asclip.errors import ModelError, nearest

KINDS = ("norm", "standard", "plain")


class Standard(nn.Module):
    """Each feature less its mean, over its deviation; both are told by `fit` and not trained."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def fit(self, rows: Tensor) -> None:
        """Take both from training features [n, features]; what never varies becomes 0."""
        rows = rows.double()
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clamp(min=1e-3))

    def forward(self, x: Tensor) -> Tensor:
        """[..., features] -> the same shape, within -5 and 5."""
        return ((x - self.mean) / self.deviation).clamp(-5.0, 5.0)


class Projection(nn.Module):
    """[..., features] -> [..., width], float32 in and out of autocast's choice.

    `hidden` 0 is a linear map; otherwise one hidden GELU layer of that width. `kind` "norm" begins
    with a LayerNorm, so that features of any backbone, cached or fresh, arrive at one scale;
    "plain" does without, as published models do. "standard" is for features that never change: each
    has mean 0 and deviation 1 over the training images (see `fit`), cut at 5 deviations.
    """

    def __init__(
        self,
        features: int,
        width: int,
        *,
        hidden: int = 0,
        dropout: float = 0.0,
        kind: str = "norm",
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ModelError(f"no projection is called {kind!r}; {nearest(kind, [*KINDS])}")
        self.norm = {"norm": nn.LayerNorm, "standard": Standard}.get(kind, nn.Identity)(features)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.linear = nn.Linear(hidden or features, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project the last axis."""
        x = x.to(self.linear.weight.dtype)
        x = self.dropout(self.norm(x))
        if self.hidden is not None:
            x = nn.functional.gelu(self.hidden(x))
        return self.linear(x)
