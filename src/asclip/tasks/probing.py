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


def regression(
    x: np.ndarray, y: np.ndarray, strength: float, weight: np.ndarray | None = None
) -> Any:
    """A logistic regression of standardised features; `strength` is sklearn's C.

    `weight` [n] of the rows; None makes classes weigh the same.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    balance = "balanced" if weight is None else None
    fit = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=500, class_weight=balance)
    )
    return fit.fit(x, y, logisticregression__sample_weight=weight)


def balanced(said: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the classes of `truth` of the share that is said right."""
    return float(np.mean([(said[truth == c] == c).mean() for c in np.unique(truth)]))


def cross_validated(
    vectors: np.ndarray,
    words: np.ndarray,
    patient: np.ndarray,
    beside: np.ndarray | None = None,
) -> np.ndarray:
    """Hits [n, K] of a probe of `words` (K classes), each patient said by a fit on the others.

    NaN where a study is of another class: the mean over studies, then over columns, is the
    balanced accuracy. With `beside` [n], another fact, the columns are the pairs of both that
    occur, and pairs weigh the same in the fit: what only knows the other fact is at chance.

    Raises:
        DataError: one class only, too few patients, or a pair that does not occur.
    """
    from sklearn.model_selection import GroupKFold

    classes, patients = np.unique(words), np.unique(patient)
    if len(classes) < 2 or len(patients) < FOLDS:
        raise DataError(
            f"a probe needs two classes and {FOLDS} patients; got {len(classes)} and "
            f"{len(patients)}; choose another fact, or a larger split"
        )
    cells = [words == c for c in classes]
    if beside is not None:
        cells = [cell & (beside == b) for cell in cells for b in np.unique(beside)]
        if not all(cell.any() for cell in cells):
            raise DataError(
                "a probe of one fact beside another needs studies of each pair of both; got "
                f"{sum(cell.any() for cell in cells)} of {len(cells)} pairs; choose a larger split"
            )
    said = np.empty(len(words), object)
    for train, test in GroupKFold(FOLDS).split(vectors, groups=patient):
        known = np.unique(words[train])
        if len(known) == 1:
            said[test] = known[0]
        else:
            weight = None if beside is None else _even(words[train], beside[train])
            fit = regression(vectors[train], words[train], 1.0, weight)
            said[test] = fit.predict(vectors[test])
    return np.stack([np.where(cell, said == words, np.nan) for cell in cells], 1)


def _even(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """[n] weights with which all pairs of the two facts weigh the same, 1 in the mean."""
    pairs = np.stack([one, two], 1)
    _, which, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    return len(one) / (len(count) * count[which.ravel()])
