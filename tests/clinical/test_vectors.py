"""Label vectors, similarity of reports and adjacency, beside loops written plainly."""

from __future__ import annotations

import numpy as np
import pytest

from asclip.clinical import vectors
from asclip.errors import DataError

TEXTS = [
    "Small nodule in the right upper lobe. No effusion.",
    "Nodule in the right upper lobe. Left effusion.",
    "Cardiomegaly.",
    "",
]
NAMES = ["nodule", "Effusion", "cardiomegaly"]
PLACES = ["right upper lobe", "heart", "pleura"]


def test_matrix_and_signs() -> None:
    values = vectors.findings_matrix(TEXTS, NAMES)
    nan = np.nan
    np.testing.assert_array_equal(values, [[1, 0, nan], [1, 1, nan], [nan, nan, 1], [nan] * 3])
    signs = vectors.signed(values)
    assert signs.dtype == np.int8
    np.testing.assert_array_equal(signs, [[1, -1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(vectors.multi_hot(values)[0], [1, 0, 0])
    assert vectors.findings_matrix([], NAMES).shape == (0, 3)


def test_similarity_beside_a_loop() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 1.0, np.nan], (12, 7)).astype(np.float32)
    values[3] = np.nan
    wanted = np.eye(12)
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            both = ~np.isnan(values[i]) & ~np.isnan(values[j])
            same = np.sum(values[i][both] == values[j][both])
            wanted[i, j] = (2 * same - both.sum()) / both.sum() if both.any() else 0.0
    alike = vectors.similarity(values)
    np.testing.assert_allclose(alike, wanted, atol=1e-6)
    assert alike.min() >= -1
    assert alike.max() <= 1


def test_cosine_beside_a_loop() -> None:
    signs = vectors.signed(vectors.findings_matrix(TEXTS, NAMES)).astype(float)
    alike = vectors.cosine(vectors.findings_matrix(TEXTS, NAMES))
    wanted = signs[0] @ signs[1] / np.linalg.norm(signs[0]) / np.linalg.norm(signs[1])
    assert alike[0, 1] == pytest.approx(wanted, abs=1e-6)
    assert alike[0, 3] == pytest.approx(0)
    np.testing.assert_array_equal(np.diag(alike), 1)


def test_adjacency_is_the_sum_of_locations() -> None:
    each = vectors.locations(TEXTS, NAMES, PLACES)
    assert each.shape == (4, 3, 3)
    total = vectors.adjacency(iter(TEXTS), NAMES, PLACES)
    np.testing.assert_array_equal(total, each.sum(0))
    assert total[0, 0] == 2
    usual = vectors.adjacency(TEXTS, NAMES, PLACES, default=True)
    assert usual[2, 1] == 1
    assert vectors.locations([], NAMES, PLACES).shape == (0, 3, 3)


def test_bad_values() -> None:
    with pytest.raises(DataError, match=r"must be 1, 0 or NaN; got 0\.5"):
        vectors.signed(np.array([[0.5]]))
    with pytest.raises(DataError, match=r"a matrix \[n, F\]"):
        vectors.similarity(np.array([1.0]))
