"""From raw backbone features to the joint space: LayerNorm, dropout, linear or a small MLP."""

from __future__ import annotations

from torch import Tensor, nn

from asclip.errors import ModelError, nearest

KINDS = ("norm", "plain")


class Projection(nn.Module):
    """[..., features] -> [..., width], float32 in and out of autocast's choice.

    `hidden` 0 is a linear map; otherwise one hidden GELU layer of that width. `kind` "norm" begins
    with a LayerNorm, so that features of any backbone, cached or fresh, arrive at one scale;
    "plain" does without, as published models do.
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
        self.norm = nn.LayerNorm(features) if kind == "norm" else None
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(features, hidden) if hidden else None
        self.linear = nn.Linear(hidden or features, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project the last axis."""
        x = x.to(self.linear.weight.dtype)
        x = self.dropout(x if self.norm is None else self.norm(x))
        if self.hidden is not None:
            x = nn.functional.gelu(self.hidden(x))
        return self.linear(x)
