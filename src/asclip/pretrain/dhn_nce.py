"""Contrast without the positive in its denominator, in which hard negatives weigh more.

    l_i = -mean_{p in P(i)} z_ip + log(a sum_{p in P(i)} e^z_ip + sum_{j in N(i)} w_ij e^z_ij)
    w_ij = |N(i)| e^(b z_ij) / sum_{k in N(i)} e^(b z_ik),   z_ij = u_i . v_j / temperature

and the same from texts to images; L = mean over images + mean over texts.

Paper    MedCLIP-SAM, Koleilat et al. 2024, arXiv:2403.20253 (DHN-NCE); MedCLIP-SAMv2,
         arXiv:2409.19483; hard negatives: Radenovic et al. 2023, arXiv:2301.02280
Takes    image.pooled [B, D], text.pooled [M, D]
Gives    total; parts image_to_text, text_to_image, scale
Equals   twice clip.py with a = 1, b = 0 (`positive_share=1, hardness=0`)
Differs  from the paper: means, not sums, over the batch; several positives count evenly; rows with
         no negative (a = 0: nothing bounds them) or no positive do not count. The temperature is
         fixed: the decoupled loss falls without bound as the scale grows. The authors' code
         averages over the whole matrix of pairs instead of summing over the negatives, divides by a
         sum without b that counts the diagonal and runs along the other axis
         (`variant="official"`, with every text and its own image as one pair; a text of no study
         is left out there, and is a negative of every image otherwise).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale
from asclip.pretrain.terms import Relation, owners, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def decoupled(
    logits: Tensor, pairs: Relation, *, hardness: float, positive_share: float = 0.0
) -> Tensor:
    """Mean of l_i over the rows of `logits` [B, U] that have a positive and a negative."""
    positive, negative = pairs.positive, ~pairs.positive & ~pairs.neutral
    counts, foes = positive.sum(1), negative.sum(1)
    counted = (counts > 0) & ((foes > 0) | (positive_share > 0))
    # -1e4 in place of -inf: rows without a negative keep a finite gradient (and do not count).
    hard, weight = (
        (power * logits).masked_fill(~negative, -1e4).logsumexp(1)
        for power in (1 + hardness, hardness)
    )
    floor = hard - weight + foes.clamp(min=1).log()
    if positive_share > 0:
        own = torch.logsumexp(logits.masked_fill(~positive, -1e4), 1) + math.log(positive_share)
        floor = torch.where(foes > 0, torch.logaddexp(own, floor), own)
    attract = logits.masked_fill(~positive, 0.0).sum(1) / counts.clamp(min=1)
    each = (floor - attract).masked_fill(~counted, 0.0)
    return each.sum() / counted.sum().clamp(min=1)


def official(logits: Tensor, *, hardness: float, positive_share: float = 0.0) -> Tensor:
    """What the authors' code computes of one direction of square `logits` [M, M]."""
    if len(logits) < 2:
        return 0.0 * logits.sum()  # no other to be told from
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    others, true = logits.masked_fill(own, 0.0), logits.masked_fill(~own, 0.0)
    norm = torch.logsumexp(others, 1)[None, :]
    foe = (1 + hardness) * others - norm + math.log(len(logits) - 1)
    if positive_share > 0:
        foe = torch.logaddexp(true + math.log(positive_share), foe)
    return (foe - true).mean()


class DhnNce(Scaled):
    """DHN-NCE's objective; `text_hardness` None is that of images."""

    def __init__(
        self,
        *,
        temperature: float = 0.6,
        hardness: float = 0.15,
        text_hardness: float | None = None,
        positive_share: float = 0.0,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        text_hardness = hardness if text_hardness is None else text_hardness
        check_not_negative(
            hardness=hardness, text_hardness=text_hardness, positive_share=positive_share
        )
        self.log_scale = log_scale(temperature).requires_grad_(False)
        self.hardness = (hardness, text_hardness)
        self.positive_share, self.variant = positive_share, variant
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image, text = unit(pair.image.pooled), unit(pair.text.pooled)
        scale, share = self.scale, self.positive_share
        if self.variant == "official":
            whose = owners(facts, len(text))
            owned = whose >= 0  # a text of nobody has no image to be a pair with
            z = scale * image[whose[owned]] @ text[owned].T  # [M, M]
            parts = [
                official(side, hardness=h, positive_share=share)
                for side, h in zip((z, z.T), self.hardness, strict=True)
            ]
        else:
            pairs = relation(
                facts, len(text), same_text=self.same_text, same_patient=self.same_patient
            )
            z = scale * image @ text[pairs.texts].T  # [B, U]
            back = Relation(pairs.positive.T, pairs.neutral.T, pairs.texts)
            parts = [
                decoupled(side, pairs, hardness=h, positive_share=share)
                for side, pairs, h in zip((z, z.T), (pairs, back), self.hardness, strict=True)
            ]
        return Loss(
            parts[0] + parts[1],
            {
                "image_to_text": parts[0].detach(),
                "text_to_image": parts[1].detach(),
                "scale": scale.detach(),
            },
        )
