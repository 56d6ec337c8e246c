"""A small text transformer for short clinical texts, trained from nothing on CPU cores.

Pre-norm blocks, learned positions, GELU, bidirectional. Attention is written as two batched
matrix products with an additive mask: for at most a hundred tokens on a CPU this is faster in
training than the fused kernels, whose masked backward is slow (measured, benchmarks/towers.py).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention over the real tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """[B, T, F] and the additive mask [B, 1, 1, T] -> [B, T, F]."""
        batch, tokens, width = x.shape
        parts = self.queries_keys_values(x).view(batch, tokens, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each [B, heads, T, F / heads]
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(width // self.heads)
        weights = (scores + bias.to(scores.dtype)).softmax(-1)
        mixed = (weights.to(values.dtype) @ values).transpose(1, 2).reshape(batch, tokens, width)
        return self.out(mixed)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """[B, T, F] -> [B, T, F]."""
        x = x + self.dropout(self.attention(self.attention_norm(x), bias))
        inner = self.contract(functional.gelu(self.expand(self.mlp_norm(x))))
        return x + self.dropout(inner)


class TextTransformer(nn.Module):
    """Token ids [B, T] and mask [B, T] -> hidden states [B, T, F]."""

    def __init__(
        self,
        vocabulary: int,
        *,
        width: int,
        layers: int,
        heads: int,
        max_tokens: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(max_tokens, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self._initialise(layers)

    def _initialise(self, layers: int) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
                if name.endswith(("out.weight", "contract.weight")):
                    parameter.data /= math.sqrt(2 * layers)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Hidden states; those at masked places are meaningless and must not be read."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.dropout(self.words(ids) + self.positions(places))
        bias = torch.zeros(mask.shape, device=ids.device).masked_fill(~mask, -1e4)
        for block in self.blocks:
            x = block(x, bias[:, None, None])
        return self.norm(x)
