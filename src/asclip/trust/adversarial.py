"""The worst that a change of a few grey levels can do in one step.

    x' = clip(x + e sign(dL/dx), 0, 255),   L = cross-entropy of the known labels of x

Paper    FGSM: Goodfellow et al. 2015, arXiv:1412.6572, section 4
Takes    a model, cached items [n, *item] uint8, truth [n, K], the prompts that ask for it
Gives    items [n, *item] uint8 that differ from x by at most e grey levels
Differs  e is a whole number of grey levels, so that the attack survives storing; a locked tower is
         attacked as any other. It is a lower bound of what more steps would do
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.data.prompts import PromptSet
from asclip.errors import ModelError
from asclip.pretrain.terms import known_bce
from asclip.towers.pixels import to_tensor
from asclip.types import Encoded


def direction(
    model: Any,
    items: np.ndarray,
    truth: np.ndarray,
    prompts: PromptSet | None,
    *,
    batch: int = 32,
) -> np.ndarray:
    """[n, *item] int8: the sign of the loss's gradient in each pixel, 0 where nothing is known.

    `truth` has a column for each class of `prompts` (None: for each label of a supervised model).

    Raises:
        ModelError: the model's own score keeps no gradient.
    """
    model.encoder.eval()
    parts = [np.zeros((0, *items.shape[1:]), np.int8)]
    for start in range(0, len(items), batch):
        rows = slice(start, start + batch)
        x = to_tensor(np.asarray(items[rows]), model.preprocessing).to(model.device)
        x.requires_grad_(True)
        with torch.enable_grad():
            scores = logits(model, _encoded(model, x), prompts)
            wanted = torch.from_numpy(truth[rows].astype(np.float32)).to(scores.device)
            loss = _loss(scores, wanted, single=prompts is not None and prompts.single_label)
            if not loss.requires_grad:
                raise ModelError(
                    "an attack needs a gradient of the score in the pixels, and this model's own "
                    "score keeps none; leave the attack out"
                )
            (slope,) = torch.autograd.grad(loss, x)
        slope = slope.permute(0, 2, 3, 1) if model.preprocessing.channels == 3 else slope[:, 0]
        parts.append(slope.sign().to(torch.int8).cpu().numpy())
    return np.concatenate(parts)


def moved(items: np.ndarray, signs: np.ndarray, levels: int) -> np.ndarray:
    """Items [n, *item] uint8, moved by `levels` grey levels along `signs`.

    >>> moved(np.array([[0, 255, 7]], np.uint8), np.array([[-1, -1, 1]], np.int8), 2).tolist()
    [[0, 253, 9]]
    """
    return np.clip(items.astype(np.int16) + levels * signs, 0, 255).astype(np.uint8)


def logits(model: Any, images: Encoded, prompts: PromptSet | None) -> Tensor:
    """[B, K] as zero-shot classification scores them, with a graph to the images.

    Of a single-label set the similarities times the scale, whose softmax is meant.
    """
    if prompts is None:
        return model.classifier(images)
    classes = list(prompts.classes.values())
    positive = _similarity(model, images, [part.positive for part in classes])
    if model.scores_existence:
        return positive
    if prompts.single_label:
        return model.scale * positive
    denied = [k for k, part in enumerate(classes) if part.negative]
    if denied:
        negative = _similarity(model, images, [classes[k].negative for k in denied])
        positive = positive - torch.zeros_like(positive).index_add(
            1, torch.tensor(denied), negative
        )
    return model.scale * positive


def _encoded(model: Any, x: Tensor) -> Encoded:
    """As the image tower encodes, also where it is locked and would keep no graph."""
    tower, local = model.encoder.image, model.scorer is not None
    return tower.project(tower.backbone(x, local=local), local=local)


def _similarity(model: Any, images: Encoded, prompts: list[tuple[str, ...]]) -> Tensor:
    texts = model.encode_texts([text for part in prompts for text in part])
    place = np.cumsum([0] + [len(part) for part in prompts])
    spans = list(pairwise(place))
    if model.scorer is not None:
        every = _with_graph(model.scorer)(images, texts)
        return torch.stack([every[:, a:b].mean(1) for a, b in spans], 1)
    unit = F.normalize(texts.pooled, dim=1)
    vectors = F.normalize(torch.stack([unit[a:b].mean(0) for a, b in spans]), dim=1)
    return F.normalize(images.pooled, dim=1) @ vectors.to(images.pooled).T


def _with_graph(score: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A method of an objective as it is without the `torch.no_grad` around it."""
    bare = unwrap(score)
    return score if bare is score else partial(bare, getattr(score, "__self__", None))


def _loss(scores: Tensor, truth: Tensor, *, single: bool) -> Tensor:
    if not single:
        return known_bce(scores, truth)
    known = ~torch.isnan(truth).any(1)
    each = -(F.log_softmax(scores, 1) * torch.nan_to_num(truth)).sum(1)
    return each.masked_fill(~known, 0.0).sum()
