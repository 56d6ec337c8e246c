"""An image with the one before it: what got worse, and a contrast of both with the report.

    x_b = [u; p; u - p],  p the prior's vector
    change: CE over (better, same, worse) of  s' cos(W_k x_b, definition_f) + c_k
    u'_b = u_b + V x_b where there is a prior, else u_b;     L = CLIP(u', v) + w_change * change

Paper    after BioViL-T, Bannur et al. 2023 (CVPR), arXiv:2301.04558
Takes    image.pooled, prior.pooled [B, D], text.pooled [M, D], definitions.pooled [F, D],
         facts.has_prior [B], facts.change [B, F]
Gives    total; parts clip, change, scale, change_scale
Equals   clip.py when nobody has a prior
Differs  BioViL-T fuses patches in a transformer inside the image tower and learns time from reports
         alone; here pooled vectors are fused, change is also named by the report's own comparison,
         and without a prior the image stands alone (the paper: a learned vector in its place). V
         starts at 0, so that the first step is CLIP's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.types import Encoded, Facts, Loss, Pair


def change_loss(logits: Tensor, change: Tensor, has_prior: Tensor) -> Tensor:
    """Cross-entropy of [B, F, 3] (better, same, worse) to change [B, F], -1, 0, 1 or NaN.

    Mean over what is stated of studies [B] with a prior; 0 if there is nothing.
    """
    known = ~torch.isnan(change) & has_prior[:, None]
    place = torch.where(known, change + 1, 0.0).long()
    each = -F.log_softmax(logits, -1).gather(-1, place[..., None])[..., 0]
    return each.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)


class Temporal(Scaled):
    """CLIP of (current, prior) pairs with their reports, and change against the prior."""

    def __init__(
        self,
        width: int,
        *,
        change_weight: float = 1.0,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_not_negative(change_weight=change_weight)
        self.fusion = nn.Linear(3 * width, width, bias=False)
        nn.init.zeros_(self.fusion.weight)
        self.classes = nn.Linear(3 * width, 3 * width)
        self.bias = nn.Parameter(torch.zeros(3))
        self.log_scale, self.log_change_scale = log_scale(temperature), log_scale(1.0)
        self.change_weight = change_weight
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.pooled", "prior.pooled", "text.pooled", "facts.has_prior"}
        if change_weight > 0:
            needs |= {"definitions.pooled", "facts.change"}
        self.needs = frozenset(needs | relation_needs(same_text, same_patient))

    def change(self, both: Tensor, definitions: Tensor) -> Tensor:
        """Logits [B, F, 3] (better, same, worse) of pairs [B, 3 D] and findings [F, D]."""
        answer = unit(self.classes(both).unflatten(-1, (3, -1)))  # [B, 3, D]
        cosine = answer @ unit(definitions).T  # [B, 3, F]
        return (scale_of(self.log_change_scale) * cosine).mT + self.bias

    def _beside(self, image: Encoded, prior: Encoded, has: Tensor) -> tuple[Tensor, Tensor]:
        """Of the file's head x [B, 3 D] and u' [B, D]."""
        now, before = unit(image.pooled), unit(prior.pooled)
        both = torch.cat([now, before, now - before], -1)
        return both, unit(torch.where(has[:, None], now + self.fusion(both), now))

    @torch.no_grad()
    def beside_prior(self, image: Encoded, prior: Encoded, has_prior: Tensor) -> Tensor:
        """Unit vectors [B, D] of images beside their priors, those alone that have none."""
        return self._beside(image, prior, has_prior)[1]

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B studies and M texts."""
        has = facts.targets["has_prior"]
        both, fused = self._beside(pair.image, pair.others["prior"], has)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        text = unit(pair.text.pooled[pairs.texts])
        total = torch.stack(contrast(scale * fused @ text.T, pairs)).mean()
        parts = {"clip": total, "scale": scale}
        if self.change_weight > 0:
            change, definitions = facts.targets["change"], pair.others["definitions"].pooled
            if len(definitions) != change.shape[1]:
                raise ValueError(
                    f"each of the {change.shape[1]} findings needs a definition, got "
                    f"{len(definitions)}; give one text a finding, in the same order"
                )
            parts["change"] = change_loss(self.change(both, definitions), change, has)
            parts["change_scale"] = scale_of(self.log_change_scale)
            total = total + self.change_weight * parts["change"]
        return Loss(total, {name: part.detach() for name, part in parts.items()})
