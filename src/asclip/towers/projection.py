"""From raw backbone features to the joint space: LayerNorm, dropout, linear or a small MLP."""

from __future__ import annotations

from torch import Tensor, nn


class Projection(nn.Module):
    """[..., features] -> [..., width], float32 in and out of autocast's choice.

    `hidden` 0 is a linear map; otherwise one hidden GELU layer of that width. LayerNorm first makes
    features of any backbone, cached or fresh, arrive at one scale.
    """

    def __init__(self, features: int, width: int, *, hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.linear = nn.Linear(hidden or features, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project the last axis."""
        x = self.dropout(self.norm(x.to(self.norm.weight.dtype)))
        if self.hidden is not None:
            x = nn.functional.gelu(self.hidden(x))
        return self.linear(x)
