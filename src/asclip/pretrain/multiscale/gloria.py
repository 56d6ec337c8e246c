"""Global contrast plus contrast of words with the image regions that they attend to.

    L = w_global * NCE(s u_i . v_m) + w_local * NCE(s' S_im)
    S_im = log mean_t exp(t2 cos(w_t, c_t)) / t2,  c_t = sum_n softmax_n(t1 w_t . v_n) v_n

Paper    GLoRIA, Huang et al. 2021 (ICCV), doi:10.1109/ICCV48922.2021.00391, eq. 1-8
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], text.local [M, T, D]
Gives    total; parts global, local, scale, local_scale
Equals   clip.py when w_local = 0
Differs  the paper's attention is over regions; the authors' code first takes a softmax over the
         words of each region (`variant="official"`), attends with dot products of vectors that are
         not normalised and sums over words. Here words and regions have unit length and the mean
         over words replaces the sum, which favoured long texts. The scales are learned, both start
         at 1 / temperature (paper: fixed 10).
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.local import local_similarity
from asclip.pretrain.scale import (
    Scaled,
    check_not_negative,
    check_positive,
    log_scale,
    scale_of,
)
from asclip.pretrain.terms import contrast, relation, relation_needs, rows, unit
from asclip.types import Encoded, Facts, Loss, Pair


class Gloria(Scaled):
    """GLoRIA's objective; it owns a `score` that adds the local similarity to the cosine."""

    def __init__(
        self,
        *,
        temperature: float = 0.1,
        local_weight: float = 1.0,
        sharpness: float = 4.0,
        emphasis: float = 5.0,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        self.log_scale = log_scale(temperature)
        self.log_local_scale = log_scale(temperature)
        self.local_weight = local_weight
        check_positive(sharpness=sharpness, emphasis=emphasis)
        check_not_negative(local_weight=local_weight)
        self.sharpness, self.emphasis, self.variant = sharpness, emphasis, variant
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "text.local"}
            | relation_needs(same_text, same_patient)
        )

    def local(self, image: Encoded, text: Encoded) -> Tensor:
        """S, the word-to-region similarity [B, M] in [-1, 1]."""
        if image.local is None or text.local is None:
            raise ValueError("gloria needs local vectors of both towers; got None")
        return local_similarity(
            image.local,
            text.local,
            text.valid,
            sharpness=self.sharpness,
            emphasis=self.emphasis,
            two_softmaxes=self.variant == "official",
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image = unit(pair.image.pooled)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        texts = rows(pair.text, pairs.texts)
        text = unit(texts.pooled)
        scale, local_scale = self.scale, scale_of(self.log_local_scale)
        whole = torch.stack(contrast(scale * image @ text.T, pairs)).mean()
        local = torch.stack(contrast(local_scale * self.local(pair.image, texts), pairs)).mean()
        total = whole + self.local_weight * local
        parts = {"global": whole, "local": local, "scale": scale, "local_scale": local_scale}
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Mean of the global cosine and the local similarity, [B, C]."""
        cosine = unit(image.pooled) @ unit(text.pooled).T
        return (cosine + self.local(image, text)) / 2
