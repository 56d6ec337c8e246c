"""A text encoder learns an ontology: a concept's name against its definition, no images.

    L = 1/2 (CE(s x.y, T) + CE(s y.x, T')),  T_ij = 1[concept i = concept j], rows sum to 1

A row is a name with its definition, or a head and a relation with the tail; the texts of one row
are "text" and "second", and `facts.text` says which concept a text speaks of.

Paper    KAD's knowledge encoder, Zhang et al. 2023 (Nature Communications),
         doi:10.1038/s41467-023-40260-7 (arXiv:2302.14042)
Takes    text.pooled [M, D], second.pooled [B, D], facts.text, facts.has_second
Gives    total; parts second_to_text, text_to_second, scale
Equals   clip.py between two texts when every concept stands in one row
Differs  rows without a second text are left out; the code divides a row with several positives by
         its Euclidean length, so that its targets sum to more than 1 (`variant="official"`)
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale
from asclip.pretrain.terms import unit
from asclip.types import Facts, Loss, Pair


def concept_contrast(logits: Tensor, same: Tensor, *, power: int = 1) -> Tensor:
    """Cross-entropy along the rows of [B, M] to targets `same` [B, M] of `power`-norm 1.

    Mean over the rows that have a positive; 0 if none has.
    """
    length = same.norm(p=power, dim=1)
    each = -(same * F.log_softmax(logits, dim=1)).sum(1) / length.clamp(min=1)
    return each.sum() / (length > 0).sum().clamp(min=1)


def same_concept(facts: Facts) -> Tensor:
    """Does text m speak of a concept of study b? [B, M], 1 or 0."""
    own = (facts.targets["study"][:, None] == facts.targets["owner"][None, :]).float()
    concept = facts.targets["text"]
    return (own @ (concept[:, None] == concept[None, :]).float()).clamp(max=1)


class KnowledgeContrast(Scaled):
    """The first stage of KAD."""

    def __init__(self, *, temperature: float = 0.07, variant: str = "paper") -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        self.log_scale = log_scale(temperature)
        self.power = 2 if variant == "official" else 1
        facts = {"facts.study", "facts.owner", "facts.text", "facts.has_second"}
        self.needs = frozenset({"text.pooled", "second.pooled"} | facts)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of M texts and those of the B second texts that are real."""
        real = facts.targets["has_second"]
        same = same_concept(facts)[real]
        scale = self.scale
        second = unit(pair.others["second"].pooled)[real]
        logits = scale * second @ unit(pair.text.pooled).T
        to_text = concept_contrast(logits, same, power=self.power)
        to_second = concept_contrast(logits.T, same.T, power=self.power)
        total = (to_text + to_second) / 2
        parts = {"second_to_text": to_text, "text_to_second": to_second, "scale": scale}
        return Loss(total, {name: part.detach() for name, part in parts.items()})
