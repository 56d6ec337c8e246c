"""Reference: ranks by plain loops. Oracle: scikit-learn's top-k."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from asclip.metrics import ranking as own


def plain_rank(row: np.ndarray, right: np.ndarray) -> float:
    """Sort with wrong candidates first among equals, and look for the first right one."""
    order = sorted(range(len(row)), key=lambda c: (-row[c], right[c]))
    hits = [place for place, c in enumerate(order, start=1) if right[c]]
    return float(hits[0]) if hits else np.nan


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 9))
def test_ranks_and_tops_equal_a_plain_sort(seed: int, levels: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = np.round(rng.normal(size=(12, 15)) * levels) / levels
    queries, candidates = rng.integers(0, 5, 12), rng.integers(0, 4, 15)
    got = own.rank_queries(similarity, queries, candidate_groups=candidates, top=4, chunk=chunk)
    right = queries[:, None] == candidates[None, :]
    expected = [plain_rank(similarity[q], right[q]) for q in range(12)]
    np.testing.assert_array_equal(got.first, expected)
    np.testing.assert_array_equal(got.relevant, right.sum(axis=1))
    for q in range(12):
        order = sorted(range(15), key=lambda c: (-similarity[q, c], right[q, c]))[:4]
        np.testing.assert_array_equal(similarity[q, got.top[q]], similarity[q, order])
        np.testing.assert_array_equal(got.similarity[q], similarity[q, order])
        np.testing.assert_array_equal(got.hits[q], right[q, order])
    for k in (1, 2, 4):  # the two accounts of one list agree
        np.testing.assert_array_equal(got.hits[:, :k].any(axis=1), got.first <= k)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["exp", "negative", "tiny"]))
def test_a_monotone_map_changes_nothing(seed: int, name: str) -> None:
    similarity = np.random.default_rng(seed).normal(size=(10, 10))
    maps = {"exp": np.exp, "negative": lambda x: x - 50, "tiny": lambda x: x * 1e-6}
    groups = np.arange(10) // 2
    before = own.rank_queries(similarity, groups, candidate_groups=groups)
    after = own.rank_queries(maps[name](similarity), groups, candidate_groups=groups)
    np.testing.assert_array_equal(before.first, after.first)
    np.testing.assert_array_equal(before.top, after.top)


def test_negative_scores_are_as_good_as_any() -> None:
    ranked = own.rank_queries(
        np.array([[-0.1, -0.2, -0.3]]), np.array([0]), candidate_groups=np.array([0, 1, 2])
    )
    assert own.recall_at_k(ranked.first, 1) == 1.0
    assert own.mean_reciprocal_rank(ranked.first) == 1.0


def test_recall_equals_scikit_learn_without_duplicates() -> None:
    rng = np.random.default_rng(0)
    similarity = rng.normal(size=(80, 80)) + 1.5 * np.eye(80)
    groups = np.arange(80)
    first = own.rank_queries(similarity, groups, candidate_groups=groups).first
    for k in (1, 5, 10):
        expected = top_k_accuracy_score(groups, similarity, k=k)
        assert own.recall_at_k(first, k) == pytest.approx(expected)


def test_a_duplicate_of_the_right_text_is_a_hit() -> None:
    similarity = np.array([[0.1, 0.9, 0.5]])
    alone = own.rank_queries(similarity, np.array([0]), candidate_groups=np.array([0, 1, 2]))
    twin = own.rank_queries(similarity, np.array([0]), candidate_groups=np.array([0, 0, 2]))
    assert (alone.first[0], twin.first[0]) == (3.0, 1.0)


def test_a_collapsed_model_is_last_and_not_first() -> None:
    groups = np.arange(20)
    ranked = own.rank_queries(np.zeros((20, 20)), groups, candidate_groups=groups)
    assert (ranked.first == 20).all()
    assert not ranked.hits.any()


def test_rows_come_in_chunks() -> None:
    seen = []
    full = np.random.default_rng(0).normal(size=(25, 30))

    def rows(part: slice) -> np.ndarray:
        seen.append(part.stop - part.start)
        return full[part]

    groups = np.arange(25)
    got = own.rank_queries(rows, groups, candidate_groups=np.arange(30), chunk=10)
    assert seen == [10, 10, 5]
    whole = own.rank_queries(full, groups, candidate_groups=np.arange(30))
    np.testing.assert_array_equal(got.first, whole.first)


def test_bad_similarity_is_refused() -> None:
    groups = np.arange(2)
    with pytest.raises(ValueError, match="NaN"):
        own.rank_queries(np.full((2, 2), np.nan), groups, candidate_groups=groups)
    with pytest.raises(ValueError, match=r"\(2, 2\), got \(2, 3\)"):
        own.rank_queries(np.zeros((2, 3)), groups, candidate_groups=groups)


def test_query_without_a_hit_does_not_count() -> None:
    ranked = own.rank_queries(np.eye(2), np.array([0, 9]), candidate_groups=np.array([0, 1]))
    assert np.isnan(ranked.first[1])
    assert own.recall_at_k(ranked.first, 1) == 1.0
    nothing = np.array([np.nan])
    assert np.isnan(own.recall_at_k(nothing, 1))
    assert np.isnan(own.median_rank(nothing))
    assert np.isnan(own.mean_reciprocal_rank(nothing))


def test_groups_of_a_relevance_matrix() -> None:
    relevance = np.array([[0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0]])
    queries, candidates = own.groups_of(relevance)
    np.testing.assert_array_equal(queries[:, None] == candidates[None, :], relevance == 1)
    with pytest.raises(ValueError, match="blocks"):
        own.groups_of(np.array([[1, 1, 0], [0, 1, 1]]))


def test_precision() -> None:
    hits = np.array([[True, False, True], [False, False, True]])
    assert own.precision_at_k(hits, 2) == 0.25
    with pytest.raises(ValueError, match="k must be 1 to 3"):
        own.precision_at_k(hits, 4)
