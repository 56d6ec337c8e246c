"""M2IB: what of an image's last map can be replaced by noise while the answer stays.

    z = l r + (1 - l) e,  l = sigmoid(a),  e ~ N(mu_f, sd_f^2) of the image's own map r
    min_a  -S(z, phrase) + weight * mean_nf KL,
    KL = (l^2 x^2 + (1 - l)^2 - 1) / 2 - log(1 - l),  x = (r - mu) / sd       map_n = mean_f KL_nf

Paper    M2IB, Wang et al. 2023 (NeurIPS), arXiv:2312.17174; the bottleneck: Schulz et al. 2020
         (ICLR), arXiv:2001.00396
Takes    a model, images, a phrase for each; S is the model's score of the pair
Gives    maps [B, h, w] >= 0 in nats a channel that pass the bottleneck
Differs  the noise has the moments of one image's map, not of a data set's; the phrase stays whole.
         The layer is the last one that has places (see `layer`); the papers take one in the middle.
         The noise is the same in every step and image, so that equal questions have equal maps
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.tasks.similarity import take
from asclip.trust.explain.asked import CHUNK, checked, encoded, pair_scores, pixels
from asclip.trust.explain.layer import Layer, changed, given, last_map
from asclip.types import Encoded

START = 5.0  # nearly nothing is noise: l = 0.993
MOST = 1 - 1e-6  # of l: the information of a channel without any noise has no end


def bottleneck(
    model: Any,
    images: np.ndarray,
    phrases: Sequence[str],
    *,
    weight: float = 0.1,
    steps: int = 10,
    rate: float = 1.0,
    samples: int = 2,
    seed: int = 0,
) -> np.ndarray:
    """[B, h, w] float32, not negative; `samples` noises are averaged, `rate` is Adam's.

    `weight` is that of the information against a score between -1 and 1; where a model's scores are
    logits, as a query network's are, the information weighs less.
    """
    checked(images, phrases)
    layer, texts = last_map(model.encoder.image), model.encode_texts(list(phrases))
    maps = []
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        nats = _passed(
            model, layer, pixels(model, images[rows]), take(texts, rows),
            weight=weight, steps=steps, rate=rate, samples=samples, seed=seed,
        )  # fmt: skip
        maps.append(nats.view(len(nats), *layer.grid).float().cpu().numpy())
    return np.concatenate(maps)


def _passed(
    model: Any, layer: Layer, values: Tensor, text: Encoded, *,
    weight: float, steps: int, rate: float, samples: int, seed: int,
) -> Tensor:  # fmt: skip
    """[B, N] nats a channel that each place still gives through a bottleneck that pays for them."""
    found = _read(model, layer, values)
    centre, spread = found.mean(1, keepdim=True), found.std(1, keepdim=True).clamp(min=1e-6)
    # One noise for all images: the map of an image does not depend on those beside it.
    drawn = torch.randn(
        (samples, 1, *found.shape[1:]), generator=torch.Generator().manual_seed(seed)
    )
    noise = centre + spread * drawn.to(found)
    several = values.repeat(samples, *[1] * (values.ndim - 1))
    text = _repeated(text, samples)
    keep = torch.full_like(found, START).requires_grad_()
    optimiser = torch.optim.Adam([keep], lr=rate)
    for _ in range(steps):
        with torch.enable_grad():
            share = keep.sigmoid().clamp(max=MOST)
            mixed = (share * found + (1 - share) * noise).flatten(0, 1)
            with given(layer, mixed):
                image = encoded(model, several)
            answer = pair_scores(model, image, text).view(samples, -1).mean(0).sum()
            cost = information(share, (found - centre) / spread).mean((1, 2)).sum()
            (keep.grad,) = torch.autograd.grad(weight * cost - answer, keep)
        optimiser.step()
    share = keep.detach().sigmoid().clamp(max=MOST)
    return information(share, (found - centre) / spread).mean(-1)


def information(share: Tensor, standard: Tensor) -> Tensor:
    """KL in nats of N(l x, (1 - l)^2) from N(0, 1), `share` l in [0, 1), `standard` x."""
    rest = 1 - share
    return 0.5 * ((share * standard).square() + rest.square() - 1) - rest.log()


@torch.no_grad()
def _read(model: Any, layer: Layer, values: Tensor) -> Tensor:
    """The layer's map [B, N, F] of these pixels."""
    seen: list[Tensor] = []

    def look(tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return tokens

    with changed(layer, look):
        encoded(model, values)
    return seen[0].float()


def _repeated(text: Encoded, times: int) -> Encoded:
    local = None if text.local is None else text.local.repeat(times, 1, 1)
    valid = None if text.valid is None else text.valid.repeat(times, 1)
    return Encoded(text.pooled.repeat(times, 1), local, valid)
