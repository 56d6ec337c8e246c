"""AdamW without decay on biases, norms and scalars; warm-up then cosine; a running average."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def adamw(modules: Iterable[nn.Module], *, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW (betas 0.9, 0.98; Loshchilov & Hutter 2019) on what is trainable.

    Weight decay is on tensors with two or more axes only.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-6, fused=True)


def rate(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a cosine to zero.

    >>> [round(rate(s, 10, 0.2), 3) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class Average:
    """A running average of the trainable weights; early steps count less, so it starts unbiased."""

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        self.live = [p for module in modules for p in module.parameters() if p.requires_grad]
        self.decay = decay
        self.shadow = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for shadow, live in zip(self.shadow, self.live, strict=True):
            shadow.lerp_(live.detach(), 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange live and averaged weights; a second call undoes the first."""
        for live, shadow in zip(self.live, self.shadow, strict=True):
            kept = live.detach().clone()
            live.copy_(shadow)
            shadow.copy_(kept)

    def state(self) -> list[Tensor]:
        """Tensors for a checkpoint."""
        return self.shadow

    def restore(self, tensors: list[Tensor]) -> None:
        """Load what `state` gave."""
        for shadow, tensor in zip(self.shadow, tensors, strict=True):
            shadow.copy_(tensor)
