"""Attention rollout: how much of each patch reaches the summary of a transformer.

    R = prod_l (A_l + I) / 2,  A_l the mean of block l's heads; rows add up to 1
    map_n = R[class token, n], without a class token the mean over the tokens of R[., n]

Paper    Abnar and Zuidema 2020 (ACL), doi:10.18653/v1/2020.acl-main.385, arXiv:2005.00928
Takes    a model whose image tower is a transformer (`hf:`), images, phrases
Gives    maps [B, h, w] >= 0
Differs  one map of an image whatever the phrase: rollout does not know what was asked. It is here
         because it is much used, and to be scored beside the others
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.trust.explain.asked import CHUNK, checked, pixels


def attends(model: Any) -> bool:
    """Whether the image tower is a network of `transformers` with attention over whole images."""
    net = model.encoder.image.backbone.net
    heads = getattr(getattr(net, "config", None), "num_attention_heads", None)
    return isinstance(heads, int) and hasattr(net, "set_attn_implementation")


def rollout(model: Any, images: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
    """[B, h, w] float32; of a model with a class token the patches' shares of it.

    Raises:
        ModelError: the tower is no transformer, or keeps its attention to itself.
    """
    checked(images, phrases)
    if not attends(model):
        raise ModelError(
            "attention rollout needs a transformer with attention over the whole image as image "
            "tower (hf:NAME), and this tower is none; use the similarity of its regions, Grad-CAM "
            "or the bottleneck"
        )
    tower = model.encoder.image
    model.encoder.eval()
    maps = []
    with torch.no_grad(), _told(tower.backbone.net):
        for start in range(0, len(images), CHUNK):
            values = pixels(model, images[start : start + CHUNK])
            if values.shape[1] == 1 and tower.backbone.channels == 3:
                values = values.expand(-1, 3, -1, -1)
            options = tower.backbone.options
            out = tower.backbone.net(values, output_attentions=True, **options)
            flow = rolled(out.attentions)
            extra = flow.shape[1] - math.prod(tower.grid)
            row = flow[:, 0] if tower.backbone.has_class_token else flow.mean(1)
            found = row[:, extra:].reshape(len(row), *tower.grid)
            maps.append(found.float().cpu().numpy())
    return np.concatenate(maps)


def rolled(attentions: Sequence[Tensor]) -> Tensor:
    """[B, T, T] the product over blocks, last block leftmost, of attentions [B, heads, T, T].

    Raises:
        ModelError: no attentions, or blocks that attend over different tokens.
    """
    if len({tuple(one.shape[2:]) for one in attentions or ()}) != 1:
        raise ModelError(
            "attention rollout needs blocks that all attend over the same tokens, and those of "
            "this tower attend over windows or show nothing; use Grad-CAM"
        )
    flow = torch.eye(attentions[0].shape[-1]).to(attentions[0].device)
    for one in attentions:
        mixed = (one.float().mean(1) + torch.eye(one.shape[-1], device=one.device)) / 2
        flow = mixed @ flow
    return flow


@contextmanager
def _told(net: Any) -> Iterator[None]:
    """While it lasts the network computes its attention in the way that can be looked at."""
    usual = net.config._attn_implementation
    net.set_attn_implementation("eager")
    try:
        yield
    finally:
        net.set_attn_implementation(usual)
