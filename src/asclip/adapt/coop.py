"""Context vectors learned from the examples in place of a hand-written prompt.

    v_k = g([start] c_1 ... c_M [name of class k]),   L = CE(s f_i.unit(v_k), y_i)

Paper    CoOp, Zhou et al. 2022 (IJCV), arXiv:2109.01134
Takes    features, truth, the model's text tower and the names of the classes
Gives    logits [n, K], the context in `learned`; the step is chosen on validation
Differs  8 vectors, not 16, Adam in full batches, not SGD; one context for all classes, with the
         class at the end. Several labels: see context.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.adapt.context import Learning, State, learn
from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import loss


@dataclass(frozen=True)
class CoOp(Learning):
    """Only the context (and the bias of labels) moves; no weight of the model does."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """The texts' directions under the learned context."""

        def gradients(state: State) -> Sequence[Tensor]:
            total = loss(state.logits, support.truth, single=texts.single)
            return torch.autograd.grad(total, state.moved)

        return learn(support, validation, texts, gradients, how=self, seed=seed)
