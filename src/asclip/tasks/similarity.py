"""Similarities of many images and texts, a few rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.types import Encoded

# Rows scored at once. An objective that owns a score may compare all patches with all words.
CHUNK = 256


def owns_score(model: Any) -> bool:
    """True when the model's similarity is its objective's own, False for the cosine."""
    return getattr(model, "scorer", None) is not None


def take(encoded: Encoded, rows: slice | np.ndarray) -> Encoded:
    """These rows of `encoded`."""
    return Encoded(
        encoded.pooled[rows],
        None if encoded.local is None else encoded.local[rows],
        None if encoded.valid is None else encoded.valid[rows],
    )


def similarity(model: Any, images: Encoded, texts: Encoded) -> np.ndarray:
    """[B, C] float64 similarities, computed in chunks of images."""
    num_images, num_texts = len(images.pooled), len(texts.pooled)
    out = np.empty((num_images, num_texts))
    for start in range(0, num_images, CHUNK):
        rows = slice(start, start + CHUNK)
        out[rows] = model.score(take(images, rows), texts).numpy()
    return out


def one_against_rest(logits: np.ndarray) -> np.ndarray:
    """[B, K] log p - log(1 - p) of a softmax over the K >= 2 columns, without rounding p to 1.

    >>> one_against_rest(np.array([[100.0, 0.0]])).tolist()
    [[100.0, -100.0]]
    """
    out = np.empty_like(logits)
    for k in range(logits.shape[1]):
        out[:, k] = logits[:, k] - np.logaddexp.reduce(np.delete(logits, k, axis=1), axis=1)
    return out
