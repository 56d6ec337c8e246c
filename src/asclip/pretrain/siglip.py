"""Sigmoid contrast: every image-text pair is a yes-no question of its own.

    L = -1/B sum_im log sigmoid(z_im (s u_i . v_m + b)),    z = +1 for a true pair, else -1

Paper    SigLIP, Zhai et al. 2023, arXiv:2303.15343, eq. 1
Takes    pair.image.pooled [B, D], pair.text.pooled [M, D], not normalised
Gives    total; parts positive, negative (their shares of the total), scale, bias
Equals   clip.py with a sigmoid instead of a softmax: no pair competes with another
Differs  shared texts are positives and neutral pairs drop out, as in clip.py
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import LARGEST, Scaled, log_scale
from asclip.pretrain.terms import relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


class SigLip(Scaled):
    """SigLIP's objective with its learned scale (initially 10) and bias (initially -10)."""

    def __init__(
        self,
        *,
        scale: float = 10.0,
        bias: float = -10.0,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if not 0 < scale <= LARGEST:
            raise ModelError(
                f"scale must be above 0 and at most {LARGEST:g}, got {scale:g}; give e.g. 10"
            )
        self.log_scale = log_scale(1 / scale)
        self.bias = nn.Parameter(torch.tensor(bias))
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image = unit(pair.image.pooled)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        text = unit(pair.text.pooled[pairs.texts])
        scale = self.scale
        logits = scale * image @ text.T + self.bias  # [B, M]
        each = -F.logsigmoid(torch.where(pairs.positive, logits, -logits))
        each = each.masked_fill(pairs.neutral, 0.0) / len(image)
        positive = each[pairs.positive].sum()
        total = each.sum()
        return Loss(
            total,
            {
                "positive": positive.detach(),
                "negative": (total - positive).detach(),
                "scale": scale.detach(),
                "bias": self.bias.detach(),
            },
        )
