"""Contrast whose negatives weigh less the closer they are in knowledge.

    L_i = mean_{p in P(i)} (-z_ip + log(sum_{p in P(i)} e^z_ip + sum_{m not in P(i)} w_im e^z_im))
    w_im = 1 - strength * max(0, k_im),   k_im = f_i A g_m / sqrt(f_i A f_i * g_m A g_m)

f_i and g_m are what study i and text m state: 1 present, -1 absent, 0 not stated, so that a
negation is the opposite of a finding; A [F, F] is the similarity of findings in an ontology.

Paper    KoBo, Chen et al. 2023 (MICCAI), doi:10.1007/978-3-031-43907-0_39 (arXiv:2307.07246)
Takes    image.pooled [B, D], text.pooled [M, D], facts.findings [B, F] and facts.stated [M, F], or
         facts.report [B, E] and facts.meaning [M, E] (`near_by="report"`, k their cosine)
Gives    total; parts image_to_text, text_to_image, weight (mean of the negatives), scale
Equals   clip.py when strength = 0, or when nothing is stated
Differs  the paper's repository has no code; only its idea of weighing noisy negatives by knowledge
         and of telling negations apart is here, with what a report states, and exp(-distance) in
         an ontology for A, in place of embeddings of a knowledge graph. Its prototypes are left
         out. A negative of weight 0 leaves the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, log_scale
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def stance(findings: Tensor) -> Tensor:
    """1 present, -1 absent, 0 not stated, of 1, 0, NaN.

    >>> stance(torch.tensor([1.0, 0.0, torch.nan])).tolist()
    [1.0, -1.0, 0.0]
    """
    return torch.nan_to_num(2 * findings - 1, nan=0.0)


def closeness(one: Tensor, two: Tensor, ontology: Tensor | None = None) -> Tensor:
    """Cosine [B, M] of rows [B, E] and [M, E] in the metric `ontology` [E, E]; 0 for empty rows."""
    left = one if ontology is None else one @ ontology
    right = two if ontology is None else two @ ontology
    a, b = (left * one).sum(-1), (right * two).sum(-1)
    size = (a.clamp(min=0)[:, None] * b.clamp(min=0)[None, :]).sqrt()
    return (left @ two.T / size.clamp(min=1e-6)).masked_fill(size < 1e-6, 0.0).clamp(-1, 1)


class Kobo(Scaled):
    """CLIP with knowledge-weighted negatives; the buffer `ontology` is [F, F] or None (identity).

    The ontology must be symmetric; entry (f, g) is 1 for f = g and nearer 0 the farther apart.
    """

    def __init__(
        self,
        *,
        ontology: Tensor | Sequence[Sequence[float]] | None = None,
        near_by: str = "findings",
        strength: float = 1.0,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if near_by not in ("findings", "report"):
            raise ModelError(f"near_by must be 'findings' or 'report', got {near_by!r}")
        if not 0 <= strength <= 1:
            raise ModelError(f"strength must be in [0, 1], got {strength}")
        matrix = None if ontology is None else torch.as_tensor(ontology, dtype=torch.float32)
        if matrix is not None and (matrix.ndim != 2 or not torch.equal(matrix, matrix.T)):
            raise ModelError(
                f"an ontology must be a symmetric matrix, got shape {tuple(matrix.shape)}; "
                "give the similarity of every two findings"
            )
        self.ontology: Tensor | None
        self.register_buffer("ontology", matrix)
        self.log_scale = log_scale(temperature)
        self.strength, self.near_by = strength, near_by
        self.same_text, self.same_patient = same_text, same_patient
        used = ("findings", "stated") if near_by == "findings" else ("report", "meaning")
        self.needs = frozenset(
            {"image.pooled", "text.pooled", *(f"facts.{name}" for name in used)}
            | relation_needs(same_text, same_patient)
        )

    def weights(self, facts: Facts) -> Tensor:
        """w, what the pair of study i and text m weighs as a negative, [B, M] in [0, 1]."""
        t = facts.targets
        if self.near_by == "report":
            near = closeness(t["report"].float(), t["meaning"].float())
        else:
            if self.ontology is not None and len(self.ontology) != t["findings"].shape[1]:
                raise ValueError(
                    f"the ontology must speak of the {t['findings'].shape[1]} findings, got "
                    f"{len(self.ontology)}; give a row and a column for each"
                )
            near = closeness(stance(t["findings"]), stance(t["stated"]), self.ontology)
        return 1 - self.strength * near.clamp(min=0)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        cosine = unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        weight = self.weights(facts)[:, pairs.texts].masked_fill(pairs.positive, 1.0)
        none = weight < 1e-6  # no number to take the logarithm of
        logits = scale * cosine + weight.masked_fill(none, 1.0).log()
        pairs = pairs._replace(neutral=pairs.neutral | none)
        to_text, to_image = contrast(logits, pairs)
        negative = ~pairs.positive
        mean = weight.masked_fill(~negative, 0.0).sum() / negative.sum().clamp(min=1)
        parts = {"image_to_text": to_text, "text_to_image": to_image, "weight": mean}
        parts |= {"scale": scale}
        return Loss((to_text + to_image) / 2, {k: part.detach() for k, part in parts.items()})
