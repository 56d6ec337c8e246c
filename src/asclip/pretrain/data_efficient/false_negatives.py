"""Other studies whose reports say nearly the same are no negatives: left out, or soft targets.

    treatment="remove":  InfoNCE in which texts with similarity >= threshold are left out
    treatment="soft":    cross-entropy to y = I + strength (1 - exp(-rate max(rho, 0))), both ways

rho is the correlation over the entries of two reports' features.

Paper    IMITATE, Liu et al. 2023 (IEEE TMI 2024), arXiv:2310.07355 ("soft": its CICL target);
         SISTA, arXiv:2601.08165 (removal by similarity of reports)
Takes    image.pooled [B, D], text.pooled [M, D]; facts.report [B, E] or facts.meaning [M, E]
Gives    total; parts image_to_text, text_to_image, scale, touched (such texts in a row, a mean)
Equals   clip.py with a threshold above 1, or a strength of 0
Differs  y is divided by the sum of its row (or column); IMITATE's code does not (`divide=False`)
         and adds both directions where we take their mean. IMITATE's strength is its temperature.
         SISTA's sparse patches and words are not here, nor is FaNe's (arXiv:2511.12215) sigmoid
         over positives found with a normalised similarity. Of a text that several studies share,
         "remove" takes the most similar study, "soft" the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_cosine, check_not_negative, log_scale
from asclip.pretrain.terms import (
    ROUNDING,
    Relation,
    contrast,
    relation,
    relation_needs,
    soft_contrast,
    unit,
)
from asclip.types import Facts, Loss, Pair


def softened(vectors: Tensor, others: Tensor, *, strength: float, rate: float) -> Tensor:
    """Soft targets strength (1 - exp(-rate max(rho, 0))) [n, m] of features [n, E], [m, E]."""
    a, b = (unit(x.float() - x.float().mean(1, keepdim=True)) for x in (vectors, others))
    return strength * (1 - torch.exp(-rate * (a @ b.T).clamp(min=0)))


def undivided(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over rows and over columns to targets [B, U] that are not divided."""
    return (
        -(targets * F.log_softmax(logits, 1)).sum(1).mean(),
        -(targets * F.log_softmax(logits, 0)).sum(0).mean(),
    )


class FalseNegatives(Scaled):
    """InfoNCE that spares false negatives; `by` "report" or "meaning" says what is compared."""

    def __init__(
        self,
        *,
        treatment: str = "remove",
        by: str = "report",
        threshold: float = 0.9,
        strength: float = 0.07,
        rate: float = 0.2,
        divide: bool = True,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if treatment not in ("remove", "soft"):
            raise ModelError(f"treatment must be 'remove' or 'soft', got {treatment!r}")
        if by not in ("report", "meaning"):
            raise ModelError(f"by must be 'report' or 'meaning', got {by!r}")
        check_cosine(threshold=threshold)
        check_not_negative(strength=strength, rate=rate)
        self.log_scale = log_scale(temperature)
        self.treatment, self.by, self.threshold = treatment, by, threshold
        self.strength, self.rate, self.divide = strength, rate, divide
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", f"facts.{by}"} | relation_needs(same_text, same_patient)
        )

    def spread(self, close: Tensor, facts: Facts, texts: Tensor, count: int) -> Tensor:
        """From [B, B] of studies, or [M, M] of texts, to the mean [B, U] over whom it concerns."""
        same = "negative" if self.by == "meaning" else self.same_text
        having = relation(facts, count, same_text=same).positive.float()
        if self.by == "meaning":
            return having @ close[:, texts] / having.sum(1, keepdim=True).clamp(min=1)
        return close @ having / having.sum(0).clamp(min=1)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        count, vectors = len(pair.text.pooled), facts.targets[self.by]
        pairs = relation(facts, count, same_text=self.same_text, same_patient=self.same_patient)
        scale = self.scale
        z = scale * unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        if self.treatment == "remove":
            vectors = unit(vectors)
            close = (vectors @ vectors.T >= self.threshold - ROUNDING).float()  # identical ones: 1
            touched = (self.spread(close, facts, pairs.texts, count) > 0) & ~pairs.positive
            to_text, to_image = contrast(
                z, Relation(pairs.positive, pairs.neutral | touched, pairs.texts)
            )
        else:
            soft = softened(vectors, vectors, strength=self.strength, rate=self.rate)
            target = self.spread(soft, facts, pairs.texts, count)
            target = target.masked_fill(pairs.neutral, 0.0)
            target = torch.where(pairs.positive, 1.0, target)
            touched = (target > 0) & ~pairs.positive
            toward = soft_contrast if self.divide else undivided
            to_text, to_image = toward(z.masked_fill(pairs.neutral, -1e4), target)
        return Loss(
            (to_text + to_image) / 2,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
                "touched": touched.float().sum(1).mean(),
            },
        )
