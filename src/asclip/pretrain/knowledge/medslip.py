"""Two streams over an image's regions, what (pathology) and where (anatomy), and their agreement.

    m = W x + c,   x_path = m * x,   x_anat = (1 - m) * x
    P = decoder(queries; x_path) [B, F, D],   Q = decoder'(places; x_anat) [B, A, D]
    L = BCE(w.P, findings) + BCE(w'.Q, affected) + w_proto * (proto(P, places) + proto(Q, findings))
        + w_intra * BCE(P_f . Q_a / sqrt(D), location_fa) + w_clip * CLIP

proto: cross-entropy of an answer to the mean text of its true counterparts (a finding's places, a
place's findings) among the texts of the untrue ones; a finding that is not stated, or present
without a place, is neither. A place is affected if a present finding lies there; that is unknown
where nothing is stated, or a present finding has no place.

Paper    MeDSLIP, Fan et al. 2024, arXiv:2403.10635
Takes    image.local [B, N, D], queries.pooled [F, D] (or definitions.pooled), places.pooled [A, D],
         facts.findings, facts.location; with `clip_weight` > 0 image.pooled and text.pooled
Gives    total; parts findings, places, prototypes, intra; clip, scale (w_clip > 0)
Differs  prototypes are compared by cosine with a learned scale against all untrue counterparts and
         intra-image products are divided by sqrt(D); `variant="official"` takes plain dot products
         (the code further draws 7 negatives at random). Streams are formed in the joint space, and
         queries do not see each other unless `self_attention`. A query is one of a finding's
         wordings, see kad.py (published: `ask="definitions"`); where they ask, a finding that fewer
         than 5 training reports deny is absent where a report is silent of it. Each of the two
         decoders has 1 layer (published: 4): on 600 phantom studies 1 and 2 are alike, and places
         are many. The paper has no global contrast (`clip_weight=0`), which leaves the pooled
         vectors untrained; `score` adds its logit, see asking.py (published: `answer="query"`). The
         streams are said to hold one thing each; tasks/leakage.py measures it, and on phantoms each
         holds both
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asclip.pretrain.asking import QUERIES, check_choices, contrast_logits, regions, texts_of
from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import (
    contrast,
    known_bce,
    mean_valid,
    relation,
    relation_needs,
    rows,
    unit,
)
from asclip.types import Encoded, Facts, Loss, Pair


def affected(findings: Tensor, location: Tensor) -> Tensor:
    """Is a present finding at a place? [B, A], 1, 0 or NaN, of [B, F] and [B, F, A]."""
    at = (location > 0) & (findings == 1)[..., None]
    homeless = ((findings == 1) & ~at.any(-1)).any(-1)
    unsure = homeless | torch.isnan(findings).all(-1)
    here = at.any(1)
    return here.float().masked_fill(unsure[:, None] & ~here, torch.nan)


def meetings(findings: Tensor, location: Tensor) -> Tensor:
    """Do finding f and place a meet? [B, F, A], NaN where f is not stated or present nowhere."""
    at = (location > 0) & (findings == 1)[..., None]
    unsure = torch.isnan(findings) | ((findings == 1) & ~at.any(-1))
    return at.float().masked_fill(unsure[..., None], torch.nan)


def prototypes(logits: Tensor, true: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of [B, Q, C] to the mean of the true columns among it and the untrue ones.

    `true`, `known` [B, Q, C] bool: a column of which nothing is known is neither. Mean over the
    queries that have a true column, 0 if none has.
    """
    count = true.sum(-1)
    mean = logits.masked_fill(~true, 0.0).sum(-1) / count.clamp(min=1)  # [B, Q]
    untrue = logits.masked_fill(true | ~known, -torch.inf)
    each = torch.logsumexp(torch.cat([mean[..., None], untrue], -1), -1) - mean
    return each.masked_fill(count == 0, 0.0).sum() / (count > 0).sum().clamp(min=1)


