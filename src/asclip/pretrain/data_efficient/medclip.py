"""Images and texts that need not be pairs: what both say of findings decides how alike they are.

    L = (CE(z, y) + CE(z^T, y')) / 2,   y_im = softmax_m(k s_im),  y'_mi = softmax_i(k s_im)
    s_im = l_i . m_m / (|l_i| |m_m|),   l, m in {-1 absent, 0 not stated, 1 present}^F

Paper    MedCLIP, Wang et al. 2022 (EMNLP), arXiv:2210.10163, section 3
Takes    image.pooled [B, D], text.pooled [M, D]; facts.findings [B, F], facts.stated [M, F]
Gives    total; parts image_to_text, text_to_image, scale, counted (share of images that count)
Equals   clip.py as k grows, where each image says the same as its own text alone
Differs  k is 10 (paper and code: 1): targets of a cosine times 1 differ by e^2 at most, and little
         is learned of them (phantom hospitals: worse by .09 to .14). Who wrote a text plays no
         part, so `same_text="positive"` only makes one column of a shared text; "neutral" ones are
         left out. An image or a text of which no finding is known is left out
         (`nothing="left-out"`), for it is like everything to the same degree; the authors' code
         counts it as normal (`nothing="normal"`: one more entry, 1 where no finding is present)
         and compares raw dot products, with targets as sharp as there are findings
         (`similarity="dot"`, `sharpness=1`). The second term on reworded texts is not here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_positive, log_scale
from asclip.pretrain.terms import relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def signs(truth: Tensor) -> Tensor:
    """Findings [..., F] in {1, 0, NaN} as {1, -1, 0}.

    >>> signs(torch.tensor([1.0, 0.0, torch.nan])).tolist()
    [1.0, -1.0, 0.0]
    """
    return (2 * truth - 1).nan_to_num(0.0)


def likeness(images: Tensor, texts: Tensor, *, similarity: str, nothing: str) -> Tensor:
    """The similarity s [B, M] of the signs [B, F] and [M, F]."""
    if nothing == "normal":
        images, texts = (
            torch.cat([x, (x <= 0).all(1, keepdim=True).to(x.dtype)], 1) for x in (images, texts)
        )
    if similarity == "cosine":
        images, texts = unit(images), unit(texts)
    return images @ texts.T


def soft_direction(logits: Tensor, alike: Tensor, kept: Tensor) -> Tensor:
    """Cross-entropy of each row of logits [B, M] to softmax(alike), among the `kept` [B, M]."""
    hidden = ~kept
    target = F.softmax(alike.masked_fill(hidden, -1e4), 1).masked_fill(hidden, 0.0)
    each = -(target * F.log_softmax(logits.masked_fill(hidden, -1e4), 1)).sum(1)
    return each.sum() / kept.any(1).sum().clamp(min=1)


class MedClip(Scaled):
    """MedCLIP's objective; `sharpness` is k. The authors' code: 1, with "dot" and "normal"."""

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        sharpness: float = 10.0,
        similarity: str = "cosine",
        nothing: str = "left-out",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if similarity not in ("cosine", "dot"):
            raise ModelError(f"similarity must be 'cosine' or 'dot', got {similarity!r}")
        if nothing not in ("left-out", "normal"):
            raise ModelError(f"nothing must be 'left-out' or 'normal', got {nothing!r}")
        if same_patient == "positive":
            raise ModelError(
                "same_patient must be negative or neutral here, got 'positive': findings decide "
                "what is alike, not pairs; choose one of the two"
            )
        check_positive(sharpness=sharpness)
        self.log_scale = log_scale(temperature)
        self.sharpness, self.similarity, self.nothing = sharpness, similarity, nothing
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "text.pooled", "facts.findings", "facts.stated"}
            | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        images = signs(facts.targets["findings"])
        texts = signs(facts.targets["stated"][pairs.texts])
        alike = self.sharpness * likeness(
            images, texts, similarity=self.similarity, nothing=self.nothing
        )
        kept = ~pairs.neutral
        if self.nothing == "left-out":
            kept = kept & images.any(1)[:, None] & texts.any(1)[None, :]
        scale = self.scale
        z = scale * unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        to_text, to_image = soft_direction(z, alike, kept), soft_direction(z.T, alike.T, kept.T)
        return Loss(
            (to_text + to_image) / 2,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
                "counted": kept.any(1).float().mean(),
            },
        )
