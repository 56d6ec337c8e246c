"""Contrast with reports, and a disease query network that answers from an image or from its text.

    q_bf = w . decoder(query_f; tokens) + c
    L = CLIP(s u.v) + w_query * (BCE(q(image regions), finding_bf) + BCE(q(text), stated_mf))

Paper    KAD, Zhang et al. 2023 (Nature Communications), doi:10.1038/s41467-023-40260-7
         (arXiv:2302.14042)
Takes    image.pooled, image.local [B, N, D], text.pooled [M, D], queries.pooled [F, D] (or
         definitions.pooled), facts.findings [B, F], facts.stated [M, F], facts.text
Gives    total; parts clip, image_query, text_query, scale
Equals   clip.py when query_weight = 0 (the decoder then learns nothing)
Differs  the code's contrast has neither unit length nor a learned scale: it multiplies dot products
         by ln(1 / 0.07), which was meant to be a logarithm (`variant="official"`). A query is one
         of a finding's wordings, another in each step: name, definition, sentence (the code has
         names alone; `ask="definitions"` always the definition). A network that has heard
         definitions alone answers "there is a mass" at random. A text answers for what itself
         states, not for its whole report; it is one token, its pooled vector, as in the code. What
         is not stated is skipped (the code calls it absent unless told otherwise); of an image,
         where wordings ask, a finding that fewer than 5 training reports deny is absent where its
         report is silent. Queries do not see each other, so that the score of a text is the same
         beside any other text (`self_attention=True` as published). The decoder has 2 layers
         (published: 4, on 380,000 images with D = 768): on 600 phantom studies 1, 2 and 4 are
         alike. `score` adds the logit of the contrast, which hears what no query asks, such as a
         place (published: `answer="query"`). The knowledge encoder's own stage is kad_knowledge.py
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asclip.pretrain.asking import (
    QUERIES,
    check_choices,
    of_texts,
    regions,
    texts_of,
)
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import contrast, known_bce, relation, relation_needs, rows, unit
from asclip.types import Encoded, Facts, Loss, Pair


class Kad(Scaled):
    """KAD's objective for joint width D; its `score` is what the query network says of a text."""

    def __init__(
        self,
        width: int,
        *,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 1024,
        self_attention: bool = False,
        temperature: float = 0.07,
        query_weight: float = 1.0,
        ask: str = "wordings",
        answer: str = "both",
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_choices(variant, ask, answer)
        check_not_negative(query_weight=query_weight)
        self.decoder = Decoder(
            width, layers=layers, heads=heads, hidden=hidden, self_attention=self_attention
        )
        self.existence = nn.Linear(width, 1)
        self.log_scale = log_scale(temperature)
        self.query_weight, self.variant = query_weight, variant
        self.queries, self.answer = QUERIES[ask], answer
        self.same_text, self.same_patient = same_text, same_patient
        # A score is the log-odds of a finding: what a query denies is not asked, tasks.zero_shot.
        self.existence_score = query_weight > 0
        streams = {"image.pooled", "text.pooled"}
        if query_weight > 0:
            streams |= {"image.local", f"{self.queries}.pooled"}
            streams |= {"facts.findings", "facts.stated", "facts.text"}
        self.needs = frozenset(streams | relation_needs(same_text, same_patient))

    @property
    def scale(self) -> Tensor:
        """What the contrast multiplies cosines with, or dot products (`variant="official"`)."""
        if self.variant == "official":
            return self.log_scale.new_tensor(math.log(1 / 0.07))
        return scale_of(self.log_scale)

    def similar(self, image: Encoded, text: Encoded) -> Tensor:
        """Cosines [B, C] of whole images with texts; dot products in the official variant."""
        if self.variant == "official":
            return image.pooled.float() @ text.pooled.float().T
        return unit(image.pooled) @ unit(text.pooled).T

    def compare(self, image: Encoded, text: Encoded) -> Tensor:
        """Logits [B, C] of the contrast of whole images with texts."""
        return self.scale * self.similar(image, text)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        logits = self.compare(pair.image, rows(pair.text, pairs.texts))
        total = torch.stack(contrast(logits, pairs)).mean()
        parts = {"clip": total, "scale": self.scale}
        if self.query_weight > 0:
            findings, stated = facts.targets["findings"], facts.targets["stated"]
            queries = texts_of(pair, self.queries, findings.shape[1])
            tokens, valid = regions(pair.image, "kad"), pair.image.valid
            seen = self.decoder.ask(queries, tokens, valid, ~torch.isnan(findings))
            read = of_texts(self.decoder, queries, pair.text.pooled, facts.targets["text"], stated)
            parts["image_query"] = known_bce(self.existence(seen)[..., 0], findings)
            parts["text_query"] = known_bce(self.existence(read)[..., 0], stated)
            total = total + self.query_weight * (parts["image_query"] + parts["text_query"])
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Logits [B, C] of C texts: the query network's, plus the contrast's (`answer="both"`).

        Without a query network the cosines, which whoever asks multiplies with `scale`.
        """
        if self.query_weight == 0:
            return self.similar(image, text)
        answers, _ = self.decoder(text.pooled.float(), regions(image, "kad"), image.valid)
        logits = self.existence(answers)[..., 0]
        return logits + self.compare(image, text) if self.answer == "both" else logits
