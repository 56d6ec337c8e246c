"""Contrast of images with holes, weighted by how telling the visible places are, and restoration.

    L = contrast_weight * C + restore_weight * mean_{hidden n} |P g(h_n, visible) - x_n|^2 / P'
    C = (CE(w z) + CE(w z^T) + CE_w(z) + CE_w(z^T)) / 4,  w_i = softplus(a . visible_i + b)

z_im = s cos(mean of visible h of image i, text m); w multiplies the logits of its study in the
first two terms and weighs the studies of a mean in the last two.

Paper    MaCo, Huang et al. 2024 (Nature Communications), doi:10.1038/s41467-024-51749-0,
         arXiv:2309.05904
Takes    masked.local [B, N, D], text.pooled [M, D]; facts.patches [B, N, P'], facts.holes [B, N]
Gives    total; parts contrast, restored, scale, weight (a mean)
Equals   the contrast of clip.py on images with holes, with w = 1
Differs  the tower sees holes instead of dropping patches; a decoder that looks at visible patches
         restores them. z is a cosine times a learned scale (code: a dot product of vectors that are
         not normalised, times one). a starts at 0 and b so that w = 1. A text's weight is the mean
         of those of its studies. The weight of restoration against contrast is 1 : 1, as in the
         authors' code, which takes its argument 0.9 and never reads it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale
from asclip.pretrain.terms import (
    Relation,
    mean_valid,
    patch_error,
    relation,
    relation_needs,
    some_visible,
    unit,
)
from asclip.types import Encoded, Facts, Loss, Pair


def weighted(logits: Tensor, pairs: Relation, weight: Tensor) -> Tensor:
    """(CE(w z) + CE_w(z)) / 2 over the rows of `logits` [B, U] that have a positive."""
    counts = pairs.positive.sum(1)

    def each(z: Tensor) -> Tensor:
        logp = F.log_softmax(z.masked_fill(pairs.neutral, -1e4), 1)
        return -logp.masked_fill(~pairs.positive, 0.0).sum(1) / counts.clamp(min=1)

    counted = (counts > 0).to(logits.dtype)
    scaled = (each(weight[:, None] * logits) * counted).sum() / counted.sum().clamp(min=1)
    share = weight * counted
    return (scaled + (each(logits) * share).sum() / share.sum().clamp(min=1e-6)) / 2


class MaCo(Scaled):
    """MaCo's objective; it owns the weights of `regions` places and the decoder to `pixels`."""

    def __init__(
        self,
        width: int,
        *,
        regions: int,
        pixels: int,
        layers: int = 1,
        heads: int = 4,
        contrast_weight: float = 1.0,
        restore_weight: float = 1.0,
        temperature: float = 0.03,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_not_negative(contrast_weight=contrast_weight, restore_weight=restore_weight)
        self.log_scale = log_scale(temperature)
        self.place = nn.Linear(regions, 1)
        nn.init.zeros_(self.place.weight)
        nn.init.constant_(self.place.bias, math.log(math.e - 1))
        self.decoder = Decoder(
            width, layers=layers, heads=heads, hidden=4 * width, self_attention=False
        )
        self.pixels = nn.Linear(width, pixels)
        self.contrast_weight, self.restore_weight = contrast_weight, restore_weight
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"masked.local", "text.pooled", "facts.patches", "facts.holes"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images with holes and M texts."""
        local, holes = pair.others["masked"].local, facts.targets["holes"]
        if local is None:
            raise ValueError("maco needs local vectors of the image tower; got None")
        if holes.shape[1] != self.place.in_features:
            raise ValueError(
                f"maco's regions must be those of the image tower, {holes.shape[1]}; "
                f"got {self.place.in_features}; set regions to it"
            )
        visible = some_visible(holes)
        restored = self.pixels(self.decoder(local, local, visible)[0])
        error = patch_error(restored, facts.targets["patches"], holes)

        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        weight = F.softplus(self.place((~holes).float()))[:, 0]  # [B]
        own = pairs.positive.float()
        of_text = (weight @ own) / own.sum(0).clamp(min=1)
        scale = self.scale
        z = scale * unit(mean_valid(local, visible)) @ unit(pair.text.pooled[pairs.texts]).T
        back = Relation(pairs.positive.T, pairs.neutral.T, pairs.texts)
        contrast = (weighted(z, pairs, weight) + weighted(z.T, back, of_text)) / 2
        return Loss(
            self.contrast_weight * contrast + self.restore_weight * error,
            {
                "contrast": contrast.detach(),
                "restored": error.detach(),
                "scale": scale.detach(),
                "weight": weight.mean().detach(),
            },
        )

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Cosine of the mean local vector of whole images with texts, [B, C]."""
        if image.local is None:
            raise ValueError("maco needs local vectors of the image tower; got None")
        return unit(mean_valid(image.local, image.valid)) @ unit(text.pooled).T
