"""Ranking: where the first right candidate stands; `metrics.chance` says what chance reaches.

    similarity, groups -> rank_queries -> Ranked -> recall_at_k, median_rank, ...

Everything is computed on ranks, so a monotone map of the similarity changes nothing and negative
cosines are as good as any number. A candidate is a hit when it has the query's group: candidates
with the same text share a group, so a duplicate of the right text is right.

Ties are pessimistic: a wrong candidate with the same similarity stands before the right one. A
collapsed model, to which all candidates are equal, gets the last rank and not the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rows = Callable[[slice], np.ndarray]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Ranks of Q queries among C candidates.

    `first` [Q] float64 is the rank of the best hit, from 1; NaN for a query without any hit in the
    pool. `top` [Q, t] int64 holds the best candidates in order, `hits` [Q, t] bool whether each is
    right and `similarity` [Q, t] float64 how similar. `relevant` [Q] int64 counts the right
    candidates of each query and `pool` is C.
    """

    first: np.ndarray
    top: np.ndarray
    hits: np.ndarray
    similarity: np.ndarray
    relevant: np.ndarray
    pool: int

    def take(self, rows: np.ndarray) -> Ranked:
        """These queries, each as often as it is named."""
        parts = (self.first, self.top, self.hits, self.similarity, self.relevant)
        return Ranked(*(part[rows] for part in parts), pool=self.pool)


def rank_queries(
    similarity: np.ndarray | Rows,
    query_groups: np.ndarray,
    *,
    candidate_groups: np.ndarray,
    top: int = 10,
    chunk: int = 512,
) -> Ranked:
    """Rank the candidates of each query; only `chunk` x C similarities are held at a time.

    `similarity` is [Q, C], or a function that gives its rows for a slice of queries (so that
    30,000 x 30,000 never sits in memory). `query_groups` [Q] and `candidate_groups` [C] are ids;
    equal ids are hits.

    Raises:
        ValueError: a similarity is NaN, or its shape does not fit the groups.
    """
    query_groups, candidate_groups = np.asarray(query_groups), np.asarray(candidate_groups)
    num_queries, pool = len(query_groups), len(candidate_groups)
    depth = min(top, pool)
    ranked = Ranked(
        first=np.full(num_queries, np.nan),
        top=np.zeros((num_queries, depth), dtype=np.int64),
        hits=np.zeros((num_queries, depth), dtype=bool),
        similarity=np.zeros((num_queries, depth)),
        relevant=np.zeros(num_queries, dtype=np.int64),
        pool=pool,
    )
    for start in range(0, num_queries, chunk):
        rows = slice(start, min(start + chunk, num_queries))
        block = np.asarray(similarity(rows) if callable(similarity) else similarity[rows])
        if block.shape != (rows.stop - rows.start, pool):
            raise ValueError(
                f"similarity must be [queries, candidates] = {(rows.stop - rows.start, pool)}, "
                f"got {block.shape}"
            )
        if np.isnan(block).any():
            raise ValueError("similarity must have no NaN; leave out what cannot be scored")
        right = query_groups[rows, None] == candidate_groups[None, :]  # [chunk, C]
        _rank_block(block, right, ranked, rows)
    return ranked


def _rank_block(block: np.ndarray, right: np.ndarray, into: Ranked, rows: slice) -> None:
    """Fill the rows of `into` from block [b, C] and right [b, C] bool."""
    relevant = right.sum(axis=1)
    best = np.where(right, block, -np.inf).max(axis=1, initial=-np.inf)
    ahead = ((block >= best[:, None]) & ~right).sum(axis=1)
    into.relevant[rows] = relevant
    into.first[rows] = np.where(relevant > 0, ahead + 1.0, np.nan)
    depth = into.top.shape[1]
    if not depth:
        return
    cut = block.shape[1] - depth
    least = np.partition(block, cut, axis=1)[:, cut]  # the similarity at rank `depth`
    for offset in range(len(block)):
        near = np.flatnonzero(block[offset] >= least[offset])
        # Highest similarity first, and among equals the wrong ones first.
        order = np.lexsort((right[offset, near], -block[offset, near]))[:depth]
        best_first = near[order]
        into.top[rows.start + offset] = best_first
        into.hits[rows.start + offset] = right[offset, best_first]
        into.similarity[rows.start + offset] = block[offset, best_first]


def groups_of(relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group ids of queries and candidates from a relevance matrix [Q, C] of disjoint blocks.

    Raises:
        ValueError: two queries share some hits but not all, so that no groups describe them.

    >>> queries, candidates = groups_of(np.array([[1, 0, 1], [0, 1, 0]]))
    >>> queries.tolist(), candidates.tolist()
    ([0, 1], [0, 1, 0])
    """
    relevance = np.asarray(relevance, dtype=bool)
    _, queries = np.unique(relevance, axis=0, return_inverse=True)
    queries = queries.reshape(-1)
    _, first = np.unique(queries, return_index=True)
    patterns = relevance[first]  # [groups, C]
    if (patterns.sum(axis=0) > 1).any():
        raise ValueError("relevance must be blocks: two queries share a part of their hits")
    # Renumber by first appearance, so that the ids do not depend on how patterns sort.
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    nobody = np.full(relevance.shape[1], -1)
    candidates = np.where(patterns.any(axis=0), number[patterns.argmax(axis=0)], nobody)
    return number[queries], candidates


def recall_at_k(first: np.ndarray, k: int) -> float:
    """R@k: share of queries whose first hit stands at rank k or better; NaN ranks do not count.

    `first` [Q] as in `Ranked`. Read it only beside the pool and `chance_recall_at_k`.

    >>> recall_at_k(np.array([1, 3, 12, np.nan]), 10) == 2 / 3
    True
    """
    first = _counted(first)
    return float(np.mean(first <= k)) if first.size else float("nan")


def median_rank(first: np.ndarray) -> float:
    """Median over queries of the rank of the first hit; NaN ranks do not count.

    >>> median_rank(np.array([1, 3, 12]))
    3.0
    """
    first = _counted(first)
    return float(np.median(first)) if first.size else float("nan")


def mean_reciprocal_rank(first: np.ndarray) -> float:
    """MRR: mean over queries of 1 / rank of the first hit; NaN ranks do not count.

    >>> mean_reciprocal_rank(np.array([1, 2, np.nan]))
    0.75
    """
    first = _counted(first)
    return float(np.mean(1.0 / first)) if first.size else float("nan")


def precision_at_k(hits: np.ndarray, k: int) -> float:
    """P@k: mean share of hits among the first k candidates; NaN without a query.

    `hits` [Q, t] bool as in `Ranked`, with t >= k.

    >>> precision_at_k(np.array([[True, False], [True, True]]), 2)
    0.75
    """
    hits = np.asarray(hits, dtype=bool)
    if not 1 <= k <= hits.shape[1]:
        raise ValueError(f"k must be 1 to {hits.shape[1]}, got {k}; rank with a larger `top`")
    return float(hits[:, :k].mean()) if len(hits) else float("nan")


def _counted(first: np.ndarray) -> np.ndarray:
    first = np.asarray(first, dtype=np.float64)
    return first[~np.isnan(first)]
