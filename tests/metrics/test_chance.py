"""Chance in ranking. Reference: all orders of few groups, simulated orders of many."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.metrics import chance as own

CUTS = (1, 2, 3, 5, 10)


def ranks_of_blocks(sizes: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """[orders, groups] rank of each group's first place; `orders` [orders, groups] are ids."""
    behind = np.cumsum(sizes[orders], axis=1)
    ranks = np.empty(orders.shape, dtype=np.int64)
    np.put_along_axis(ranks, orders, behind - sizes[orders] + 1, axis=1)
    return ranks


def test_chance_equals_simulation() -> None:
    rng = np.random.default_rng(0)
    pool, relevant = 40, np.array([1, 1, 3, 7])
    ranks = np.array([[rng.permutation(pool)[:m].min() + 1 for m in relevant] for _ in range(6000)])
    for k in (1, 5, 10):
        exact = own.chance_recall_at_k(pool, relevant, k)
        assert exact == pytest.approx((ranks <= k).mean(), abs=0.01)
    exact = own.chance_reciprocal_rank(pool, relevant)
    assert exact == pytest.approx((1 / ranks).mean(), abs=0.01)
    assert abs(own.chance_median_rank(pool, relevant) - np.median(ranks)) <= 1


def test_chance_at_its_ends() -> None:
    assert own.chance_recall_at_k(5, np.array([5]), 1) == 1.0
    assert own.chance_recall_at_k(5, np.array([1]), 10) == pytest.approx(1.0)
    assert np.isnan(own.chance_recall_at_k(5, np.array([0]), 1))
    assert np.isnan(own.chance_median_rank(5, np.array([0])))
    assert own.chance_recall_at_k(5, np.array([1, 0]), 1) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="6 hits in a pool of 5"):
        own.chance_recall_at_k(5, np.array([6]), 1)


# --- blocks of equal candidates -------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 1, 2), (1,), (4, 4), (2, 2, 1, 1, 1), (7, 1, 3, 1, 1, 2)])
def test_blocks_equal_all_orders_of_few_groups(sizes: tuple[int, ...]) -> None:
    size = np.array(sizes)
    ranks = ranks_of_blocks(size, np.array(list(permutations(range(len(sizes))))))
    pool, relevant = int(size.sum()), np.repeat(size, size)
    every = np.repeat(ranks, size, axis=1)  # a group of m is asked for by m queries
    for k in (*CUTS, pool, pool + 5):
        exact = own.chance_recall_at_k(pool, relevant, k, blocks=True)
        assert exact == pytest.approx((every <= k).mean(), abs=1e-9)
    exact = own.chance_reciprocal_rank(pool, relevant, blocks=True)
    assert exact == pytest.approx((1 / every).mean(), abs=1e-9)
    ordered = np.sort(every, axis=None)
    exact = own.chance_median_rank(pool, relevant, blocks=True)
    assert exact == ordered[(len(ordered) + 1) // 2 - 1]  # the lower one of two in the middle


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_blocks_equal_all_orders_of_any_groups(sizes: list[int]) -> None:
    size = np.array(sizes)
    ranks = ranks_of_blocks(size, np.array(list(permutations(range(len(sizes))))))
    every = np.repeat(ranks, size, axis=1)
    for k in CUTS:
        exact = own.chance_recall_at_k(size.sum(), np.repeat(size, size), k, blocks=True)
        assert exact == pytest.approx((every <= k).mean(), abs=1e-9)


def test_blocks_equal_a_simulation_of_400_groups() -> None:
    rng = np.random.default_rng(0)
    size = np.concatenate([np.ones(300, int), rng.integers(2, 9, 95), [20, 25, 40, 60, 90]])
    pool, relevant, trials = int(size.sum()), np.repeat(size, size), 4000
    orders = rng.permuted(np.tile(np.arange(len(size)), (trials, 1)), axis=1)
    ranks = ranks_of_blocks(size, orders)
    for k in CUTS:
        shares = ((ranks <= k) * size).sum(axis=1) / pool
        error = shares.std() / np.sqrt(trials)
        exact = own.chance_recall_at_k(pool, relevant, k, blocks=True)
        assert exact == pytest.approx(shares.mean(), abs=4 * error)
    shares = (size / ranks).sum(axis=1) / pool
    exact = own.chance_reciprocal_rank(pool, relevant, blocks=True)
    assert exact == pytest.approx(shares.mean(), abs=4 * shares.std() / np.sqrt(trials))
    median = own.chance_median_rank(pool, relevant, blocks=True)
    assert abs(median - np.median(np.repeat(ranks, size, axis=1))) <= 0.02 * pool


@pytest.mark.parametrize("groups", [1, 2, 3, 40, 399, 5000])
def test_blocks_of_one_are_candidates(groups: int) -> None:
    relevant = np.ones(groups, dtype=int)
    plain = 1 - np.arange(groups + 1) / groups
    np.testing.assert_allclose(own._of_blocks((1,), (groups,)), plain, atol=1e-9)
    for function in (own.chance_reciprocal_rank, own.chance_median_rank):
        assert function(groups, relevant, blocks=True) == function(groups, relevant)
    for k in CUTS:
        same = own.chance_recall_at_k(groups, relevant, k)
        assert own.chance_recall_at_k(groups, relevant, k, blocks=True) == same


def test_a_large_group_in_front_is_not_a_lucky_draw() -> None:
    size = np.array([10, 10, 10, 9])  # 39 studies with four texts
    relevant = np.repeat(size, size)
    assert own.chance_recall_at_k(39, relevant, 10) > 0.95
    # First place of four, or second behind the nine.
    wanted = 0.25 + 30 / 39 / 12
    assert own.chance_recall_at_k(39, relevant, 10, blocks=True) == pytest.approx(wanted)


def test_groups_that_do_not_fill_the_pool_are_refused() -> None:
    for pool, relevant in ((5, [3, 3, 3, 1]), (4, [3, 3, 1, 1]), (3, [2, 1, 0])):
        with pytest.raises(ValueError, match="a group of m needs m queries; got"):
            own.chance_recall_at_k(pool, np.array(relevant), 1, blocks=True)
    assert np.isnan(own.chance_recall_at_k(0, np.array([]), 1, blocks=True))
