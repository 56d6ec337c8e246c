"""CLIP while the text tower learns an ontology: each concept's name against its definition.

    L = CLIP(s u.v) + w_knowledge * (NCE(s' n_k . d_k) + mean_k (1 - n_k . d_k))

n_k is the name of concept k (or its denial, "no NAME"), d_k its definition. NCE tells concepts
apart; the second term brings a name to where its definition is, for few concepts are told apart
long before they are near.

What reports only describe becomes findable by name, and the other way round: words of a definition
carry a name that no report of the training set has.

Paper    after KAD's knowledge encoder, Zhang et al. 2023 (Nature Communications),
         doi:10.1038/s41467-023-40260-7 (arXiv:2302.14042), first stage
Takes    image.pooled [B, D], text.pooled [M, D], names.pooled [K, D], meanings.pooled [K, D]
Gives    total; parts clip, knowledge, scale
Equals   clip.py when knowledge_weight = 0
Differs  the paper trains its text encoder first and then freezes it (kad_knowledge.py has that
         stage); here both terms are learned together, so that a small text tower does not forget.
         Its contrast has no second term. Relations of the ontology are not used, only definitions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def one_to_one(logits: Tensor) -> Tensor:
    """InfoNCE of [K, K], both ways; 0 for a single concept.

    >>> round(float(one_to_one(torch.zeros(2, 2))), 4)
    0.6931
    """
    here = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, here) + F.cross_entropy(logits.T, here)) / 2


class Concepts(Scaled):
    """CLIP and a contrast of names with definitions of the run's concepts."""

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        knowledge_weight: float = 1.0,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_not_negative(knowledge_weight=knowledge_weight)
        self.log_scale, self.log_knowledge_scale = log_scale(temperature), log_scale(temperature)
        self.knowledge_weight = knowledge_weight
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", "names.pooled", "meanings.pooled"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images, M texts and K concepts."""
        names, meanings = (unit(pair.others[k].pooled) for k in ("names", "meanings"))
        if len(names) != len(meanings):
            raise ValueError(
                f"each name needs its definition, got {len(names)} names and {len(meanings)} "
                "definitions; give one of each for a concept, in the same order"
            )
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        cosine = unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        whole = torch.stack(contrast(scale * cosine, pairs)).mean()
        near = names @ meanings.T
        known = one_to_one(scale_of(self.log_knowledge_scale) * near)
        known = known + (1 - near.diagonal()).mean()
        parts = {"clip": whole, "knowledge": known, "scale": scale}
        total = whole + self.knowledge_weight * known
        return Loss(total, {name: part.detach() for name, part in parts.items()})
