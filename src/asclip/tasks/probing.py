"""Linear probes: what a logistic regression reads from embeddings, classes with equal weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.errors import DataError

FOLDS = 5


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows [n, D] with Euclidean length 1, float64; a row of zeros stays."""
    vectors = vectors.astype(np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def regression(x: np.ndarray, y: np.ndarray, strength: float) -> Any:
    """A logistic regression of standardised features; `strength` is sklearn's C."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=500, class_weight="balanced")
    ).fit(x, y)


def balanced(said: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the classes of `truth` of the share that is said right."""
    return float(np.mean([(said[truth == c] == c).mean() for c in np.unique(truth)]))


def cross_validated(vectors: np.ndarray, words: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Hits [n, K] of a probe of `words` (K classes), each patient said by a fit on the others.

    NaN where a study is of another class: the mean over studies, then over columns, is the
    balanced accuracy.

    Raises:
        DataError: one class only, or too few patients.
    """
    from sklearn.model_selection import GroupKFold

    classes, patients = np.unique(words), np.unique(patient)
    if len(classes) < 2 or len(patients) < FOLDS:
        raise DataError(
            f"a probe needs two classes and {FOLDS} patients; got {len(classes)} and "
            f"{len(patients)}; choose another fact, or a larger split"
        )
    said = np.empty(len(words), object)
    for train, test in GroupKFold(FOLDS).split(vectors, groups=patient):
        known = np.unique(words[train])
        if len(known) == 1:
            said[test] = known[0]
        else:
            said[test] = regression(vectors[train], words[train], 1.0).predict(vectors[test])
    return np.stack([np.where(words == c, said == c, np.nan) for c in classes], 1)
