"""CoOp that agrees with an ensemble of written texts, of which outliers do not teach.

    L = CE(z, y) + a MSE(v_k, t_k) + b KL(p(z') | p(z)) / K
    t_k    unit mean of all texts of class k
    z'     zero-shot logits of the texts that are kept: |q - mean q| <= tau std q within a class,
           q_j = mean over the class's examples of s f.t_kj
    MSE over the D numbers of unit vectors, KL a mean over examples

Paper    BiomedCoOp, Koleilat et al. 2025 (CVPR), arXiv:2411.15232
Takes    features, truth, the model's text tower, names and written texts of the classes
Gives    logits [n, K], the context in `learned`; the step is chosen on validation
Equals   coop.py with consistency = distillation = 0
Differs  as coop.py. The ensemble is the prompt set's own sentences, not 50 a class of a language
         model, so their numbers differ between classes and each class drops its own; the paper's
         q_j is of the j-th text of all classes, its largest over classes, once a batch. The code
         standardises q by median and MAD, then by mean and standard deviation: the second undoes
         the first, so only the second is here. KL of labels is divided by 2, their sides, not by K.
         a and b are the code's defaults, not those of a data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from asclip.adapt.context import Learning, State, learn, teachers
from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import check, divergence, loss


@dataclass(frozen=True)
class BiomedCoOp(Learning):
    """CoOp with both teachers; weights a, b and the bound tau in standard deviations."""

    consistency: float = 1.0
    distillation: float = 1.0
    bound: float = 1.5

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """The texts' directions under the learned context."""
        check(support, validation, texts)
        written, there = teachers(texts)
        taught = texts.scale * support.features @ selected(support, texts, self.bound).T
        sides = len(texts.labels) if texts.single else 2

        def gradients(state: State) -> Sequence[Tensor]:
            fit = loss(state.logits, support.truth, single=texts.single)
            near = functional.mse_loss(state.vectors[there], written[there])
            apart = divergence(taught, state.logits, single=texts.single) / sides
            total = fit + self.consistency * near + self.distillation * apart
            return torch.autograd.grad(total, state.moved)

        return learn(support, validation, texts, gradients, how=self, seed=seed)


def selected(support: Examples, texts: ClassTexts, bound: float) -> Tensor:
    """Text directions [K, D] of the sentences that are kept; of labels positive less negative."""
    rows = []
    for k, part in enumerate(texts.prompts.classes.values()):
        here = _mean(texts, part.positive, support.features[support.truth[:, k] == 1], bound)
        if not texts.single and part.negative:
            absent = support.features[support.truth[:, k] == 0]
            here = here - _mean(texts, part.negative, absent, bound)
        rows.append(here)
    return torch.stack(rows)


def _mean(texts: ClassTexts, sentences: Sequence[str], features: Tensor, bound: float) -> Tensor:
    encoded = texts.model.encode_texts(list(sentences), local=False).pooled.float()
    vectors = functional.normalize(encoded, dim=1)
    some = kept(texts.scale * (features @ vectors.T).mean(0), bound)
    return functional.normalize(vectors[some].mean(0), dim=0)


def kept(scores: Tensor, bound: float) -> Tensor:
    """Which of some scores [J] lie within `bound` standard deviations of their mean, bool [J].

    >>> kept(torch.tensor([1.0, 1.1, 0.9, 1.0, 5.0]), 1.5).tolist()
    [True, True, True, True, False]
    """
    if len(scores) < 3 or float(scores.std()) == 0:
        return torch.ones_like(scores, dtype=torch.bool)
    some = ((scores - scores.mean()) / scores.std()).abs() <= bound
    return some if some.any() else torch.ones_like(some)
