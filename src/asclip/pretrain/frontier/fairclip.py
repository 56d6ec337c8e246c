"""CLIP whose true pairs shall be equally alike in every group of patients.

    s_i    = t times the mean over study i's own texts of cos(u_i, v_m): the logit of a true pair
    L      = CLIP(u, v) + w sum_g S(D, D_g),   D the s_i of the batch, D_g those of group g
    S(a,b) = OT(a,b) - OT(a,a) / 2 - OT(b,b) / 2,     e = blur^2
    OT     = min_P sum_ij P_ij |a_i - b_j|^2 / 2 + e KL(P | uniform),   P with uniform margins

Paper    FairCLIP, Luo et al. 2024, arXiv:2403.19949, eq. 2-5
Takes    image.pooled [B, D], text.pooled [M, D], facts.group:NAME [B], -1 where unknown
Gives    total; parts clip, fair, scale
Equals   clip.py with weight 0, or where the batch has fewer than two groups
Differs  The paper names the Sinkhorn distance; its code (geomloss) takes this divergence, which is
         0 for equal distributions. The code draws further studies of each group; here they are
         those of the batch, two at least, and both sides learn (code: the group's is fixed). The
         scale t is a constant in s, since a smaller one would lower S and change no pair. The code
         takes diag(Z Z'^T) of the two logit matrices for s, some thousands, divides the group's by
         its sum and leaves the batch's as they are: hence its weight of 1e-4, with a blur of 1e-4.
         It keeps the weights of the best test AUC.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

COOLING, SETTLE = 1.2, 50  # by what epsilon falls each round, and rounds at the last one


def transport(a: Tensor, b: Tensor, blur: float) -> Tensor:
    """OT [] of samples a [n] and b [m], see above; its gradient is that of the cost under P.

    Sinkhorn's rounds on logarithms, in float64, with an epsilon that falls from the largest cost.
    """
    cost = (a[:, None] - b[None, :]).double().square() / 2
    with torch.no_grad():
        last, f, g = blur**2, cost.new_zeros(len(a)), cost.new_zeros(len(b))
        epsilon = max(float(cost.max()), last)
        for _ in range(SETTLE + math.ceil(math.log(epsilon / last, COOLING))):
            f = _soft_minimum(cost - g, epsilon, 1)
            g = _soft_minimum(cost - f[:, None], epsilon, 0)
            epsilon = max(epsilon / COOLING, last)
        plan = ((f[:, None] + g - cost) / epsilon).exp() / cost.numel()
        rest = f.mean() + g.mean() - (plan * cost).sum()
    return (plan * cost).sum() + rest


def _soft_minimum(cost: Tensor, epsilon: float, axis: int) -> Tensor:
    mean = torch.logsumexp(-cost / epsilon, axis) - math.log(cost.shape[axis])
    return -epsilon * mean


def divergence(a: Tensor, b: Tensor, blur: float) -> Tensor:
    """S [] of samples a [n] and b [m]; 0 where they are the same.

    >>> round(float(divergence(torch.tensor([0.0, 1.0]), torch.tensor([3.0, 2.0]), 0.01)), 4)
    2.0
    """
    return transport(a, b, blur) - (transport(a, a, blur) + transport(b, b, blur)) / 2


def own_similarity(image: Tensor, text: Tensor, facts: Facts) -> tuple[Tensor, Tensor]:
    """The s / t [B] of unit vectors [B, D], [M, D], and which studies have a text of their own."""
    own = relation(facts, len(text), same_text="negative").positive.float()
    count = own.sum(1)
    return (own * (image @ text.T)).sum(1) / count.clamp(min=1), count > 0


class FairClip(Scaled):
    """CLIP with equal distributions of similarity over the groups of `attribute`, a fact."""

    def __init__(
        self,
        attribute: str = "sex",
        *,
        weight: float = 0.1,
        blur: float = 0.2,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if not (0 <= weight < math.inf and 0 < blur < math.inf):
            raise ModelError(
                f"fair_weight must be 0 or more and blur above 0, got {weight} and {blur}"
            )
        self.log_scale = log_scale(temperature)
        self.group, self.weight, self.blur = f"group:{attribute}", weight, blur
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", f"facts.{self.group}"}
            | {"facts.study", "facts.owner"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image, text = unit(pair.image.pooled), unit(pair.text.pooled)
        pairs = relation(facts, len(text), same_text=self.same_text, same_patient=self.same_patient)
        scale = self.scale
        clip = torch.stack(contrast(scale * image @ text[pairs.texts].T, pairs)).mean()
        fair = clip.new_zeros(())
        if self.weight > 0:
            alike, known = own_similarity(image, text, facts)
            fair = self._gaps(scale.detach() * alike, known, facts.targets[self.group])
        parts = {"clip": clip, "fair": fair, "scale": scale}
        total = clip + self.weight * fair
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    def _gaps(self, alike: Tensor, known: Tensor, group: Tensor) -> Tensor:
        """Sum over the groups of the divergence of their s from that of all [B]."""
        inside = [known & (group == number) for number in group.unique() if number >= 0]
        inside = [rows for rows in inside if int(rows.sum()) > 1]
        if len(inside) < 2:
            return alike.new_zeros(())
        each = [divergence(alike[known], alike[rows], self.blur) for rows in inside]
        return torch.stack(each).sum().float()
