"""Contrast whose targets, or image vectors, are smoothed over groups of studies (hyperedges).

    H [B, E]: who shares a finding, an affected place or a patient; an edge joins two or more
    S = Dv^-1/2 H W De^-1 H^T Dv^-1/2,   Dv = diag(H w), De = diag(members)
    on targets:     T = (1 - a) Y + a S Y, rows (columns) divided by their sum; L = CE(s u.v, T)
    on embeddings:  u' = u + a S u Theta;  L = CE(s u'.v, Y)

Paper    hypergraph convolution: HGNN, Feng et al. 2019 (AAAI), doi:10.1609/aaai.v33i01.33013558;
         no published medical CLIP with hyperedges is known to us
Takes    image.pooled [B, D], text.pooled [M, D]; facts.findings (w_finding > 0), facts.location too
         (w_place > 0)
Gives    total; parts image_to_text, text_to_image, mixed (share of studies in a group), scale
Equals   clip.py when no hyperedge has two members, or a = 0
Differs  HGNN classifies nodes; here its propagation gives soft targets of a contrast (a study that
         is in no group keeps its own). Embeddings keep themselves beside the group (residual), for
         at test time there is none; Theta starts as the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale
from asclip.pretrain.terms import contrast, relation, relation_needs, soft_contrast, unit
from asclip.types import Facts, Loss, Pair


def propagation(incidence: Tensor, weight: Tensor) -> Tensor:
    """S [B, B] of an incidence [B, E] (0 or 1) and weights [E]; edges of fewer than 2 are void."""
    members = incidence.sum(0)
    weight = weight.masked_fill(members < 2, 0.0)
    degree = incidence @ weight
    inverse = degree.clamp(min=1e-12).rsqrt().masked_fill(degree <= 0, 0.0)
    scaled = inverse[:, None] * incidence
    return (scaled * (weight / members.clamp(min=1))) @ scaled.T


class HighOrder(Scaled):
    """CLIP with hyperedges of shared findings, places and patients; D is used on embeddings."""

    def __init__(
        self,
        width: int,
        *,
        on: str = "targets",
        amount: float = 0.3,
        finding_weight: float = 1.0,
        place_weight: float = 1.0,
        patient_weight: float = 1.0,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if on not in ("targets", "embeddings"):
            raise ModelError(f"on must be 'targets' or 'embeddings', got {on!r}")
        if not 0 <= amount < 1:
            raise ModelError(f"amount must be in [0, 1), got {amount}")
        check_not_negative(
            finding_weight=finding_weight, place_weight=place_weight, patient_weight=patient_weight
        )
        self.log_scale = log_scale(temperature)
        self.theta = nn.Parameter(torch.eye(width)) if on == "embeddings" else None
        self.on, self.amount = on, amount
        self.weights = {
            "finding": finding_weight,
            "place": place_weight,
            "patient": patient_weight,
        }
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        if finding_weight > 0 or place_weight > 0:
            needs |= {"facts.findings"}
        if place_weight > 0:
            needs |= {"facts.location"}
        self.needs = frozenset(needs)

    def groups(self, facts: Facts) -> tuple[Tensor, Tensor]:
        """Incidence [B, E] of 0 and 1, and the weight [E] of each hyperedge."""
        edges: dict[str, Tensor] = {}
        t, patient = facts.targets, facts.patient
        if self.weights["finding"] > 0:
            edges["finding"] = t["findings"] == 1
        if self.weights["place"] > 0:
            edges["place"] = ((t["location"] > 0) & (t["findings"] == 1)[..., None]).any(1)
        if self.weights["patient"] > 0:
            edges["patient"] = patient[:, None] == patient.unique()[None, :]
        if not edges:
            nothing = torch.zeros(len(patient), 0, device=patient.device)
            return nothing, nothing.sum(0)
        incidence = torch.cat(list(edges.values()), 1).float()
        weight = [incidence.new_full((e.shape[1],), self.weights[k]) for k, e in edges.items()]
        return incidence, torch.cat(weight)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        spread = propagation(*self.groups(facts))
        scale = self.scale
        image, text = unit(pair.image.pooled), unit(pair.text.pooled[pairs.texts])
        if self.theta is not None:
            smooth = unit(image + self.amount * spread @ image @ self.theta)
            both = contrast(scale * smooth @ text.T, pairs)
        else:
            own = pairs.positive.float()
            target = (1 - self.amount) * own + self.amount * spread @ own
            logits = (scale * image @ text.T).masked_fill(pairs.neutral, -1e4)  # no 0 * inf
            both = soft_contrast(logits, target.masked_fill(pairs.neutral, 0.0))
        to_text, to_image = both
        mixed = (spread.sum(1) > 0).float().mean()
        parts = {"image_to_text": to_text, "text_to_image": to_image, "mixed": mixed}
        parts |= {"scale": scale}
        return Loss((to_text + to_image) / 2, {k: part.detach() for k, part in parts.items()})
