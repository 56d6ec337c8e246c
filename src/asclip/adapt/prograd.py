"""CoOp, whose gradient may not go against what the written prompts say.

    d = grad CE(z, y),   g = grad KL(p(z0) | p(z)),   z0 the zero-shot logits
    step along d where d.g >= 0, else along d - w (d.g / g.g) g

Paper    ProGrad, Zhu et al. 2023 (ICCV), arXiv:2205.14865
Takes    features, truth, the model's text tower, names and written texts of the classes
Gives    logits [n, K], the context in `learned`; the step is chosen on validation
Equals   coop.py with weight = 0
Differs  as coop.py. The angle is that of the context's gradients; the bias of labels follows d. KL
         of labels is the mean over studies and labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.adapt.context import Learning, State, learn
from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import divergence, loss


@dataclass(frozen=True)
class ProGrad(Learning):
    """CoOp with the projected gradient; `weight` is w."""

    weight: float = 1.0

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """The texts' directions under the learned context."""
        written = texts.logits(support.features)

        def gradients(state: State) -> Sequence[Tensor]:
            fit = loss(state.logits, support.truth, single=texts.single)
            domain = torch.autograd.grad(fit, state.moved, retain_graph=True)
            apart = divergence(written, state.logits, single=texts.single)
            (general,) = torch.autograd.grad(apart, state.moved[:1])
            return [projected(domain[0], general, self.weight), *domain[1:]]

        return learn(support, validation, texts, gradients, how=self, seed=seed)


def projected(domain: Tensor, general: Tensor, weight: float) -> Tensor:
    """`domain` without `weight` of its part against `general`.

    >>> projected(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 2.0]), 1.0).tolist()
    [1.0, 0.0]
    >>> projected(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 2.0]), 1.0).tolist()
    [1.0, 1.0]
    """
    along = (domain * general).sum()
    if along >= 0:
        return domain
    return domain - weight * along / general.square().sum() * general
