"""Maps that a two-tower model has already: how alike each region and the phrase are.

    region_cosine   cos(v_n, t) of local vector n and the pooled vector t of the phrase
    own_score       the model's own score of an image that consists of region n alone, see
                    `tasks.dense.pointing`; equal to `region_cosine` where the score is the cosine

Source   BioViL, Boecking et al. 2022 (ECCV), doi:10.1007/978-3-031-20059-5_1, arXiv:2204.09817
Differs  the projected maps are not smoothed and no margin of the image is left out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.nn import functional

from asclip.errors import ModelError
from asclip.tasks.dense.pointing import region_scores
from asclip.tasks.similarity import take
from asclip.trust.explain.asked import checked
from asclip.types import Encoded


def region_cosine(model: Any, images: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
    """[B, h, w] float32 in [-1, 1]."""
    regions, texts = _both(model, images, phrases)
    local = functional.normalize(regions.local, dim=-1)  # pyright: ignore[reportArgumentType]
    text = functional.normalize(texts.pooled, dim=-1)
    return _on_grid(model, (local * text[:, None]).sum(-1).numpy())


def own_score(model: Any, images: np.ndarray, phrases: Sequence[str]) -> np.ndarray:
    """[B, h, w] float32, in the units of the model's score."""
    regions, _ = _both(model, images, phrases)
    said = np.array(phrases)
    out = np.zeros((len(said), regions.local.shape[1]))  # pyright: ignore[reportOptionalMemberAccess]
    for phrase in dict.fromkeys(phrases):
        rows = np.flatnonzero(said == phrase)
        text = model.encode_texts([phrase])
        out[rows] = region_scores(model, take(regions, rows), text)[..., 0]
    return _on_grid(model, out)


def _both(model: Any, images: np.ndarray, phrases: Sequence[str]) -> tuple[Encoded, Encoded]:
    checked(images, phrases)
    regions = model.encode_pixels(images, local=True)
    if regions.local is None:
        raise ModelError("this image tower gives no local vectors, so no region can be compared")
    return regions, model.encode_texts(list(phrases))


def _on_grid(model: Any, values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), *model.encoder.image.grid).astype(np.float32)
