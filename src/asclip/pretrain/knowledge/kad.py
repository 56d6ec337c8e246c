"""Contrast with reports, and a disease query network that answers from an image or from its text.

    q_bf = w . decoder(definition_f; tokens) + c
    L = CLIP(s u.v) + w_query * (BCE(q(image regions), finding_bf) + BCE(q(text), stated_mf))

Paper    KAD, Zhang et al. 2023 (Nature Communications), doi:10.1038/s41467-023-40260-7
         (arXiv:2302.14042)
Takes    image.pooled, image.local [B, N, D], text.pooled [M, D], definitions.pooled [F, D],
         facts.findings [B, F], facts.stated [M, F]
Gives    total; parts clip, image_query, text_query, scale
Equals   clip.py when query_weight = 0 (the decoder then learns nothing)
Differs  the code's contrast has neither unit length nor a learned scale: it multiplies dot products
         by ln(1 / 0.07), which was meant to be a logarithm (`variant="official"`). A text answers
         for what itself states, not for its whole report; it is one token, its pooled vector, as in
         the code. What is not stated is skipped (the code can also call it absent). Queries do not
         see each other, so that the score of a text is the same beside any other text
         (`self_attention=True` as published). The knowledge encoder's own stage is kad_knowledge.py
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.terms import (
    contrast,
    known_bce,
    log_scale,
    relation,
    relation_needs,
    scale_of,
    unit,
)
from asclip.types import Encoded, Facts, Loss, Pair


class Kad(nn.Module):
    """KAD's objective for joint width D; its `score` is the query network's logit of a text."""

    # A score is the log-odds of a finding: what a query denies is not asked, see tasks.zero_shot.
    existence_score = True

    def __init__(
        self,
        width: int,
        *,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 1024,
        self_attention: bool = False,
        temperature: float = 0.07,
        query_weight: float = 1.0,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        self.decoder = Decoder(
            width, layers=layers, heads=heads, hidden=hidden, self_attention=self_attention
        )
        self.existence = nn.Linear(width, 1)
        self.log_scale = log_scale(temperature)
        self.query_weight, self.variant = query_weight, variant
        self.same_text, self.same_patient = same_text, same_patient
        streams = {"image.pooled", "text.pooled"}
        if query_weight > 0:
            streams |= {"image.local", "definitions.pooled", "facts.findings", "facts.stated"}
        self.needs = frozenset(streams | relation_needs(same_text, same_patient))

    def ask(self, tokens: Tensor | None, valid: Tensor | None, queries: Tensor) -> Tensor:
        """Logits [B, Q] of query texts [Q, D] given tokens [B, N, D] of an image or a text."""
        if tokens is None:
            raise ValueError("kad needs local vectors of the image; got None")
        answers, _ = self.decoder(queries.float(), tokens.float(), valid)
        return self.existence(answers)[..., 0]

    def _contrast(self, pair: Pair, facts: Facts, scale: Tensor) -> Tensor:
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        image, text = pair.image.pooled.float(), pair.text.pooled[pairs.texts].float()
        if self.variant == "official":
            return torch.stack(contrast(math.log(1 / 0.07) * image @ text.T, pairs)).mean()
        return torch.stack(contrast(scale * unit(image) @ unit(text).T, pairs)).mean()

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        scale = scale_of(self.log_scale)
        total = self._contrast(pair, facts, scale)
        parts = {"clip": total, "scale": scale}
        if self.query_weight > 0:
            findings, definitions = facts.targets["findings"], pair.others["definitions"].pooled
            if len(definitions) != findings.shape[1]:
                raise ValueError(
                    f"each of the {findings.shape[1]} findings needs a definition, got "
                    f"{len(definitions)}; give one text a finding, in the same order"
                )
            seen = self.ask(pair.image.local, pair.image.valid, definitions)
            read = self.ask(pair.text.pooled[:, None], None, definitions)
            parts["image_query"] = known_bce(seen, findings)
            parts["text_query"] = known_bce(read, facts.targets["stated"])
            total = total + self.query_weight * (parts["image_query"] + parts["text_query"])
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Logits [B, C]: each class text asks each image."""
        return self.ask(image.local, image.valid, text.pooled)
