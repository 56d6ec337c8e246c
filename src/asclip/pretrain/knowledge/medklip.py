"""Findings as queries: a decoder asks an image whether each defined finding is there, and where.

    o_bf = decoder(query_f; regions of image b),    existence: BCE(w . o_bf + c, finding_bf)
    position: -1/|P| sum_{a in P} log softmax_a(s cos(W o_bf, place_a)),  P = where b has f
    L = existence + w_place * position + w_clip * CLIP

Paper    MedKLIP, Wu et al. 2023 (ICCV), arXiv:2301.02228
Takes    image.local [B, N, D], queries.pooled [F, D] (or definitions.pooled), places.pooled [A, D],
         facts.findings, facts.location; with `clip_weight` > 0 image.pooled and text.pooled [M, D]
Gives    total; parts existence, position (w_place > 0), clip, scale (w_clip > 0)
Equals   its clip part is clip.py
Differs  position similarities are cosines with a learned scale, `variant="official"` the code's dot
         products; all other places are negatives, in the code 7 random ones (`negatives=7`, drawn
         in training only), and several true places share the weight. One logit with a sigmoid
         stands for the two-way softmax. A query is one of a finding's wordings, another in each
         step (published: `ask="definitions"`; then a task must ask by definitions, too).
         Where wordings ask, a finding that fewer than 5 training reports deny is absent where a
         report is silent of it.
         Queries do not see each other, so that the score of a text is the same beside any other
         text; `self_attention=True` as published. The decoder has 2 layers (published: 4), see
         kad.py. The paper has no global contrast: its pooled vectors would stay untrained and
         retrieval a matter of chance, so `clip_weight` is 1 (0: as published, and no paired text is
         needed); `score` adds its logit, see asking.py (published: `answer="query"`)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.pretrain.asking import QUERIES, check_choices, contrast_logits, regions, texts_of
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import contrast, known_bce, relation, relation_needs, rows, unit
from asclip.types import Encoded, Facts, Loss, Pair


def placed(logits: Tensor, location: Tensor, findings: Tensor, shown: Tensor) -> Tensor:
    """Cross-entropy of places [B, F, A] to the true ones, mean over present, placed findings.

    `location` [B, F, A] is 1 at true places, `findings` [B, F] 1 where present; `shown` [B, F, A]
    bool says which untrue places are negatives. 0 where no present finding has a place.
    """
    true = (location > 0) & (findings == 1)[..., None]
    logp = F.log_softmax(logits.masked_fill(~(true | shown), -torch.inf), -1)
    count = true.sum(-1)
    each = -logp.masked_fill(~true, 0.0).sum(-1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)


def drawn(location: Tensor, count: int) -> Tensor:
    """`count` random places a finding that are not its true ones, [B, F, A] bool; all if fewer."""
    order = torch.rand_like(location).masked_fill(location > 0, 2.0).argsort(-1).argsort(-1)
    return (order < count) & ~(location > 0)


class MedKlip(Scaled):
    """MedKLIP's objective for joint width D; its `score` is what a query says of a text."""

    # A score is the log-odds of a finding: what a query denies is not asked, see tasks.zero_shot.
    existence_score = True

    def __init__(
        self,
        width: int,
        *,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 1024,
        self_attention: bool = False,
        temperature: float = 0.07,
        place_weight: float = 1.0,
        clip_weight: float = 1.0,
        negatives: int = 0,
        ask: str = "wordings",
        answer: str = "both",
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_choices(variant, ask, answer)
        check_not_negative(place_weight=place_weight, clip_weight=clip_weight)
        self.decoder = Decoder(
            width, layers=layers, heads=heads, hidden=hidden, self_attention=self_attention
        )
        self.existence, self.position = nn.Linear(width, 1), nn.Linear(width, width)
        self.log_scale, self.log_place_scale = log_scale(temperature), log_scale(temperature)
        self.place_weight, self.clip_weight = place_weight, clip_weight
        self.negatives, self.variant = negatives, variant
        self.queries, self.answer = QUERIES[ask], answer
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.local", f"{self.queries}.pooled", "facts.findings"}
        if place_weight > 0:
            needs |= {"places.pooled", "facts.location"}
        if clip_weight > 0:
            needs |= {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        self.needs = frozenset(needs)

    def _position(self, answers: Tensor, places: Tensor, facts: Facts) -> Tensor:
        location, findings = facts.targets["location"], facts.targets["findings"]
        answers, places = self.position(answers), places.float()
        if self.variant == "paper":
            answers, places = scale_of(self.log_place_scale) * unit(answers), unit(places)
        shown = torch.ones_like(location, dtype=torch.bool)
        if self.training and self.negatives > 0:
            shown = drawn(location, self.negatives)
        return placed(answers @ places.T, location, findings, shown)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images."""
        findings = facts.targets["findings"]
        queries, tokens = (
            texts_of(pair, self.queries, findings.shape[1]),
            regions(pair.image, "medklip"),
        )
        answers = self.decoder.ask(queries, tokens, pair.image.valid, ~torch.isnan(findings))
        total = known_bce(self.existence(answers)[..., 0], findings)
        parts = {"existence": total}
        if self.place_weight > 0:
            parts["position"] = self._position(answers, pair.others["places"].pooled, facts)
            total = total + self.place_weight * parts["position"]
        if self.clip_weight > 0:
            words = {"same_text": self.same_text, "same_patient": self.same_patient}
            pairs = relation(facts, len(pair.text.pooled), **words)
            parts["scale"] = self.scale
            logits = contrast_logits(pair.image, rows(pair.text, pairs.texts), parts["scale"])
            parts["clip"] = torch.stack(contrast(logits, pairs)).mean()
            total = total + self.clip_weight * parts["clip"]
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Logits [B, C] of C texts: existence, plus the contrast's (`answer="both"`)."""
        answers, _ = self.decoder(text.pooled.float(), regions(image, "medklip"), image.valid)
        logits = self.existence(answers)[..., 0]
        if self.answer == "query" or self.clip_weight == 0:
            return logits
        return logits + contrast_logits(image, text, self.scale)
