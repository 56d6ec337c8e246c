"""Chance in ranking: what R@k, MRR and the median rank are in a random order, exactly.

    pool, relevant -> chance_recall_at_k, chance_reciprocal_rank, chance_median_rank

Two kinds of random order are told apart. As a rule each candidate has a similarity of its own, and
a query with m right candidates draws m places at random. With `blocks=True` the candidates are the
queries' own, and candidates of one group are equal: an image looks for its text among texts that
repeat, and equal texts have equal similarity. Whole groups then change places, and the first hit
stands behind the groups that come before its own. With few distinct texts the two differ widely:
one large group in front of the right one moves it beyond every k.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

VANISHES = 80.0  # what is left out is below exp(-80 / 2), 4e-18


def chance_recall_at_k(pool: int, relevant: np.ndarray, k: int, *, blocks: bool = False) -> float:
    """Expected R@k of a random order: mean of 1 - C(pool - m, k) / C(pool, k) without `blocks`.

    `relevant` [Q] holds m, the number of right candidates of each query; queries with none do not
    count. With `blocks` a group of m equal candidates is asked for by m queries, so `relevant`
    says which groups there are.

    Raises:
        ValueError: with `blocks`, `relevant` is not that of groups that fill the pool.

    >>> round(chance_recall_at_k(100, np.array([1, 1]), 10), 6)
    0.1
    >>> round(chance_recall_at_k(4, np.array([3, 3, 3, 1]), 2, blocks=True), 6)  # (3 + 1 / 2) / 4
    0.875
    """
    return float(1.0 - _still_without(pool, relevant, blocks)[min(k, pool)])


def chance_reciprocal_rank(pool: int, relevant: np.ndarray, *, blocks: bool = False) -> float:
    """Expected MRR of a random order; parameters as in `chance_recall_at_k`.

    >>> chance_reciprocal_rank(2, np.array([1]))
    0.75
    """
    without = _still_without(pool, relevant, blocks)
    if np.isnan(without[0]):
        return float("nan")
    return float(((without[:-1] - without[1:]) / np.arange(1, pool + 1)).sum())


def chance_median_rank(pool: int, relevant: np.ndarray, *, blocks: bool = False) -> float:
    """Median rank of the first hit over queries and random orders, as in `chance_recall_at_k`.

    >>> chance_median_rank(100, np.array([1]))
    50.0
    """
    without = _still_without(pool, relevant, blocks)
    if np.isnan(without[0]):
        return float("nan")
    # 1e-9: rounding must not push a median that is met exactly one rank on.
    return float(np.flatnonzero(without <= 0.5 + 1e-9)[0])


def _still_without(pool: int, relevant: np.ndarray, blocks: bool) -> np.ndarray:
    """[pool + 1] chance, mean over queries, that a random order has no hit in its first r."""
    relevant = np.asarray(relevant, dtype=np.int64)
    counts, times = np.unique(relevant[relevant > 0], return_counts=True)
    if not counts.size:
        return np.full(pool + 1, np.nan)
    if counts.max() > pool:
        raise ValueError(f"a query has {counts.max()} hits in a pool of {pool}")
    if not blocks or counts.max() == 1:  # blocks of one are candidates
        return _of_candidates(pool, counts, times)
    if times.sum() != pool or (times % counts).any():
        raise ValueError(
            f"with blocks every candidate is of a query, so a group of m needs m queries; got "
            f"{dict(zip(counts.tolist(), times.tolist(), strict=True))} as m: queries in a pool "
            f"of {pool}; leave blocks out"
        )
    return _of_blocks(tuple(counts.tolist()), tuple((times // counts).tolist()))


def _of_candidates(pool: int, counts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """`_still_without` where each candidate has a place of its own."""
    drawn = np.arange(pool)
    total = np.zeros(pool + 1)
    for count, weight in zip(counts, times, strict=True):
        # Hypergeometric: the next draw misses with chance (pool - count - r) / (pool - r).
        miss = np.maximum(pool - count - drawn, 0) / (pool - drawn)
        total += weight * np.concatenate(([1.0], np.cumprod(miss)))
    return total / times.sum()


@lru_cache(maxsize=4)  # one table asks for five metrics of the same groups
def _of_blocks(sizes: tuple[int, ...], numbers: tuple[int, ...]) -> np.ndarray:
    """`_still_without` where groups move whole: `numbers[i]` groups of `sizes[i]` candidates.

    Given the own group's place u, uniform in 0..1, each other group stands before it with chance
    u. The sum of their sizes has the characteristic function prod (1 - u + u w^size), a polynomial
    in u; its integral over u comes from Gauss-Legendre nodes and its Fourier transform is the
    distribution of the rank. Less than 1e-9 off up to 30,000 groups; a pool of 10,000 takes
    0.1 s, or about 1 s with dozens of different sizes.
    """
    size, number = np.array(sizes), np.array(numbers)
    pool = int(size @ number)
    frequency = np.arange(pool // 2 + 1)
    # [sizes, frequencies]; whole turns are taken off first, so that large angles stay exact.
    turns = np.exp(-2j * np.pi * (size[:, None] * frequency % pool) / pool)
    fall = number @ (2 * (1 - np.real(turns)))
    half = np.zeros_like(turns)
    for place, weight in zip(*_half_nodes(int(number.sum())), strict=True):
        # |1 - u + u w|^2 = 1 - 2 u (1 - u) (1 - Re w), so at most exp(-fall u (1 - u)) is left
        # of the product; where that vanishes nothing is to be added.
        alive = fall * place * (1 - place) < VANISHES
        each = 1 - place + place * turns[:, alive]
        # Without the own group itself: one factor of its size less.
        half[:, alive] += weight * np.exp(number @ np.log(each)) / each
    # A place 1 - u is the mirror of u: a sum of S before is a sum of pool - size - S behind.
    transform = (number * size / pool) @ (half + turns.conj() * half.conj())
    ranks = np.fft.irfft(transform, n=pool)
    without = np.concatenate(([1.0], 1.0 - np.cumsum(ranks)))
    without.flags.writeable = False  # the cache gives the same array again
    return without


def _half_nodes(groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights in 0..1/2, of an even number of nodes in 0..1.

    Half as many nodes as groups are exact. Of thousands of groups far fewer do, since the
    integrand changes over 1 / sqrt(groups). An even number leaves out u = 1/2, where a factor
    can be 0.
    """
    nodes = min((groups + 1) // 2, int(32 + 3 * np.sqrt(groups)))
    nodes += nodes % 2
    place, weight = np.polynomial.legendre.leggauss(nodes)
    return (1 + place[: nodes // 2]) / 2, weight[: nodes // 2] / 2
