"""Triage of the other studies by what their reports say: positive, left out, or negative.

    l_i = -log( sum_{p in P(i)} e^z_ip / sum_{j in P(i) or N(i)} e^z_ij )
    P(i): own texts and those with similarity >= `alike`;  left out: >= `near`;  N(i): the rest

L = (mean over images + mean over texts) / 2.

Paper    Semantics-Aware Triage, Liu et al. 2023 (IEEE TMI), "Improving Medical Vision-Language
         Contrastive Pretraining with Semantics-aware Triage", doi:10.1109/TMI.2023.3294980
Takes    image.pooled [B, D], text.pooled [M, D]; facts.findings and facts.normal, or facts.report,
         or facts.meaning
Gives    total; parts image_to_text, text_to_image, scale, positives and left_out (a row's mean)
Equals   clip.py where nobody has a second positive and nothing is left out (thresholds above 1 and
         one text a study); with `positives="each"` also with several texts a study
Differs  no code of the authors was read; the similarities are ours: `by="findings"` is the cosine
         of what is present (one more entry for "something is absent, or all is called normal, and
         nothing is present"; a study of which nothing is known is like no other), "report" the
         cosine of whole reports, "meaning" the largest cosine of a text with a text of the study.
         `positives="each"` is the mean of -log over positives, of which each has to be near; the
         sum inside is content with one of them. Of a text that several studies share, the most
         similar study counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_cosine, log_scale
from asclip.pretrain.terms import ROUNDING, Relation, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

SOURCES = ("findings", "report", "meaning")


def present(findings: Tensor, normal: Tensor) -> Tensor:
    """What is present [B, F + 1], of unit length; zeros for a study of which nothing is known.

    `normal` [B] bool are the studies that are called so.

    >>> some = torch.tensor([[1.0, 0.0], [0.0, torch.nan], [torch.nan, torch.nan]])
    >>> present(some, torch.tensor([False, False, False])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    >>> present(some, torch.tensor([True, False, True])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """
    here = (findings == 1).float()
    normal = ~here.any(1) & (normal | (findings == 0).any(1))
    return unit(torch.cat([here, normal.float()[:, None]], 1))


def at_least(facts: Facts, by: str, pairs: Relation, threshold: float, same_text: str) -> Tensor:
    """Whether study and text are that similar, [B, U] bool; identical ones reach 1."""
    threshold -= ROUNDING
    targets = facts.targets
    if by == "meaning":
        meaning = unit(targets["meaning"])
        close = (meaning @ meaning[pairs.texts].T >= threshold).float()  # [M, U]
        own = relation(facts, len(meaning), same_text="negative").positive.float()
        return own @ close > 0
    if by == "findings":
        vectors = present(targets["findings"], targets["normal"])
    else:
        vectors = unit(targets["report"])
    close = (vectors @ vectors.T >= threshold).float()  # [B, B]
    texts = len(targets["owner"]) if "owner" in targets else len(vectors)
    having = relation(facts, texts, same_text=same_text).positive.float()
    return close @ having > 0


def any_positive(logits: Tensor, pairs: Relation) -> Tensor:
    """Mean of l_i over the rows of `logits` [B, U] that have a positive."""
    counted = pairs.positive.any(1)
    true = logits.masked_fill(~pairs.positive, -1e4).logsumexp(1)
    every = logits.masked_fill(pairs.neutral, -1e4).logsumexp(1)
    each = torch.where(counted, every - true, 0.0)
    return each.sum() / counted.sum().clamp(min=1)


class Sat(Scaled):
    """SAT's objective: triage by `by` with the thresholds `alike` >= `near`."""

    def __init__(
        self,
        *,
        by: str = "findings",
        alike: float = 0.95,
        near: float = 0.7,
        positives: str = "any",
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if by not in SOURCES:
            raise ModelError(f"by must be one of {', '.join(SOURCES)}, got {by!r}")
        if positives not in ("any", "each"):
            raise ModelError(f"positives must be 'any' or 'each', got {positives!r}")
        check_cosine(alike=alike, near=near)
        if near > alike:
            raise ModelError(
                f"near must not be above alike, got {near} and {alike}; what lies between is left "
                "out, so give the smaller one as near"
            )
        self.log_scale = log_scale(temperature)
        self.by, self.alike, self.near, self.positives = by, alike, near, positives
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", f"facts.{by}"} | relation_needs(same_text, same_patient)
        )
        if by == "findings":
            self.needs |= {"facts.normal"}

    def triage(self, facts: Facts, texts: int) -> Relation:
        """Who is positive, left out and negative, [B, U]."""
        pairs = relation(facts, texts, same_text=self.same_text, same_patient=self.same_patient)
        alike, near = (
            at_least(facts, self.by, pairs, threshold, self.same_text)
            for threshold in (self.alike, self.near)
        )
        positive = pairs.positive | alike
        return Relation(positive, (pairs.neutral | near) & ~positive, pairs.texts)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = self.triage(facts, len(pair.text.pooled))
        scale = self.scale
        z = scale * unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        if self.positives == "each":
            to_text, to_image = contrast(z, pairs)
        else:
            back = Relation(pairs.positive.T, pairs.neutral.T, pairs.texts)
            to_text, to_image = any_positive(z, pairs), any_positive(z.T, back)
        return Loss(
            (to_text + to_image) / 2,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
                "positives": pairs.positive.float().sum(1).mean(),
                "left_out": pairs.neutral.float().sum(1).mean(),
            },
        )
