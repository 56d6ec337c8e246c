"""Alignment to a frozen language model without negatives; orthogonal latents prevent collapse.

    L = mean(2 - 2 cos(u, v)) + 1/2 (sum_d (C_dd - 1)^2 + w_off sum_{d != e} C_de^2),  C = U^T U / B

Paper    M-FLAG, Liu et al. 2023 (MICCAI), doi:10.1007/978-3-031-43907-0_61 (arXiv:2307.08347)
Takes    image.pooled [B, D] (U, not normalised), text.pooled [M, D]
Gives    total; parts alignment, orthogonality
Differs  the code adds the same alignment twice (`variant="official"`: 4 - 4 cos) and divides C by
         the batch size that was set, here by that of the batch. The paper makes the image
         encoder's own latents orthogonal, here those of the joint space. Each text is a sample with
         its image.
         Text must be held still elsewhere (`lock="text"`).
"""

from __future__ import annotations

from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.pretrain.scale import check_not_negative
from asclip.pretrain.terms import relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def orthogonality(latents: Tensor, off_weight: float = 0.0051) -> Tensor:
    """How far the second moments of [B, D] are from the identity."""
    moments = latents.mT @ latents / max(1, len(latents))
    diagonal = moments.diagonal()
    off = moments.square().sum() - diagonal.square().sum()
    return ((diagonal - 1).square().sum() + off_weight * off) / 2


class MFlag(nn.Module):
    """M-FLAG's objective; it owns no parameters."""

    def __init__(
        self,
        *,
        orthogonal_weight: float = 1.0,
        off_weight: float = 0.0051,
        variant: str = "paper",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        check_not_negative(orthogonal_weight=orthogonal_weight, off_weight=off_weight)
        self.orthogonal_weight, self.off_weight = orthogonal_weight, off_weight
        self.times = 2 if variant == "official" else 1
        needs = relation_needs("negative", "negative")
        self.needs = frozenset({"image.pooled", "text.pooled"} | needs)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and their M texts."""
        image = pair.image.pooled.float()
        own = relation(facts, len(pair.text.pooled), same_text="negative").positive
        cosine = (unit(image) @ unit(pair.text.pooled).T)[own]
        alignment = self.times * (2 - 2 * cosine).sum() / max(1, len(cosine))
        orthogonal = orthogonality(image, self.off_weight)
        total = alignment + self.orthogonal_weight * orthogonal
        parts = {"alignment": alignment, "orthogonality": orthogonal}
        return Loss(total, {name: part.detach() for name, part in parts.items()})
