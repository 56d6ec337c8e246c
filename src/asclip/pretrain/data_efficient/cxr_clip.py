"""Two images and two texts of a study: all four pairs, and each kind with itself.

    L = mean over {I, I'} x {T, T'} of NCE + image_weight NCE(I, I') + text_weight NCE(T, T')
    NCE = (rows + columns) / 2 of InfoNCE with one learned scale

Paper    CXR-CLIP, You et al. 2023 (MICCAI), arXiv:2310.13292
Takes    image.pooled and view.pooled [B, D], text.pooled [M, D], second.pooled [B, D];
         facts.has_view and facts.has_second [B] bool
Gives    total; parts image_text (mean of the four), image_image, text_text, scale
Equals   clip.py where nobody has a view or a second text
Differs  a study without a second image or text has no part in the terms that need it (the authors'
         code augments the first one again); each of the four terms weighs by the number of its
         studies that take part, which is the paper's mean where all do. Texts of other studies
         stay negatives of a second text. Labels turned into prompts are the data's affair. Whether
         two second texts say the same is not asked; such studies are negatives of one another.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.pretrain.scale import Scaled, check_not_negative, log_scale
from asclip.pretrain.terms import Relation, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def present(pairs: Relation, rows: Tensor, columns: Tensor | None = None) -> Relation:
    """Those of the rows [B] bool, and columns [B] bool if given, that are there."""
    positive, neutral = pairs.positive[rows], pairs.neutral[rows]
    if columns is None:
        return Relation(positive, neutral, pairs.texts)
    return Relation(positive[:, columns], neutral[:, columns], pairs.texts[columns])


def nce(a: Tensor, b: Tensor, scale: Tensor, pairs: Relation) -> Tensor:
    """Mean of both directions of InfoNCE between a [n, D] and b [m, D] of unit length."""
    return torch.stack(contrast(scale * a @ b.T, pairs)).mean()


class CxrClip(Scaled):
    """CXR-CLIP's objective."""

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        image_weight: float = 1.0,
        text_weight: float = 0.5,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        check_not_negative(image_weight=image_weight, text_weight=text_weight)
        self.log_scale = log_scale(temperature)
        self.image_weight, self.text_weight = image_weight, text_weight
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "view.pooled", "text.pooled", "second.pooled"}
            | {"facts.has_view", "facts.has_second"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images with their views, M texts and B second texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        studies = relation(
            Facts(facts.patient),
            len(facts.patient),
            same_text="negative",
            same_patient=self.same_patient,
        )
        viewed, told = facts.targets["has_view"], facts.targets["has_second"]
        everyone = torch.ones_like(viewed)
        image, text = unit(pair.image.pooled), unit(pair.text.pooled[pairs.texts])
        view = unit(pair.others["view"].pooled[viewed])
        second = unit(pair.others["second"].pooled[told])
        scale = self.scale
        terms = torch.stack(
            [
                nce(image, text, scale, pairs),
                nce(view, text, scale, present(pairs, viewed)),
                nce(image, second, scale, present(studies, everyone, told)),
                nce(view, second, scale, present(studies, viewed, told)),
            ]
        )
        counts = torch.stack([part.sum() for part in (everyone, viewed, told, viewed & told)])
        across = (terms * counts).sum() / counts.sum()
        images = nce(image, view, scale, present(studies, everyone, viewed))
        texts = nce(second, text, scale, present(pairs, told))
        return Loss(
            across + self.image_weight * images + self.text_weight * texts,
            {
                "image_text": across.detach(),
                "image_image": images.detach(),
                "text_text": texts.detach(),
                "scale": scale.detach(),
            },
        )
