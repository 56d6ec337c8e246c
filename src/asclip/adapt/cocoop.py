"""A context that leans towards the image: one small network moves every vector by the same amount.

    c_m(f) = c_m + B relu(A f + a) + b,   v_k(f) = g([start] c_1(f) ... c_M(f) [name of class k])
    L = CE(s f_i.unit(v_k(f_i)), y_i),   A [D / 16, D], B [F, D / 16]

Paper    CoCoOp, Zhou et al. 2022 (CVPR), arXiv:2203.05557
Takes    features, truth, the model's text tower and the names of the classes
Gives    logits [n, K]; the step is chosen on validation
Equals   coop.py with one batch of all studies where A does not move; B and b start at 0
Differs  as coop.py, but batches of 8 (the paper has 1), drawn anew each step, and only 5 looks at
         validation: every study needs the texts of all classes, so that a score costs K texts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asclip.adapt.context import Learning, Prompter, first_context, sentences
from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.terms import check, descend, loss, quality, recorded, start_bias

CHUNK = 64  # studies whose texts are encoded at once
LOOKS = 4


@dataclass(frozen=True)
class CoCoOp(Learning):
    """CoOp with a context for each study; `batch` studies a step."""

    batch: int = 8

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Conditional:
        """Context and network at their best step."""
        check(support, validation, texts)
        texts.model.encoder.eval()
        single, inner = texts.single, max(1, support.features.shape[1] // 16)
        prompter = Prompter(texts.model, sentences(texts, self.words), self.vectors)
        generator = torch.Generator().manual_seed(seed)
        context = first_context(prompter, texts, generator)
        down = torch.randn(inner, support.features.shape[1] + 1, generator=generator)
        up = torch.zeros(prompter.width, inner + 1)
        none = torch.zeros(len(texts.labels))
        net = Conditional(prompter, texts, (context, down, up, none), self.words)
        bias = start_bias(net.scores(support.features), support.truth, single=single)
        net = Conditional(prompter, texts, (context, down, up, bias), self.words)
        moved = [one.requires_grad_() for one in (net.parts[:3] if single else net.parts)]

        def gradients() -> Sequence[Tensor]:
            rows = torch.randperm(len(support.features), generator=generator)[: self.batch]
            z = net.logits(support.features[rows])
            return torch.autograd.grad(loss(z, support.truth[rows], single=single), moved)

        chosen = descend(
            moved,
            gradients,
            lambda: quality(net.scores(validation.features), validation.truth, single=single),
            steps=self.steps,
            rate=self.rate,
            checks=LOOKS,
        )
        parts = tuple(one.detach() for one in net.parts)
        return Conditional(prompter, texts, parts, self.words, recorded(chosen))


@dataclass(frozen=True)
class Conditional:
    """`parts` are the context, A with a as last column, B with b as last column, and a bias [K]."""

    prompter: Prompter
    texts: ClassTexts
    parts: tuple[Tensor, ...]
    words: str = "label"
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D]."""
        _, _, up, bias = self.parts
        if not bool(up.any()):  # at the start no study leans, so that all share one context
            return self.texts.scale * features @ self._directions(up[None, :, -1])[0].T + bias
        return torch.cat([self.logits(some) for some in features.split(CHUNK)])

    def again(self, texts: ClassTexts) -> Conditional:
        """See `Adapted`; the bias is 0 for classes without examples."""
        words = sentences(texts, self.words)
        prompter = Prompter(texts.model, words, self.prompter.length)
        parts = (*self.parts[:3], torch.zeros(len(texts.labels)))
        return Conditional(prompter, texts, parts, self.words, self.chosen)

    def logits(self, features: Tensor) -> Tensor:
        """The same in one go, with a graph."""
        _, down, up, bias = self.parts
        inner = (features @ down[:, :-1].T + down[:, -1]).relu()
        directions = self._directions(inner @ up[:, :-1].T + up[:, -1])
        return self.texts.scale * (features[:, None] * directions).sum(-1) + bias

    def _directions(self, leaning: Tensor) -> Tensor:
        """Text directions [n, K, D] under contexts that lean by [n, F]."""
        classes = len(self.texts.labels)
        rows = self.parts[0].repeat_interleave(classes, dim=0)  # [R, M, F]
        every = (rows + leaning[:, None, None]).flatten(0, 1)  # [n R, M, F]
        vectors = self.prompter(every).unflatten(0, (len(leaning), len(rows)))
        return vectors if self.texts.single else vectors[:, :classes] - vectors[:, classes:]
