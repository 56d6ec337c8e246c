"""What a method asks: a batch of images, a phrase for each, and the score of each pair."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from asclip.errors import DataError
from asclip.tasks.similarity import owns_score, take
from asclip.towers.pixels import to_tensor
from asclip.types import Encoded

CHUNK = 16  # images worked on at once: their gradients are kept
PAIRS = 8  # an objective's score compares all of these with all; only the pairs are wanted


def checked(images: np.ndarray, phrases: Sequence[str]) -> None:
    """Refuse no image, and another number of phrases than of images."""
    if not len(images):
        raise DataError("a map needs an image; got none; ask for studies that have one")
    if len(images) != len(phrases):
        raise DataError(
            f"each image needs one phrase; got {len(images)} images and {len(phrases)} phrases; "
            "repeat the phrase, or ask once for each"
        )


def pixels(model: Any, images: np.ndarray) -> Tensor:
    """Items as the image tower takes them, [B, C, (Z,) H, W] float32 where the weights are."""
    return to_tensor(np.asarray(images), model.preprocessing).to(model.device)


def encoded(model: Any, values: Tensor) -> Encoded:
    """What the image tower says of `pixels`, with a graph, also through a locked backbone.

    float32 where a model's scores are computed, the CPU.
    """
    tower = model.encoder.image
    model.encoder.eval()
    wanted = owns_score(model)
    found = tower.project(tower.backbone(values, local=wanted), local=wanted)
    local = None if found.local is None else found.local.float().cpu()
    return Encoded(found.pooled.float().cpu(), local, found.valid)


def pair_scores(model: Any, image: Encoded, text: Encoded) -> Tensor:
    """[B] the score of image b with text b, with a graph: what a map is to explain."""
    if not owns_score(model):
        return functional.cosine_similarity(image.pooled, text.pooled, dim=1)
    # An objective's score is made for tasks and keeps no graph; its formula is under the decorator.
    scorer, owner = model.scorer, getattr(model.scorer, "__self__", None)
    formula = inspect.unwrap(scorer)
    bound = () if formula is scorer or owner is None else (owner,)
    every = range(0, len(image.pooled), PAIRS)
    parts = [(take(image, slice(k, k + PAIRS)), take(text, slice(k, k + PAIRS))) for k in every]
    return torch.cat([formula(*bound, *part).diagonal() for part in parts])


__all__ = ["CHUNK", "checked", "encoded", "pair_scores", "pixels"]
