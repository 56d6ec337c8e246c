"""Grad-CAM: which channels of the last map raise the score of the phrase, and where they are on.

    w_f = mean_n dS / dA_nf        map_n = ReLU(sum_f w_f A_nf)

Paper    Grad-CAM, Selvaraju et al. 2017 (ICCV), doi:10.1109/ICCV.2017.74, arXiv:1610.02391
Takes    a model, images, a phrase for each; S is the model's score of the pair, A its last map
Gives    maps [B, h, w] >= 0; all zero where nothing in the last map speaks for the phrase
Differs  S is a similarity of image and text, not the logit of a class. For transformers A is what
         the last block takes (see `layer`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.tasks.similarity import take
from asclip.trust.explain.asked import CHUNK, checked, encoded, pair_scores, pixels
from asclip.trust.explain.layer import changed, last_map


def grad_cam(model: Any, images: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
    """[B, h, w] float32, not negative."""
    checked(images, phrases)
    layer, texts = last_map(model.encoder.image), model.encode_texts(list(phrases))
    maps = []
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        seen: list[Tensor] = []

        def look(tokens: Tensor, seen: list[Tensor] = seen) -> Tensor:
            # Behind a locked backbone nothing asks for a gradient.
            seen.append(tokens if tokens.requires_grad else tokens.requires_grad_())
            return tokens

        with torch.enable_grad(), changed(layer, look):
            image = encoded(model, pixels(model, images[rows]))
            total = pair_scores(model, image, take(texts, rows)).sum()
        (gradient,) = torch.autograd.grad(total, seen)
        weights = gradient.mean(1, keepdim=True)  # [B, 1, F]
        found = (weights * seen[0].detach()).sum(-1).relu()
        maps.append(found.reshape(len(found), *layer.grid).float().cpu().numpy())
    return np.concatenate(maps)
