"""CLIP in which the studies of rare groups weigh more: each group as much as the others.

    w_i = (B / (G n_g(i)))^b, n_g the studies of group g in the batch; b = 0 is CLIP, 1 is balance
    L   = (sum_i w_i l_i / sum_i w_i + sum_m w_m l_m / sum_m w_m) / 2
    l_i = mean of log sum_m exp z_im - z_ip over the texts p that are true of study i
    l_m = mean, by w, of log sum_i w_i exp z_im - z_pm over the studies p that text m is true of
    w_m = mean of their w

Paper    RWG in Idrissi et al. 2022, arXiv:2110.14503, section 3
Takes    image.pooled [B, D], text.pooled [M, D], facts.group:NAME [B], -1 where unknown
Gives    total; parts image_to_text, text_to_image, scale, largest (of the weights)
Equals   clip.py with balance 0, or where the groups of a batch are of one size
Differs  the paper weighs a classifier's loss and counts groups in the whole training set, here in
         the batch; a study of no known group has weight 1. A text looks for its study among all
         of them, so that each counts w_i times there, too: what is common to the large group's
         images would otherwise still tell which of them a text belongs to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale
from asclip.pretrain.terms import Relation, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def group_weights(group: Tensor, balance: float) -> Tensor:
    """The w [B] float32 of the groups [B] int64, -1 where unknown.

    >>> group_weights(torch.tensor([0, 0, 0, 1, -1]), 1.0)
    tensor([0.6667, 0.6667, 0.6667, 2.0000, 1.0000])
    """
    known = group >= 0
    _, place, count = group[known].unique(return_inverse=True, return_counts=True)
    found = torch.ones(len(group), device=group.device)
    found[known] = (known.sum() / (len(count) * count[place].float())) ** balance
    return found


def weighted_contrast(logits: Tensor, pairs: Relation, weight: Tensor) -> tuple[Tensor, Tensor]:
    """`terms.contrast` of [B, U] as if row i, a study, were there `weight` [B] times."""
    truth = pairs.positive.float()
    logits = logits.masked_fill(pairs.neutral, -torch.inf)
    rows = _mean(torch.logsumexp(logits, 1, keepdim=True) - logits, truth, weight, 1)
    among = torch.logsumexp(logits + weight.log()[:, None], 0, keepdim=True)
    each = weight @ truth / truth.sum(0).clamp(min=1)
    return rows, _mean(among - logits, truth * weight[:, None], each, 0)


def _mean(loss: Tensor, truth: Tensor, weight: Tensor, axis: int) -> Tensor:
    """Mean by `weight` of the means by `truth` [B, U] along an axis, of lines that have any."""
    total = truth.sum(axis)
    each = (loss.masked_fill(truth == 0, 0.0) * truth).sum(axis) / total.clamp(min=1e-12)
    weight = weight * (total > 0)
    return (weight * each).sum() / weight.sum().clamp(min=1e-12)


class GroupWeights(Scaled):
    """CLIP with weights by the groups of `attribute`, a fact."""

    def __init__(
        self,
        attribute: str = "sex",
        *,
        balance: float = 1.0,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if not 0 <= balance <= 1:
            raise ModelError(f"balance must be from 0 (as in clip) to 1, got {balance}")
        self.log_scale = log_scale(temperature)
        self.group, self.balance = f"group:{attribute}", balance
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", f"facts.{self.group}"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image, texts = unit(pair.image.pooled), pair.text.pooled
        pairs = relation(
            facts, len(texts), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        weight = group_weights(facts.targets[self.group], self.balance)
        to_text, to_image = weighted_contrast(
            scale * image @ unit(texts[pairs.texts]).T, pairs, weight
        )
        parts = {"image_to_text": to_text, "text_to_image": to_image, "scale": scale}
        parts["largest"] = weight.max()
        total = (to_text + to_image) / 2
        return Loss(total, {name: part.detach() for name, part in parts.items()})
