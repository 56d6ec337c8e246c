"""The examples as a cache: who resembles them gets their labels, beside what the texts say.

    z = s f.T + a exp(-b (1 - f F^T)) L,   F [n, D] features of the examples, L [n, K] their labels
    one class of several    L one-hot
    several labels          L_ik = m_k (y_ik / n_k+ - (1 - y_ik) / n_k-), 0 where unknown,
                            m_k = min(n_k+, n_k-)

Paper    Tip-Adapter and Tip-Adapter-F, Zhang et al. 2022 (ECCV), arXiv:2207.09519
Takes    features, truth, text directions
Gives    logits [n, K]; a and b are chosen on validation, of -F also the step
Equals   zero_shot.py with a = 0, which is among the choices
Differs  F is one feature an example, not the mean of ten augmented ones. The grid is geometric and
         wider: features of medical images lie close together, and s is the model's own, not 100.
         -F trains F only, in full batches, from the best a > 0; the code keeps the epoch that is
         best on test, this one the step that is best on validation. Labels are ours: present and
         absent weigh the same, however many of each were drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.terms import check, descend, loss, quality, recorded

BETAS = tuple(2.0**power for power in range(-1, 9))
ALPHAS = tuple(0.1 * 2.0**power for power in range(11))


@dataclass(frozen=True)
class Cache:
    """Keys F [n, D], values L [n, K], how much (`alpha`) and how sharply (`beta`) they speak."""

    keys: Tensor
    values: Tensor
    alpha: float
    beta: float
    texts: ClassTexts
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, features: Tensor) -> Tensor:
        """Logits [n, K] of features [n, D]."""
        affinity = (-self.beta * (1 - features @ self.keys.T)).exp()
        return self.texts.logits(features) + self.alpha * affinity @ self.values

    def again(self, texts: ClassTexts) -> None:
        """None: the cache has examples of its own classes alone."""


@dataclass(frozen=True)
class TipAdapter:
    """Tip-Adapter: nothing is trained."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Cache:
        """The cache of the support with the best of the grid."""
        check(support, validation, texts)
        return searched(support.features, values(support, texts), validation, texts, (0.0, *ALPHAS))


@dataclass(frozen=True)
class TipAdapterF:
    """Tip-Adapter-F: the keys are trained from the examples."""

    steps: int = 100
    rate: float = 1e-3

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Cache:
        """The trained cache with the best of the grid."""
        check(support, validation, texts)
        truth, single = values(support, texts), texts.single
        start = searched(support.features, truth, validation, texts, ALPHAS)
        keys = support.features.clone().requires_grad_()
        net = Cache(keys, truth, start.alpha, start.beta, texts)
        chosen = descend(
            [keys],
            lambda: torch.autograd.grad(
                loss(net.scores(support.features), support.truth, single=single), [keys]
            ),
            lambda: quality(net.scores(validation.features), validation.truth, single=single),
            steps=self.steps,
            rate=self.rate,
            epsilon=1e-4,
        )
        found = searched(keys.detach(), truth, validation, texts, (0.0, *ALPHAS))
        record = {"step": chosen["step"], **found.chosen}
        return Cache(found.keys, truth, found.alpha, found.beta, texts, record)


def values(support: Examples, texts: ClassTexts) -> Tensor:
    """L [n, K] of the examples."""
    if texts.single:
        return support.truth
    here, absent = (support.truth == 1).float(), (support.truth == 0).float()
    each = here / here.sum(0) - absent / absent.sum(0)
    return torch.minimum(here.sum(0), absent.sum(0)) * each


def searched(
    keys: Tensor,
    truth: Tensor,
    validation: Examples,
    texts: ClassTexts,
    alphas: tuple[float, ...],
) -> Cache:
    """The cache with that pair of the grid that is best on validation; of equals the first."""
    best: tuple[tuple[float, float], float, float] | None = None
    said = texts.logits(validation.features)
    similar = validation.features @ keys.T
    for beta in BETAS:
        cached = (-beta * (1 - similar)).exp() @ truth
        for alpha in alphas:
            judged = quality(said + alpha * cached, validation.truth, single=texts.single)
            if best is None or judged > best[0]:
                best = judged, alpha, beta
    assert best is not None
    judged, alpha, beta = best
    chosen = recorded({"alpha": alpha, "beta": beta, "quality": judged})
    return Cache(keys, truth, alpha, beta, texts, chosen)
