"""Images against expert descriptions of what they show: several may be true, unknown ones neutral.

    L = 1/2 (image_to_description + description_to_image) + w_clip * CLIP(image, text)

with the cross-entropy spread over the present findings of an image (over the images that have a
finding), absent ones as negatives and what is not stated left out of the denominator.

Paper    FLAIR, Silva-Rodriguez et al. 2023, arXiv:2308.07898
Takes    image.pooled [B, D], definitions.pooled [F, D], facts.findings [B, F]; with
         `clip_weight` > 0 text.pooled [M, D]
Gives    total; parts descriptions, clip, scale, description_scale
Equals   clip.py when nothing is stated of any finding
Differs  FLAIR has no reports: descriptions and names of categories are its texts (`clip_weight=0`),
         and an image is a negative of every category that is not its own, also of those that nobody
         looked for (`unknown="negative"`). An image without any finding has no positive
         description and teaches only the second direction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import Relation, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def described(findings: Tensor, unknown: str = "neutral") -> Relation:
    """Which of F descriptions are true of B images, from findings [B, F]."""
    neutral = torch.isnan(findings) & (unknown == "neutral")
    rows = torch.arange(findings.shape[1], device=findings.device)
    return Relation(findings == 1, neutral, rows)


class Descriptions(Scaled):
    """FLAIR's contrast with descriptions, beside CLIP's with reports."""

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        clip_weight: float = 1.0,
        unknown: str = "neutral",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if unknown not in ("neutral", "negative"):
            raise ModelError(f"unknown must be 'neutral' or 'negative', got {unknown!r}")
        check_not_negative(clip_weight=clip_weight)
        self.log_scale, self.log_description_scale = log_scale(temperature), log_scale(temperature)
        self.clip_weight, self.unknown = clip_weight, unknown
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.pooled", "definitions.pooled", "facts.findings"}
        if clip_weight > 0:
            needs |= {"text.pooled"} | relation_needs(same_text, same_patient)
        self.needs = frozenset(needs)

    @property
    def scale(self) -> Tensor:
        """That of the reports; of descriptions where they are the only texts."""
        return scale_of(self.log_scale if self.clip_weight > 0 else self.log_description_scale)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images, F descriptions and M texts."""
        findings, definitions = facts.targets["findings"], pair.others["definitions"].pooled
        if len(definitions) != findings.shape[1]:
            raise ValueError(
                f"each of the {findings.shape[1]} findings needs a definition, got "
                f"{len(definitions)}; give one text a finding, in the same order"
            )
        image = unit(pair.image.pooled)
        scale, own_scale = self.scale, scale_of(self.log_description_scale)
        logits = own_scale * image @ unit(definitions).T  # [B, F]
        total = torch.stack(contrast(logits, described(findings, self.unknown))).mean()
        parts = {"descriptions": total, "description_scale": own_scale, "scale": scale}
        if self.clip_weight > 0:
            words = {"same_text": self.same_text, "same_patient": self.same_patient}
            pairs = relation(facts, len(pair.text.pooled), **words)
            text = unit(pair.text.pooled[pairs.texts])
            parts["clip"] = torch.stack(contrast(scale * image @ text.T, pairs)).mean()
            total = total + self.clip_weight * parts["clip"]
        return Loss(total, {name: part.detach() for name, part in parts.items()})
