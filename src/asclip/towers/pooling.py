"""From the hidden states of texts to one vector each; texts of similar length together."""

from __future__ import annotations

import torch
from torch import Tensor

POOLINGS = ("mean", "first", "last")


def by_length(lengths: Tensor) -> list[Tensor]:
    """Rows in groups of similar length (up to 12, 24, 48 ... tokens).

    A batch of sentences and whole reports is mostly padding otherwise, and padding is computed.

    >>> [rows.tolist() for rows in by_length(torch.tensor([5, 90, 12, 20]))]
    [[0, 2], [3], [1]]
    """
    group = (lengths.clamp(min=1) / 12).log2().ceil().clamp(min=0)
    return [(group == value).nonzero()[:, 0] for value in group.unique()]


def pool(hidden: Tensor, mask: Tensor, how: str) -> Tensor:
    """One vector per text [B, F] from hidden states [B, T, F] and mask [B, T].

    "mean" over real tokens, the "first" or the "last" real token; padding never counts.

    >>> hidden = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> pool(hidden, torch.tensor([[True, True, False]]), "mean").item()
    2.0
    """
    if how == "first":
        return hidden[:, 0]
    if how == "last":
        last = (mask.sum(1) - 1).clamp(min=0)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    share = mask.to(hidden.dtype)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    return (share.unsqueeze(1) @ hidden).squeeze(1)
