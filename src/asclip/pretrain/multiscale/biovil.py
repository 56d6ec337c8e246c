"""Patches in the space of texts, and a second image of the patient to tell what has changed.

    p_n = MLP(x_n),  u = mean_n p_n,  L = InfoNCE(s cos(u_i, t_m)),  map_n = cos(p_n, t)
    BioViL: x_n = h_n;   BioViL-T: x_n = [h_n, d_n], d = transformer([h; h'])_n, h' of the prior

Paper    BioViL, Boecking et al. 2022 (ECCV), arXiv:2204.09817; BioViL-T, Bannur et al. 2023 (CVPR),
         arXiv:2301.04558
Takes    image.local [B, N, D], text.pooled [M, D]; `BioVilT` also prior.local [B, N, D] and
         facts.has_prior [B] bool
Gives    total; parts image_to_text, text_to_image, scale, and `BioVilT` priors (their share)
Equals   clip.py on the mean of projected patches
Differs  masked language modelling and the matching of report sections, with which the papers train
         the text side, are not here, nor BioViL-T's local contrast (see gloria.py). Its image
         encoder's difference features come from a transformer over both grids, of the towers'
         vectors; position is a sine of the place's number, with the time (now, before) learned. An
         image without a prior sees one learned vector in its place, as in the authors' code, which
         is for inference only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from asclip.pretrain.decoder import Layer
from asclip.pretrain.scale import Scaled, check_count, log_scale
from asclip.pretrain.terms import contrast, mean_valid, relation, relation_needs, unit
from asclip.types import Encoded, Facts, Loss, Pair


def positions(count: int, width: int) -> Tensor:
    """Sines and cosines of 0 .. count - 1, [count, width].

    >>> positions(2, 4)
    tensor([[0.0000, 0.0000, 1.0000, 1.0000],
            [0.8415, 0.0100, 0.5403, 0.9999]])
    """
    half = (width + 1) // 2
    rate = torch.exp(torch.arange(half) * (-math.log(1e4) / half))
    angle = torch.arange(count)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1)[:, :width]


def similarity_map(patches: Tensor, texts: Tensor) -> Tensor:
    """Cosine of every patch [B, N, D] with every text [C, D]: [B, C, N]."""
    return (unit(patches) @ unit(texts).T).mT


class BioVil(Scaled):
    """BioViL's objective; it owns the projection of patches and a `score`."""

    inputs = 1  # vectors of width D that the projection takes

    def __init__(
        self,
        width: int,
        *,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        self.log_scale = log_scale(temperature)
        self.projection = nn.Sequential(
            nn.Linear(self.inputs * width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.local", "text.pooled"} | relation_needs(same_text, same_patient)
        )

    def patches(self, image: Encoded, prior: Tensor | None, has_prior: Tensor | None) -> Tensor:
        """Projected patches [B, N, D]; a prior is not looked at."""
        del prior, has_prior
        if image.local is None:
            raise ValueError("biovil needs local vectors of the image tower; got None")
        return self.projection(image.local)

    def contrasted(self, patches: Tensor, pair: Pair, facts: Facts) -> Loss:
        """InfoNCE of the mean of patches [B, N, D] with M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        image = unit(mean_valid(patches, pair.image.valid))
        scale = self.scale
        to_text, to_image = contrast(scale * image @ unit(pair.text.pooled[pairs.texts]).T, pairs)
        return Loss(
            (to_text + to_image) / 2,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
            },
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        return self.contrasted(self.patches(pair.image, None, None), pair, facts)

    @torch.no_grad()
    def heatmap(self, image: Encoded, text: Encoded) -> Tensor:
        """Cosine of every patch with every text, [B, C, N]; images without a prior."""
        return similarity_map(self.patches(image, None, None), text.pooled)

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Cosine of the mean of projected patches with texts, [B, C]; images without a prior."""
        whole = mean_valid(self.patches(image, None, None), image.valid)
        return unit(whole) @ unit(text.pooled).T


class BioVilT(BioVil):
    """BioViL-T's objective: patches of an image beside what differs from the prior one."""

    inputs = 2

    def __init__(
        self,
        width: int,
        *,
        layers: int = 3,
        heads: int = 8,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__(
            width, temperature=temperature, same_text=same_text, same_patient=same_patient
        )
        check_count(layers=layers)
        self.layers = nn.ModuleList(
            Layer(width, heads, 4 * width, self_attention=False) for _ in range(layers)
        )
        self.missing = nn.Parameter(0.02 * torch.randn(width))
        self.time = nn.Parameter(0.02 * torch.randn(2, width))
        self.needs = self.needs | {"prior.local", "facts.has_prior"}

    def patches(self, image: Encoded, prior: Tensor | None, has_prior: Tensor | None) -> Tensor:
        """Projected patches [B, N, D] of an image and its prior [B, N, D], where it has one."""
        now = image.local
        if now is None:
            raise ValueError("biovil needs local vectors of the image tower; got None")
        before = self.missing.expand_as(now)
        if prior is not None and has_prior is not None:
            before = torch.where(has_prior[:, None, None], prior, before)
        place = positions(now.shape[1], now.shape[2]).to(now)
        x = torch.cat([now + place + self.time[0], before + place + self.time[1]], 1)
        for layer in self.layers:
            x, _ = layer(x, x, None)  # keys and queries are the same: attention among all places
        return self.projection(torch.cat([now, x[:, : now.shape[1]]], -1))

    @torch.no_grad()
    def beside_prior(self, image: Encoded, prior: Encoded, has_prior: Tensor) -> Tensor:
        """Means [B, D] of projected patches of images beside their priors, where they have one."""
        return mean_valid(self.patches(image, prior.local, has_prior), image.valid)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images, their priors and M texts."""
        has = facts.targets["has_prior"]
        patches = self.patches(pair.image, pair.others["prior"].local, has)
        loss = self.contrasted(patches, pair, facts)
        return Loss(loss.total, {**loss.parts, "priors": has.float().mean()})
