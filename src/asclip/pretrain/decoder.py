"""A transformer decoder without a causal mask: queries that look at the tokens of an image.

Shared by the methods whose similarity or classifier is a cross-attention (MedKLIP, KAD, MeDSLIP,
CARZero). Dropout draws differ per process; the default is therefore none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import check_count


def check_heads(width: int, heads: int) -> None:
    """ModelError unless a width can be divided among that many heads of attention."""
    check_count(heads=heads)
    if width % heads:
        raise ModelError(
            f"the width must be a multiple of the {heads} heads, got {width}; change one"
        )


def _weights(logits: Tensor, query: Tensor, valid: Tensor | None) -> Tensor:
    """The attention [B, heads, Q, N] of dot products with tokens, of which some are `valid`."""
    if valid is not None:
        logits = logits.masked_fill(~valid[:, None, None, :], -torch.inf)
    return (logits / query.shape[-1] ** 0.5).softmax(-1)


class Layer(nn.Module):
    """Self-attention among queries (optional), cross-attention to memory, a feed-forward net.

    Each part is x + f(LayerNorm(x)). Width D must be a multiple of `heads`.
    """

    def __init__(self, width: int, heads: int, hidden: int, *, self_attention: bool) -> None:
        super().__init__()
        check_heads(width, heads)
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

    def look(self, query: Tensor, memory: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """What projected queries [B, Q, D] see in memory [B, N, D]: [B, Q, D], and the attention.

        Queries [1, Q, D] are those of every image. The attention [B, Q, N] is the mean over heads;
        its rows sum to 1.
        """
        memory, query = self.memory_norm(memory), self._split(query)
        many, places, width = query.shape[-2], memory.shape[1], memory.shape[2]
        if many * (width + self.heads * places) < places * (width + many):
            return self._few(query, memory, valid)
        key, value = (self._split(p) for p in self.key_value(memory).chunk(2, -1))
        attention = _weights(query @ key.mT, query, valid)
        return (attention @ value).transpose(-3, -2).flatten(-2), attention.mean(1)

    def _few(self, query: Tensor, memory: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """`look` for few queries of many tokens: they, not the tokens, go through the projections.

        q . (K m + b) = (K^T q) . m + q . b, and what is the same for all tokens is nothing to a
        softmax; its weights sum to 1, so that values may be projected after the mean.
        """
        to_key, to_value = (
            w.unflatten(0, (self.heads, -1)) for w in self.key_value.weight.chunk(2)
        )
        asked = torch.einsum("bhqd,hde->bhqe", query, to_key)
        attention = _weights(torch.einsum("bhqe,bne->bhqn", asked, memory), query, valid)
        mean = torch.einsum("bhqn,bne->bhqe", attention, memory)
        seen = torch.einsum("bhqe,hde->bqhd", mean, to_value).flatten(-2)
        return seen + self.key_value.bias.chunk(2)[1], attention.mean(1)

    def forward(self, x: Tensor, memory: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries x [B, Q, D] or [1, Q, D]: the new x [B, Q, D], and the attention; see `look`."""
        if self.own is not None and self.own_norm is not None and self.own_out is not None:
            q, k, v = self.own(self.own_norm(x)).chunk(3, -1)
            seen = F.scaled_dot_product_attention(self._split(q), self._split(k), self._split(v))
            x = x + self.own_out(seen.transpose(-3, -2).flatten(-2))
        seen, attention = self.look(self.query(self.norm(x)), memory, valid)
        x = x + self.out(seen)
        return x + self.feed(x), attention


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
        check_count(layers=layers)
        self.self_attention = self_attention
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
        x = queries if queries.ndim == 3 else queries[None]  # the first layer asks once for all
        maps = []
        for layer in self.layers:
            x, attention = layer(x, memory, valid)
            maps.append(attention)
        return self.norm(x), torch.stack(maps).mean(0)

    def ask(self, queries: Tensor, memory: Tensor, valid: Tensor | None, asked: Tensor) -> Tensor:
        """Answers [B, Q, D] to those queries [Q, D] that `asked` [B, Q] bool names, else zeros.

        The answers are those of `forward`. Where queries do not see each other, only these are
        computed: a loss over what reports state needs few of all pairs of a study and a finding.
        """
        if self.self_attention:
            return self(queries, memory, valid)[0] * asked[..., None]
        study, query = asked.nonzero(as_tuple=True)  # [P]
        place = asked.cumsum(1)[study, query] - 1
        most = int(place.max()) + 1 if len(place) else 0
        x = queries[query]
        for layer in self.layers:
            assert isinstance(layer, Layer)
            ours = layer.query(layer.norm(x))
            rows = ours.new_zeros(len(memory), most, ours.shape[-1])
            seen, _ = layer.look(rows.index_put((study, place), ours), memory, valid)
            x = x + layer.out(seen[study, place])
            x = x + layer.feed(x)
        answers = self.norm(x)
        empty = answers.new_zeros(*asked.shape, answers.shape[-1])
        return empty.index_put((study, query), answers)
