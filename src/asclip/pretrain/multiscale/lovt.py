"""Global contrast plus, inside a study, contrast of regions and sentences with what they attend to.

    v_n' = LN(O sum_s softmax_s(K v_n . K t_s / sqrt D) V t_s),    t_s' the same over regions
    L = global + lambda sum over (v, v'), (v', v), (t, t'), (t', t) of l
    l(x, y) = mean over studies of sum_n w_n (LSE_k z_nk - sum_k p_nk z_nk),  z_nk = x_n . y_k / tau
    image: p_nk ~ exp(-d_nk) [d_nk <= T], d = distance on the grid / its diagonal;  text: p = same

Paper    LoVT, Mueller et al. 2022 (ECCV), arXiv:2112.02889, doi:10.1007/978-3-031-19809-0_39
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D]: a study's sentences
Gives    total; parts global, image_local, text_local
Equals   clip.py with text_weight 0.25 and a fixed temperature of 0.1 when local_weight = 0
Differs  the report of the global term is each of its sentences (paper: pooled by attention). w is
         the paper's attention of the pooling, which towers do not show: here a softmax over cosines
         with the pooled vector (`weights="pooled"`) or "uniform". A study with one sentence has no
         local term: all regions attend to the same. A sentence said twice in a study is its own
         copy's positive (`same_text="negative"`: only itself, as published). LayerNorm, where the
         authors' code has batch norm, so that no study depends on others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.scale import check_not_negative, check_positive, check_share
from asclip.pretrain.terms import by_study, contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair

HIDDEN = -1e4  # added to what a softmax must not see; finite, so that empty rows stay finite


def grid_positives(grid: tuple[int, ...], threshold: float) -> Tensor:
    """Soft positives of regions by their distance on the grid, [N, N]; each row sums to 1.

    >>> grid_positives((1, 3), 0.0).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    places = torch.cartesian_prod(*(torch.arange(count) for count in grid)).float()
    distance = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    distance = distance / math.hypot(*grid)
    weight = torch.exp(-distance) * (distance <= threshold)
    return weight / weight.sum(1, keepdim=True)


def intra(
    x: Tensor, y: Tensor, positives: Tensor, valid: Tensor, weights: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """l(x, y) and l(y, x) of each sample, [B]; x, y [B, N, D], positives [B or 1, N, N].

    `weights` [B, N] sum to 1 over the valid ones and are 0 elsewhere.
    """
    z = unit(x) @ unit(y).mT / temperature  # [B, N, N]
    hidden = ~valid[:, None, :]

    def along(z: Tensor) -> Tensor:
        true = (positives * z).sum(-1)
        return (weights * (z.masked_fill(hidden, HIDDEN).logsumexp(-1) - true)).sum(-1)

    return along(z), along(z.mT)


def attention_weights(local: Tensor, pooled: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """How much each local vector counts, [B, N]: a softmax over its cosines with the pooled one."""
    cosine = (unit(local) @ unit(pooled)[..., None])[..., 0] / temperature
    return cosine.masked_fill(~valid, HIDDEN).softmax(-1) * valid


class LoVT(nn.Module):
    """LoVT's objective for towers of `width` D; it owns the cross-attention between the two."""

    def __init__(
        self,
        width: int,
        *,
        temperature: float = 0.1,
        text_weight: float = 0.25,
        local_weight: float = 0.375,
        local_temperature: float = 0.3,
        threshold: float = 0.5,
        grid: tuple[int, ...] = (),
        weights: str = "pooled",
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if weights not in ("pooled", "uniform"):
            raise ModelError(f"weights must be 'pooled' or 'uniform', got {weights!r}")
        check_positive(temperature=temperature, local_temperature=local_temperature)
        check_not_negative(threshold=threshold, local_weight=local_weight)
        check_share(text_weight=text_weight)
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.out, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.temperature, self.text_weight = temperature, text_weight
        self.local_weight, self.local_temperature = local_weight, local_temperature
        self.threshold, self.grid, self.weights = threshold, grid, weights
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled"} | relation_needs(same_text, same_patient)
        )

    @property
    def scale(self) -> float:
        """What cosines of the global term are multiplied with."""
        return 1 / self.temperature

    def _grid(self, regions: int) -> tuple[int, ...]:
        grid = self.grid or (math.isqrt(regions),) * 2
        if math.prod(grid) != regions:
            raise ModelError(
                f"the {regions} local vectors of an image must be a grid of "
                f"{' x '.join(map(str, grid))}; give grid=(rows, columns), of volumes (slices, "
                "rows, columns), and no class token among the local vectors"
            )
        return grid

    def attend(self, regions: Tensor, sentences: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """What regions take from sentences [B, N, D], and sentences from regions [B, S, D]."""
        scores = self.key(regions) @ self.key(sentences).mT / regions.shape[-1] ** 0.5
        to_text = scores.masked_fill(~valid[:, None, :], HIDDEN).softmax(-1)
        to_image = scores.mT.softmax(-1)
        return (
            self.norm(self.out(to_text @ self.value(sentences))),
            self.norm(self.out(to_image @ self.value(regions))),
        )

    def _weights(self, local: Tensor, pooled: Tensor, valid: Tensor) -> Tensor:
        if self.weights == "uniform":
            return valid / valid.sum(1, keepdim=True).clamp(min=1)
        return attention_weights(local, pooled, valid, self.local_temperature).detach()

    def local(self, pair: Pair, facts: Facts) -> tuple[Tensor, Tensor]:
        """The local terms of regions and of sentences, means over studies with two sentences."""
        regions = pair.image.local
        if regions is None:
            raise ValueError("lovt needs local vectors of the images; got None")
        regions = regions.float()
        sentences, valid = by_study(pair.text.pooled.float(), facts, len(regions))
        seen, found = self.attend(regions, sentences, valid)
        every = valid.new_ones(regions.shape[:2])
        near = grid_positives(self._grid(regions.shape[1]), self.threshold).to(regions)
        same = torch.eye(valid.shape[1], device=regions.device).expand(len(regions), -1, -1)
        if self.same_text != "negative":
            said, _ = by_study(facts.targets["text"], facts, len(regions))
            same = (said[:, :, None] == said[:, None, :]).float()
        same = F.normalize(same * valid[:, None, :], p=1, dim=-1)
        middle = sentences.sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
        of_image = self._weights(regions, pair.image.pooled, every)
        of_text = self._weights(sentences, middle, valid)
        tau, enough = self.local_temperature, valid.sum(1) > 1
        each = (
            sum(intra(regions, seen, near[None], every, of_image, tau)),
            sum(intra(sentences, found, same, valid, of_text, tau)),
        )
        mean = enough / enough.sum().clamp(min=1)
        return (each[0] * mean).sum(), (each[1] * mean).sum()

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M sentences."""
        image = unit(pair.image.pooled)
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        logits = image @ unit(pair.text.pooled[pairs.texts]).T / self.temperature
        to_text, to_image = contrast(logits, pairs)
        whole = (1 - self.text_weight) * to_text + self.text_weight * to_image
        of_image, of_text = self.local(pair, facts)
        total = whole + self.local_weight * (of_image + of_text)
        parts = {"global": whole, "image_local": of_image, "text_local": of_text}
        return Loss(total, {name: part.detach() for name, part in parts.items()})
