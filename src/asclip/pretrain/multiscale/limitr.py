"""Global contrast plus a local similarity whose words and regions pass a learned gate.

    words:   c_t = sum_n softmax_n(4 w_t . v_n) v_n,  s_t = unit(w_t * c_t)           (elementwise)
    gate:    g_t = softmax_t(h . (tanh(A s_t) * tanh(B mean s))),  s = unit(sum_t g_t s_t)
    S_words = sigmoid(f . s);   S_regions the same with what regions take from words
    L = NCE(s_g u . x) + w_local * (NCE(s_l S_words) + NCE(s_l S_regions)) / 2

Paper    LIMITR, Dawidowicz et al. 2023 (ICCV), arXiv:2303.11755
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], text.local [M, T, D];
         lateral=True: view.pooled, view.local and facts.has_view
Gives    total; parts global, words, regions, scale, local_scale
Equals   clip.py when local_weight = 0 and lateral is off
Differs  one image encoder serves both views (code: the lateral view has one of its own);
         regions of a missing lateral view are left out (code: tiny constant vectors that attend);
         the gate's mean is over all regions (code: over the lateral ones only, where they exist).
         One softmax over unit vectors (`variant="official"`: first one over the queries too, of
         vectors as they are). The scales are learned from 10 on (code: fixed), both directions are
         averaged (code: summed), the gate has no dropout (code: 0.4). The internal term, which the
         authors' configuration gives the weight 0, and the positional code are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from asclip.errors import ModelError
from asclip.pretrain.scale import (
    Scaled,
    check_not_negative,
    check_positive,
    log_scale,
    scale_of,
)
from asclip.pretrain.terms import contrast, reach, relation, relation_needs, rows, unit
from asclip.types import Encoded, Facts, Loss, Pair

HIDDEN = -1e4
ROOM = 2**24  # numbers in the largest tensor of a chunk of texts


class Gate(nn.Module):
    """One vector of many: those that agree with their mean in a learned way weigh more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.each, self.mean = nn.Linear(width, width), nn.Linear(width, width)
        self.common = nn.Linear(width, 1)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Unit vectors x [..., L, D], valid [..., L] -> [..., D] of unit length."""
        weight = valid[..., None].to(x.dtype)
        mean = (x * weight).sum(-2) / weight.sum(-2).clamp(min=1)
        product = self.each(x).tanh() * self.mean(mean).tanh()[..., None, :]
        scores = self.common(product)[..., 0].masked_fill(~valid, HIDDEN)
        return unit((scores.softmax(-1)[..., None] * x).sum(-2))


class Limitr(Scaled):
    """LIMITR's objective for towers of `width` D; its `score` adds the local similarity."""

    def __init__(
        self,
        width: int,
        *,
        temperature: float = 0.1,
        local_weight: float = 1.0,
        sharpness: float = 4.0,
        lateral: bool = False,
        variant: str = "paper",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if variant not in ("paper", "official"):
            raise ModelError(f"variant must be 'paper' or 'official', got {variant!r}")
        check_positive(sharpness=sharpness)
        check_not_negative(local_weight=local_weight)
        self.gate = Gate(width)
        self.of_words, self.of_regions = nn.Linear(width, 1), nn.Linear(width, 1)
        self.log_scale, self.log_local_scale = log_scale(temperature), log_scale(temperature)
        self.local_weight, self.sharpness = local_weight, sharpness
        self.lateral, self.official = lateral, variant == "official"
        self.same_text, self.same_patient = same_text, same_patient
        view = {"view.pooled", "view.local", "facts.has_view"} if lateral else set()
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "text.local", *view}
            | relation_needs(same_text, same_patient)
        )

    def _some(self, v: Tensor, seen: Tensor, w: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Both similarities [B, m] of regions v [B, N, D] with m texts w [m, T, D]."""
        scores = torch.einsum("bnd,mtd->bmtn", v, w)
        no_region, no_word = ~seen[:, None, None, :], ~valid[None, :, :, None]
        to_regions = to_words = scores
        if self.official:
            to_regions = scores.masked_fill(no_word, HIDDEN).softmax(2)
            to_words = scores.masked_fill(no_region, HIDDEN).softmax(3)
        to_regions = (self.sharpness * to_regions).masked_fill(no_region, HIDDEN).softmax(3)
        to_words = (self.sharpness * to_words).masked_fill(no_word, HIDDEN).softmax(2)
        found = torch.einsum("bmtn,bnd->bmtd", to_regions, v)
        said = torch.einsum("bmtn,mtd->bmnd", to_words, w)
        words = self.gate(unit(w * found), valid.expand(len(v), -1, -1))
        regions = self.gate(unit(v[:, None] * said), seen[:, None].expand(-1, len(w), -1))
        return self.of_words(words)[..., 0].sigmoid(), self.of_regions(regions)[..., 0].sigmoid()

    def local(self, image: Encoded, text: Encoded) -> tuple[Tensor, Tensor]:
        """S_words and S_regions, each [B, M] in (0, 1); `image.valid` says which regions exist."""
        if image.local is None or text.local is None:
            raise ValueError("limitr needs local vectors of both towers; got None")
        v, w = image.local.float(), text.local.float()
        if not self.official:
            v, w = unit(v), unit(w)
        seen = w.new_ones(v.shape[:2]).bool() if image.valid is None else image.valid
        valid = w.new_ones(w.shape[:2]).bool() if text.valid is None else text.valid
        chunk = max(1, ROOM // (v.numel() + len(v) * w.shape[1] * w.shape[2]))
        order = valid.sum(1).argsort()  # texts of similar length together, without their padding
        parts = []
        for m in order.split(chunk):
            longest = reach(valid[m])
            some = (v, seen, w[m, :longest], valid[m, :longest])
            parts.append(checkpoint(self._some, *some, use_reentrant=False))
        back = order.argsort()
        words, regions = (torch.cat(x, 1)[:, back] for x in zip(*parts, strict=True))
        return words, regions

    def _views(self, pair: Pair, facts: Facts) -> Encoded:
        """The image, with its lateral view's regions beside its own where there is one."""
        image = pair.image
        if not self.lateral:
            return image
        view, has = pair.others["view"], facts.targets["has_view"].bool()
        if image.local is None or view.local is None:
            raise ValueError("limitr needs local vectors of both views; got None")
        seen = has[:, None].expand(view.local.shape[:2])
        regions = view.local.masked_fill(~has[:, None, None], 0.0)
        pooled = image.pooled + view.pooled.masked_fill(~has[:, None], 0.0)
        valid = torch.cat([torch.ones_like(seen[:, :1]).expand(image.local.shape[:2]), seen], 1)
        return Encoded(pooled, torch.cat([image.local, regions], 1), valid)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        image = self._views(pair, facts)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        texts = rows(pair.text, pairs.texts)
        scale, local_scale = self.scale, scale_of(self.log_local_scale)
        cosine = unit(image.pooled) @ unit(texts.pooled).T
        whole = torch.stack(contrast(scale * cosine, pairs)).mean()
        words, regions = (
            torch.stack(contrast(local_scale * s, pairs)).mean() for s in self.local(image, texts)
        )
        total = whole + self.local_weight * (words + regions) / 2
        parts = {
            "global": whole, "words": words, "regions": regions,
            "scale": scale, "local_scale": local_scale,
        }  # fmt: skip
        return Loss(total, {name: part.detach() for name, part in parts.items()})

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Mean of the global cosine and the local similarity, [B, C]."""
        words, regions = self.local(image, text)
        return (unit(image.pooled) @ unit(text.pooled).T + (words + regions) / 2) / 2
