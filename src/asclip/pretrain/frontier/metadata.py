"""Metadata (age, sex, site ...) as a vector beside image and text; unknown values are learned.

    h_e = x_e known ? g(x_e) w_e + b_e : missing_e,   g(x) = sign(x) log(1 + |x|),
    z = MLP(mean_e h_e)
    L = CLIP(u, v) + w_contrast * NCE(s' u.z) + w_predict * smooth_L1(head(u), g(x)) over known x

With `fusion` a text is v + gate * z of its study, gate = tanh of a learned number that starts at 0.

Paper    none; images against clinical tables: MEDIMP, Milecki et al. 2023 (MIDL)
Takes    image.pooled [B, D], text.pooled [M, D], facts.meta [B, E], NaN where unknown
Gives    total; parts clip, scale; contrast, meta_scale, predict where their weight is > 0
Equals   clip.py when no metadata is known
Differs  MEDIMP writes tables as sentences; here they are numbers with a vector for each unknown.
         A study of which nothing is known takes no part; studies with the same metadata are true of
         each other, and other studies of a patient are what `same_patient` says there too. What
         separates patients or sites also lets a model recognise them: compare subgroups before use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_not_negative, log_scale, scale_of
from asclip.pretrain.terms import Relation, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def squashed(meta: Tensor) -> Tensor:
    """sign(x) log(1 + |x|), NaN as 0: years and zeros and ones in one range."""
    x = torch.nan_to_num(meta.float(), nan=0.0)
    return x.sign() * x.abs().log1p()


def same_meta(meta: Tensor) -> Relation:
    """Studies with one and the same metadata [B, E], among those of which something is known."""
    known = ~torch.isnan(meta)
    x = meta.masked_fill(~known, 0.0)
    same = (x[:, None] == x[None, :]) & (known[:, None] == known[None, :])  # [B, B, E]
    some = known.any(1)
    neutral = ~(some[:, None] & some[None, :])
    return Relation(same.all(-1) & ~neutral, neutral, torch.arange(len(meta), device=meta.device))


def whose_meta(meta: Tensor, patient: Tensor, same_patient: str) -> Relation:
    """`same_meta`, and what other studies of one patient [B] are to each other's metadata."""
    same = same_meta(meta)
    alone = relation(Facts(patient), len(meta), same_text="negative", same_patient=same_patient)
    positive = same.positive | (alone.positive & ~same.neutral)
    return Relation(positive, (same.neutral | alone.neutral) & ~positive, same.texts)


class MetaEncoder(nn.Module):
    """Numbers [B, E], NaN where unknown -> [B, D]."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, width))
        self.bias = nn.Parameter(torch.zeros(count, width))
        self.missing = nn.Parameter(torch.randn(count, width))
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, meta: Tensor) -> Tensor:
        """The vector of each row."""
        value = squashed(meta)[..., None] * self.weight + self.bias
        each = torch.where(torch.isnan(meta)[..., None], self.missing, value)
        return self.mix(each.mean(1))


class Metadata(Scaled):
    """CLIP with `count` = E numbers of metadata for joint width D."""

    def __init__(
        self,
        width: int,
        count: int,
        *,
        contrast_weight: float = 0.5,
        predict_weight: float = 0.0,
        fusion: bool = False,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if fusion and same_text == "positive":
            raise ModelError(
                "with fusion a shared text is another text in each study, so same_text must be "
                "neutral or negative, got 'positive'; choose one"
            )
        if count < 1:
            raise ModelError(f"metadata must have at least one number a study, got {count}")
        check_not_negative(contrast_weight=contrast_weight, predict_weight=predict_weight)
        self.encoder = MetaEncoder(count, width)
        self.head = nn.Linear(width, count) if predict_weight > 0 else None
        self.gate = nn.Parameter(torch.zeros(())) if fusion else None
        self.log_scale, self.log_meta_scale = log_scale(temperature), log_scale(temperature)
        self.contrast_weight, self.predict_weight = contrast_weight, predict_weight
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", "facts.meta"} | relation_needs(same_text, same_patient)
        )

    def fuse(self, text: Tensor, vectors: Tensor, facts: Facts) -> Tensor:
        """Texts [M, D] of unit length with their study's metadata added, where any is known."""
        if self.gate is None:
            return text
        own = relation(facts, len(text), same_text="negative").positive.float()  # [B, M]
        some = (~torch.isnan(facts.targets["meta"])).any(1, keepdim=True)
        return unit(text + self.gate.tanh() * own.T @ (unit(vectors) * some))

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        meta = facts.targets["meta"]
        if meta.shape[1] != len(self.encoder.weight):
            raise ValueError(
                f"facts.meta must have {len(self.encoder.weight)} columns, got {meta.shape[1]}; "
                "build the objective with the number that the data has"
            )
        image, vectors = unit(pair.image.pooled), self.encoder(meta)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        text = self.fuse(unit(pair.text.pooled), vectors, facts)[pairs.texts]
        scale, meta_scale = self.scale, scale_of(self.log_meta_scale)
        total = torch.stack(contrast(scale * image @ text.T, pairs)).mean()
        parts = {"clip": total, "scale": scale}
        if self.contrast_weight > 0:
            logits = meta_scale * image @ unit(vectors).T
            pairs = whose_meta(meta, facts.patient, self.same_patient)
            parts["contrast"] = torch.stack(contrast(logits, pairs)).mean()
            parts["meta_scale"] = meta_scale
            total = total + self.contrast_weight * parts["contrast"]
        if self.head is not None:
            known = ~torch.isnan(meta)
            each = F.smooth_l1_loss(self.head(image), squashed(meta), reduction="none")
            parts["predict"] = each.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)
            total = total + self.predict_weight * parts["predict"]
        return Loss(total, {name: part.detach() for name, part in parts.items()})
