"""Texts as directions that say what they are about, learned from the training texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from asclip.data.texts import Pieces
from asclip.errors import DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MEANING = 64  # E of `meaning` and `report`


def fitted(pieces: Pieces) -> Pipeline:
    """Latent semantic analysis of the training texts: TF-IDF of 1-2-grams, truncated SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    try:
        width = words.fit_transform(pieces.texts).shape[1]
    except ValueError:
        raise DataError(
            "this recipe compares texts; no word occurs in two training texts; add texts"
        ) from None
    return make_pipeline(words, TruncatedSVD(max(1, min(MEANING, width - 1)), random_state=0)).fit(
        pieces.texts
    )


def directions(meaning: Pipeline, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors [n, E] float32; a text without a known word is the zero vector."""
    vectors = np.asarray(meaning.transform(list(texts)), np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