class MedSlip(Scaled):
    """MeDSLIP's objective for joint width D; its `score` asks the pathology stream."""

    # A score is the log-odds of a finding: what a query denies is not asked, see tasks.zero_shot.
    existence_score = True

    def __init__(
        self,
        width: int,
        *,
        layers: int = 1,
        heads: int = 4,
        hidden: int = 1024,
        self_attention: bool = False,
        temperature: float = 0.07,
        prototype_weight: float = 1.0,
        intra_weight: float = 1.0,
        clip_weight: float = 1.0,
        ask: str = "wordings",
        answer: str = "both",
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_choices(variant, ask, answer)
        check_not_negative(
            prototype_weight=prototype_weight, intra_weight=intra_weight, clip_weight=clip_weight
        )
        sizes = {"layers": layers, "heads": heads, "hidden": hidden}
        self.mask = nn.Linear(width, width)
        self.finding_decoder = Decoder(width, **sizes, self_attention=self_attention)
        self.place_decoder = Decoder(width, **sizes, self_attention=self_attention)
        self.finding_head, self.place_head = nn.Linear(width, 1), nn.Linear(width, 1)
        self.to_places, self.to_findings = nn.Linear(width, width), nn.Linear(width, width)
        self.log_scale, self.log_prototype_scale = log_scale(temperature), log_scale(temperature)
        self.prototype_weight, self.intra_weight = prototype_weight, intra_weight
        self.clip_weight, self.variant = clip_weight, variant
        self.queries, self.answer = QUERIES[ask], answer
        self.same_text, self.same_patient = same_text, same_patient
        needs = {"image.local", f"{self.queries}.pooled", "places.pooled"}
        needs |= {"facts.findings", "facts.location"}
        if clip_weight > 0:
            needs |= {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        self.needs = frozenset(needs)

    def disentangle(self, image: Encoded) -> tuple[Encoded, Encoded]:
        """The pathology and the anatomy stream of an image; pooled is the mean over its regions."""
        x = regions(image, "medslip")
        mask = self.mask(x)
        both = (mask * x, (1 - mask) * x)
        what, where = (Encoded(mean_valid(s, image.valid), s, image.valid) for s in both)
        return what, where

    def _similar(self, answers: Tensor, texts: Tensor) -> Tensor:
        if self.variant == "official":
            return answers @ texts.T
        return scale_of(self.log_prototype_scale) * unit(answers) @ unit(texts).T

    def _terms(self, pair: Pair, facts: Facts) -> dict[str, Tensor]:
        findings, location = facts.targets["findings"], facts.targets["location"]
        definitions = texts_of(pair, self.queries, findings.shape[1])
        places = pair.others["places"].pooled.float()
        if len(places) != location.shape[2]:
            raise ValueError(
                f"each of the {location.shape[2]} places needs a text, got {len(places)}; give "
                "them in the order of facts.location"
            )
        what, where = self.disentangle(pair.image)
        assert what.local is not None
        assert where.local is not None
        known = ~torch.isnan(findings)
        p = self.finding_decoder.ask(definitions, what.local, what.valid, known)  # [B, F, D]
        q, _ = self.place_decoder(places, where.local, where.valid)  # [B, A, D]
        meet = meetings(findings, location)
        at, sure = meet == 1, ~torch.isnan(meet)
        root = 1.0 if self.variant == "official" else p.shape[-1] ** 0.5
        return {
            "findings": known_bce(self.finding_head(p)[..., 0], findings),
            "places": known_bce(self.place_head(q)[..., 0], affected(findings, location)),
            "prototypes": prototypes(self._similar(self.to_places(p), places), at, sure)
            + prototypes(self._similar(self.to_findings(q), definitions), at.mT, sure.mT),
            "intra": known_bce(p @ q.mT / root, meet),
        }

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images."""
        parts = self._terms(pair, facts)
        total = parts["findings"] + parts["places"]
        total = total + self.prototype_weight * parts["prototypes"]
        total = total + self.intra_weight * parts["intra"]
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
        """Logits [B, C] of C texts: what the pathology stream answers, plus the contrast's."""
        what, _ = self.disentangle(image)
        answers, _ = self.finding_decoder(text.pooled.float(), regions(what, "medslip"), what.valid)
        logits = self.finding_head(answers)[..., 0]
        if self.answer == "query" or self.clip_weight == 0:
            return logits
        return logits + contrast_logits(image, text, self.scale)
