"""A linear probe that blends, class by class, visual prototypes with the texts.

    z_ik = f_i.(w_k + a_k T_k) + b_k
    w_k <- w_k - (M / (c lambda_max(F^T F))) dL/dw_k
    a_k <- a_k - (M / (c sum_i (f_i.T_k)^2)) dL/da_k
    L the mean over M rows (labels: known entries), F the rows known of class k with a 1 for b_k,
    c = 1/2 of a softmax, 1/4 of a sigmoid: step sizes are 1 / Lipschitz constant, nothing is tuned

Paper    LP++, Huang et al. 2024 (CVPR), arXiv:2404.02285
Takes    features, truth, text directions
Gives    logits [n, K]; the number of steps is chosen on validation
Equals   zero_shot.py with w = b = 0 and a = s
Differs  starts from w_k = mean feature of the class (of labels: minus that of the others) and
         a_k = s, the model's own scale; the code starts from 250 times the mean similarity. The
         paper's 1/4 bounds one class at a time; with 1/2 all move at once and L never rises (the
         code uses 1/4 with momentum 0.9, and moves a every tenth step). b is in the code alone.
         Labels (sigmoid) are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import CHECKS, check, loss, quality, recorded, start_bias


@dataclass(frozen=True)
class LpPlusPlus:
    """LP++; `steps` is the largest number of passes over both blocks."""

    steps: int = 1000

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """W = w + a T [K, D] and b [K] at the step that is best on validation."""
        check(support, validation, texts)
        block = Blocks(support, texts)
        every = max(1, self.steps // CHECKS)
        best: tuple[tuple[float, float], int, Linear] | None = None
        for step in range(self.steps + 1):
            if step:
                block.move()
            if step % every == 0:
                found = block.linear()
                z = found.scores(validation.features)
                judged = quality(z, validation.truth, single=texts.single)
                if best is None or judged > best[0]:
                    best = judged, step, found
        assert best is not None
        judged, step, found = best
        return Linear(found.weight, found.bias, recorded({"step": step, "quality": judged}))


class Blocks:
    """The two blocks of variables, `w` [K, D + 1] (bias last) and `a` [K], and their steps."""

    def __init__(self, support: Examples, texts: ClassTexts) -> None:
        self.support, self.texts = support, texts
        n, truth = len(support.features), support.truth
        self.seen = torch.cat([support.features, torch.ones(n, 1)], dim=1)
        self.text = support.features @ texts.directions.T  # [n, K]
        self.w = torch.cat([_prototypes(support, single=texts.single), self._bias()], dim=1)
        self.a = torch.full((truth.shape[1],), texts.scale)
        known = (~truth.isnan()).float()
        rows = known[:, 0].sum() if texts.single else known.sum()
        curve = (0.5 if texts.single else 0.25) / rows
        grams = torch.einsum("nk,nd,ne->kde", known, self.seen, self.seen)
        self.step_w = 1 / (curve * torch.linalg.eigvalsh(grams)[:, -1:])  # [K, 1]
        self.step_a = 1 / (curve * (known * self.text.square()).sum(0)).clamp(min=1e-12)

    def _bias(self) -> Tensor:
        z = self.texts.scale * self.text
        return start_bias(z, self.support.truth, single=self.texts.single)[:, None]

    def loss(self) -> Tensor:
        """L at the present variables."""
        z = self.seen @ self.w.T + self.a * self.text
        return loss(z, self.support.truth, single=self.texts.single)

    def move(self) -> None:
        """One step of each block in turn."""
        for name, step in (("w", self.step_w), ("a", self.step_a)):
            here = getattr(self, name).detach().requires_grad_()
            setattr(self, name, here)
            (gradient,) = torch.autograd.grad(self.loss(), here)
            setattr(self, name, here.detach() - step * gradient)

    def linear(self) -> Linear:
        """The present variables as a linear classifier."""
        weight = self.w[:, :-1] + self.a[:, None] * self.texts.directions
        return Linear(weight, self.w[:, -1])


def _prototypes(support: Examples, *, single: bool) -> Tensor:
    """[K, D] mean feature of each class; of labels minus the mean of those without it."""
    here, absent = (support.truth == 1).float(), (support.truth == 0).float()
    mean = here.T @ support.features / here.sum(0)[:, None]
    return mean if single else mean - absent.T @ support.features / absent.sum(0)[:, None]
