"""Every text of a study with the same label is a positive.

    L = (CE(z, y) + CE(z^T, y^T)) / 2,   rows of y sum to 1
    match="vector":    y_im ~ 1[findings of i = findings of the study that wrote m]
    match="category":  y_im ~ number of categories that both have: present findings, or "normal"
                       (called so, or something is absent and nothing present)

Paper    UniCL, Yang et al. 2022 (CVPR), arXiv:2204.03610; FLAIR, Silva-Rodriguez et al. 2023,
         arXiv:2308.07898 (retina)
Takes    image.pooled [B, D], text.pooled [M, D]; facts.findings [B, F], facts.normal [B]
Gives    total; parts image_to_text, text_to_image, scale, positives (a row's mean)
Equals   clip.py where no two studies have the same findings, or none is known
Differs  the papers have one class a sample, here findings are many: "vector" wants all of them
         equal (also in what is not stated), "category" counts those that two studies share. A study
         of which nothing is known has its own texts only. The weight of a text that several
         studies share is their mean. FLAIR's code divides columns instead of rows, which is the
         same for classes; here each direction is divided by its own sum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale
from asclip.pretrain.terms import relation, relation_needs, soft_contrast, unit
from asclip.types import Facts, Loss, Pair


def matches(findings: Tensor, normal: Tensor, match: str) -> Tensor:
    """How alike studies are, [B, B] >= 0, of findings [B, F] in {1, 0, NaN}.

    `normal` [B] bool are the studies that are called so.

    >>> none = torch.zeros(4, dtype=torch.bool)
    >>> truth = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [torch.nan, torch.nan]])
    >>> matches(truth, none, "vector").int().tolist()
    [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    >>> matches(truth, none, "category").int().tolist()
    [[1, 1, 1, 0], [1, 2, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    >>> matches(truth[3:].expand(2, -1), ~none[:2], "vector").int().tolist()
    [[1, 1], [1, 1]]
    """
    here, absent = (findings == 1).float(), (findings == 0).float()
    if match == "category":
        alike = (~here.any(1) & (normal | absent.any(1))).float()
        return here @ here.T + alike[:, None] * alike[None, :]
    unknown = torch.isnan(findings).float()
    agree = here @ here.T + absent @ absent.T + unknown @ unknown.T
    known = normal | ~torch.isnan(findings).all(1)
    return ((agree == findings.shape[1]) & known[:, None] & known[None, :]).float()


class UniCl(Scaled):
    """UniCL's objective with targets by equality of findings."""

    def __init__(
        self,
        *,
        match: str = "vector",
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if match not in ("vector", "category"):
            raise ModelError(f"match must be 'vector' or 'category', got {match!r}")
        self.log_scale = log_scale(temperature)
        self.match, self.same_text, self.same_patient = match, same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", "facts.findings", "facts.normal"}
            | relation_needs(same_text, same_patient)
        )

    def weights(self, facts: Facts, texts: int) -> tuple[Tensor, Tensor, Tensor]:
        """Targets before their division [B, U], what is left out [B, U], the texts [U]."""
        pairs = relation(facts, texts, same_text=self.same_text, same_patient=self.same_patient)
        having = relation(facts, texts, same_text=self.same_text).positive.float()
        alike = matches(facts.targets["findings"], facts.targets["normal"], self.match) @ having
        weight = alike / having.sum(0).clamp(min=1)
        weight = torch.where(pairs.positive, weight.clamp(min=1.0), weight)
        return weight, pairs.neutral & (weight == 0), pairs.texts

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        weight, neutral, texts = self.weights(facts, len(pair.text.pooled))
        scale = self.scale
        z = scale * unit(pair.image.pooled) @ unit(pair.text.pooled[texts]).T
        to_text, to_image = soft_contrast(z.masked_fill(neutral, -1e4), weight)
        return Loss(
            (to_text + to_image) / 2,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
                "positives": (weight > 0).float().sum(1).mean(),
            },
        )
