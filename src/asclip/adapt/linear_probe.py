"""Logistic regression on image features; the texts play no part.

    min_{W, b}  |W|^2 / 2 + C sum_i CE(f_i.W + b, y_i)

Paper    CLIP, Radford et al. 2021, arXiv:2103.00020, section 3.1.3 and appendix A.3
Takes    features and truth; of the texts only the classes
Gives    logits [n, K]
Differs  C is one of nine powers of ten instead of 96 values. Of several labels each has a
         regression and a C of its own, by its own AUROC. The full-data probe of
         tasks/classification standardises features, this one does not: a few examples do not tell
         a spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from asclip.adapt.interface import ClassTexts, Examples, Linear
from asclip.adapt.terms import check, quality

STRENGTHS = tuple(10.0**power for power in range(-3, 6))


@dataclass(frozen=True)
class LinearProbe:
    """L2 logistic regression; its strength is chosen on validation."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Linear:
        """Weights [K, D] and bias [K], and for each block of columns the C that was best."""
        check(support, validation, texts)
        every = list(range(len(texts.labels)))
        blocks = [every] if texts.single else [[k] for k in every]
        weight = torch.zeros(len(every), support.features.shape[1])
        bias = torch.zeros(len(every))
        strengths = []
        for block in blocks:
            tried = []
            for strength in STRENGTHS:
                found = _logistic(support.features, support.truth[:, block], strength)
                z = validation.features @ found[0].T + found[1]
                judged = quality(z, validation.truth[:, block], single=texts.single)
                tried.append((judged, strength, found))
            _, strength, found = max(tried, key=lambda one: one[0])
            weight[block], bias[block] = found
            strengths.append(strength)
        return Linear(weight, bias, {"C": strengths[0] if texts.single else strengths})


def _logistic(features: Tensor, truth: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weight [k, D] and bias [k] of truth [n, k]: one column of two classes, or one-hot."""
    from sklearn.linear_model import LogisticRegression

    rows = ~truth.isnan().any(1)
    answer = truth[rows, 0] if truth.shape[1] == 1 else truth[rows].argmax(1)
    model: Any = LogisticRegression(C=strength, max_iter=20000)
    model.fit(features[rows].double().numpy(), answer.numpy())
    weight = torch.from_numpy(model.coef_).float()
    bias = torch.from_numpy(model.intercept_).float()
    if truth.shape[1] == 2 and len(weight) == 1:  # one row, of the difference
        weight, bias = torch.cat([-weight / 2, weight / 2]), torch.cat([-bias / 2, bias / 2])
    return weight, bias
