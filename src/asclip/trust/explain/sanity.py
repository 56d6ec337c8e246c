"""Does a map change when the model forgets? A map that does not shows the image, not the model.

The tensors of weights of the image tower are shuffled, the last ones first: the projection, then
also the upper half of the backbone, then all of it. The map of each is compared with the true one.

Paper    Sanity checks for saliency maps, Adebayo et al. 2018 (NeurIPS), arXiv:1810.03292
Differs  a tensor's own numbers are shuffled instead of drawn as at the start of a training, so that
         activations keep their size in every architecture; the rank correlation keeps its sign
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from asclip.trust.explain.scores import rank_correlation

LEVELS = {"projection": 0.0, "upper half": 0.5, "all": 1.0}
"""How much of the backbone's tensors is shuffled beside the projections."""
HIGHEST = 0.5
"""Of the mean rank correlation with all weights shuffled: above it a map has failed the check."""

Method = Callable[[Any, np.ndarray, Sequence[str]], np.ndarray]


def shuffled(model: Any, share: float, *, seed: int = 0) -> Any:
    """A copy of a model whose image tower lost its projections and this share of its backbone."""
    other = copy.copy(model)
    other.encoder = copy.deepcopy(model.encoder)
    tower = other.encoder.image
    parts = list(tower.backbone.parameters())
    kept = {id(one) for one in parts[: round((1 - share) * len(parts))]}
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in tower.parameters():
            if id(one) not in kept:
                order = torch.randperm(one.numel(), generator=rng).to(one.device)
                one.copy_(one.flatten()[order].view_as(one))
    return other


def similarity_to_shuffled(
    method: Method, model: Any, images: np.ndarray, phrases: Sequence[str], *, seed: int = 0
) -> dict[str, np.ndarray]:
    """[B] rank correlation of each map with that of a shuffled model, for each of `LEVELS`.

    NaN where one of the two maps is flat.
    """
    true = method(model, images, phrases)
    found = {}
    for name, share in LEVELS.items():
        maps = method(shuffled(model, share, seed=seed), images, phrases)
        pairs = zip(true, maps, strict=True)
        found[name] = np.array([rank_correlation(one, other) for one, other in pairs])
    return found
