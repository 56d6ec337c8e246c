"""CoOp, held near what the written prompts say.

    L = CE(s f_i.unit(v_k), y_i) + w mean_k (1 - cos(v_k, t_k)),   t_k the class's written texts

Paper    KgCoOp, Yao et al. 2023 (CVPR), arXiv:2303.13283
Takes    features, truth, the model's text tower, names and written texts of the classes
Gives    logits [n, K], the context in `learned`; the step is chosen on validation
Equals   coop.py with weight = 0
Differs  as coop.py; the paper's distance is |v - t|^2 of unit vectors, which is 2 (1 - cos), its
         code has 1 - cos. t_k is the mean of a prompt set's sentences. Of labels v_k- is held near
         the negative texts where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.adapt.context import Learning, State, learn, teachers
from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import loss


@dataclass(frozen=True)
class KgCoOp(Learning):
    """CoOp with the knowledge-guided term; `weight` is w."""

    weight: float = 8.0

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """The texts' directions under the learned context."""
        written, there = teachers(texts)

        def gradients(state: State) -> Sequence[Tensor]:
            fit = loss(state.logits, support.truth, single=texts.single)
            total = fit + self.weight * distance(state.vectors[there], written[there])
            return torch.autograd.grad(total, state.moved)

        return learn(support, validation, texts, gradients, how=self, seed=seed)


def distance(vectors: Tensor, written: Tensor) -> Tensor:
    """Mean over rows of 1 - cos, both [R, D] of unit length."""
    return 1 - (vectors * written).sum(1).mean()
