"""A small network moves the image feature; a fixed share of the old one stays.

    f' = unit(r relu(B relu(A f)) + (1 - r) f),   z = s f'.T + b,   A [D / 4, D], B [D, D / 4]

Paper    CLIP-Adapter, Gao et al. 2021, arXiv:2110.04544
Takes    features, truth, text directions
Gives    logits [n, K]; the share r and the step are chosen on validation
Equals   zero_shot.py with r = 0 and b = 0
Differs  only the image side is adapted, as in the paper's best variant and its code. Adam in full
         batches instead of SGD. b is of labels alone (0 for one class of several); labels are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.terms import check, descend, loss, quality, recorded, start_bias

RATIOS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class ClipAdapter:
    """CLIP-Adapter; one of `RATIOS` unless `ratio` > 0 fixes it."""

    steps: int = 200
    rate: float = 1e-3
    reduction: int = 4
    ratio: float = 0.0

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Bottleneck:
        """The network that is best on validation over shares and steps."""
        check(support, validation, texts)
        tried = [
            self._train(ratio, support, validation, texts, seed)
            for ratio in ((self.ratio,) if self.ratio else RATIOS)
        ]
        best = max(tried, key=lambda one: one.chosen["quality"])
        return Bottleneck(best.parts, best.ratio, best.texts, recorded(best.chosen))

    def _train(
        self, ratio: float, support: Examples, validation: Examples, texts: ClassTexts, seed: int
    ) -> Bottleneck:
        width = support.features.shape[1]
        inner = max(1, width // self.reduction)
        generator = torch.Generator().manual_seed(seed)
        parts = [
            torch.randn(shape, generator=generator) * (2 / shape[1]) ** 0.5
            for shape in ((inner, width), (width, inner))
        ]
        single = texts.single
        parts.append(start_bias(texts.logits(support.features), support.truth, single=single))
        moved = [one.requires_grad_() for one in (parts[:2] if single else parts)]
        net = Bottleneck(tuple(parts), ratio, texts)
        chosen = descend(
            moved,
            lambda: torch.autograd.grad(
                loss(net.scores(support.features), support.truth, single=single), moved
            ),
            lambda: quality(net.scores(validation.features), validation.truth, single=single),
            steps=self.steps,
            rate=self.rate,
        )
        kept = tuple(one.detach() for one in parts)
        return Bottleneck(kept, ratio, texts, {"ratio": ratio, **chosen})


@dataclass(frozen=True)
class Bottleneck:
    """The fitted network; `parts` are A, B and b."""

    parts: tuple[Tensor, ...]
    ratio: float
    texts: ClassTexts
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D]."""
        down, up, bias = self.parts
        moved = (features @ down.T).relu() @ up.T
        mixed = self.ratio * moved.relu() + (1 - self.ratio) * features
        return self.texts.logits(functional.normalize(mixed, dim=1)) + bias

    def again(self, texts: ClassTexts) -> Bottleneck:
        """See `Adapted`; b is 0 for classes without examples."""
        parts = (*self.parts[:2], torch.zeros(len(texts.labels)))
        return Bottleneck(parts, self.ratio, texts, self.chosen)
