"""Findings with the levels of an image, the impression with its top, and targets between 0 and 1.

    L = CICL(impression, u) + findings_weight * CICL(findings, f)
    f = LayerNorm(h + feed-forward(h)),   h = u + attention of u to regions
    CICL(t, v) = (CE(z, y) + CE(z^T, y^T)) / 2,  y = I + strength (1 - exp(-rate max(rho, 0)))

u is the top level (image.pooled), regions the finer one (image.local); rho [B, B] is the
correlation of the features of whole reports; rows of y are divided by their sum.

Paper    IMITATE, Liu et al. 2023 (IEEE TMI 2024), arXiv:2310.07355
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D] (findings), second.pooled
         [B, D] (impression); facts.has_second and facts.second [B], facts.report [B, E]
Gives    total; parts impression, findings, scale
Equals   the two terms are clip.py's with strength = 0
Differs  the towers give one finer level, and a cross-attention of the top level to it stands for
         the paper's channel mask and self-attention over four; what it finds is added to u, so that
         f holds the top level too, and passes a feed-forward net and a LayerNorm. The text tower
         learns (paper: a frozen one, `lock="text"`). A study without an impression has no part in
         that term. A text or an impression that several studies share is true of all of them
         (`same_text="positive"`; paper: negatives but for rho). Here y is divided by its sums and
         the directions are averaged; the authors' code does neither and lets the weight of the
         findings fall from 1 to 0.3; its terms between two views of an image are not here. Its
         strength is the temperature, 0.07.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale
from asclip.pretrain.terms import Relation, relation, relation_needs, soft_contrast, unit
from asclip.types import Encoded, Facts, Loss, Pair


def softness(report: Tensor, *, strength: float, rate: float) -> Tensor:
    """Soft targets strength (1 - exp(-rate max(rho, 0))), [B, B], of features [B, E]."""
    centred = unit(report.float() - report.float().mean(1, keepdim=True))
    return strength * (1 - torch.exp(-rate * (centred @ centred.T).clamp(min=0)))


def cicl(logits: Tensor, pairs: Relation, soft: Tensor) -> Tensor:
    """CICL of logits [B, U]: `soft` [B, U] where a pair is neither positive nor left out."""
    target = torch.where(pairs.positive, 1.0, soft.masked_fill(pairs.neutral, 0.0))
    return torch.stack(soft_contrast(logits.masked_fill(pairs.neutral, -1e4), target)).mean()


class Imitate(Scaled):
    """IMITATE's objective; it owns the attention that gathers the regions, [D] -> [D]."""

    def __init__(
        self,
        width: int,
        *,
        findings_weight: float = 1.0,
        strength: float = 0.07,
        rate: float = 0.2,
        heads: int = 4,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_not_negative(findings_weight=findings_weight, strength=strength, rate=rate)
        self.log_scale = log_scale(temperature)
        self.levels = Decoder(width, layers=1, heads=heads, hidden=width, self_attention=False)
        self.findings_weight, self.strength, self.rate = findings_weight, strength, rate
        self.same_text, self.same_patient = same_text, same_patient
        number = {"facts.second"} if same_text != "negative" else set()
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "second.pooled"}
            | {"facts.has_second", "facts.report", *number}
            | relation_needs(same_text, same_patient)
        )

    def finer(self, image: Encoded) -> Tensor:
        """The finer level [B, D]: regions, gathered by the top level."""
        if image.local is None:
            raise ValueError("imitate needs local vectors of the image tower; got None")
        return self.levels(image.pooled[:, None], image.local, image.valid)[0][:, 0]

    def _cicl(self, image: Tensor, text: Tensor, soft: Tensor, facts: Facts) -> Tensor:
        """CICL of images [B, D] with texts [M, D] of the same studies; `soft` [B, B] of studies."""
        image, text = unit(image), unit(text)
        words = {"same_text": self.same_text, "same_patient": self.same_patient}
        pairs = relation(facts, len(text), **words)
        having = relation(facts, len(text), same_text=self.same_text).positive.float()
        of_text = soft @ having / having.sum(0).clamp(min=1)
        return cicl(self.scale * image @ text[pairs.texts].T, pairs, of_text)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images, M texts of findings and up to B impressions."""
        soft = softness(facts.targets["report"], strength=self.strength, rate=self.rate)
        findings = self._cicl(self.finer(pair.image), pair.text.pooled, soft, facts)
        here = facts.targets["has_second"]
        known = {"text": facts.targets["second"][here]} if "facts.second" in self.needs else {}
        impression = self._cicl(
            pair.image.pooled[here],
            pair.others["second"].pooled[here],
            soft[here][:, here],
            Facts(facts.patient[here], targets=known),  # row i belongs to row i
        )
        return Loss(
            impression + self.findings_weight * findings,
            {
                "impression": impression.detach(),
                "findings": findings.detach(),
                "scale": self.scale.detach(),
            },
        )

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Mean of the cosines of both levels with the text, [B, C]."""
        levels = unit(image.pooled) + unit(self.finer(image))
        return levels @ unit(text.pooled).T / 2
