"""A transformer decoder without a causal mask: queries that look at the tokens of an image.

Shared by the methods whose similarity or classifier is a cross-attention (MedKLIP, KAD, MeDSLIP,
CARZero). Dropout draws differ per process; the default is therefore none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Layer(nn.Module):
    """Self-attention among queries (optional), cross-attention to memory, a feed-forward net.

    Each part is x + f(LayerNorm(x)). Width D must be a multiple of `heads`.
    """

    def __init__(self, width: int, heads: int, hidden: int, *, self_attention: bool) -> None:
        super().__init__()
        self.heads = heads
        self.own = nn.Linear(width, 3 * width) if self_attention else None
        self.own_out = nn.Linear(width, width) if self_attention else None
        self.own_norm = nn.LayerNorm(width) if self_attention else None
        self.norm, self.memory_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # [..., heads, n, D / heads]

    def forward(self, x: Tensor, memory: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries x [B, Q, D], memory [B, N, D], valid [B, N] bool: the new x, and the attention.

        The attention [B, Q, N] is the mean over heads; its rows sum to 1.
        """
        if self.own is not None and self.own_norm is not None and self.own_out is not None:
            q, k, v = self.own(self.own_norm(x)).chunk(3, -1)
            seen = F.scaled_dot_product_attention(self._split(q), self._split(k), self._split(v))
            x = x + self.own_out(seen.transpose(-3, -2).flatten(-2))
        query = self._split(self.query(self.norm(x)))
        key, value = (self._split(p) for p in self.key_value(self.memory_norm(memory)).chunk(2, -1))
        logits = query @ key.mT / query.shape[-1] ** 0.5  # [B, heads, Q, N]
        if valid is not None:
            logits = logits.masked_fill(~valid[:, None, None, :], -torch.inf)
        attention = logits.softmax(-1)
        x = x + self.out((attention @ value).transpose(-3, -2).flatten(-2))
        return x + self.feed(x), attention.mean(1)


class Decoder(nn.Module):
    """`layers` of `Layer`, a LayerNorm at the end; width D of queries, memory and output."""

    def __init__(
        self,
        width: int,
        *,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 1024,
        self_attention: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(width, heads, hidden, self_attention=self_attention) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, queries: Tensor, memory: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Queries [Q, D] or [B, Q, D], memory [B, N, D]: out [B, Q, D], attention [B, Q, N].

        The attention is the mean over layers and heads.
        """
        x = queries.expand(len(memory), *queries.shape[-2:])
        maps = []
        for layer in self.layers:
            x, attention = layer(x, memory, valid)
            maps.append(attention)
        return self.norm(x), torch.stack(maps).mean(0)
