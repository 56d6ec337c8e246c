from __future__ import annotations

import math

import numpy as np
import pytest

from asclip.trust.conformal import Aps, Lac, covered, fit, fit_labels, needed, rank, surprise

SPLITS = 20
CLASSES = 5


def studies(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a wrong model [n, K], and one-hot truth of unequal classes."""
    rng = np.random.default_rng(seed)
    true = rng.choice(CLASSES, n, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    logits = rng.normal(size=(n, CLASSES)) + 1.5 * np.eye(CLASSES)[true] * (true[:, None] < 3)
    shares = np.exp(2 * logits)
    return shares / shares.sum(axis=1, keepdims=True), np.eye(CLASSES)[true]


@pytest.mark.parametrize("measure", [Lac(), Aps(3), Aps(randomised=False)])
@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 0.25])
def test_coverage_is_nominal(measure: Lac | Aps, by_class: bool, alpha: float) -> None:
    coverage, within, sizes = [], [], []
    for seed in range(SPLITS):
        shares, truth = studies(seed, 12_000)
        found = fit(shares[:6000], truth[:6000], alpha, measure=measure, by_class=by_class)
        sets = found.sets(shares[6000:])
        hits = covered(sets, truth[6000:])
        coverage.append(np.nanmean(hits))
        within.append(np.nanmean(hits, axis=0))
        sizes.append(sets.sum(axis=1).mean())
    assert abs(np.mean(coverage) - (1 - alpha)) < 0.02
    # The model knows nothing of the last two classes; only sets by class cover them as well.
    short = (1 - alpha) - np.mean(within, axis=0)
    assert short.max() < 0.02 if by_class else short.max() > 0.03
    assert 1 - alpha < np.mean(sizes) < CLASSES


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_labels_have_a_guarantee_for_each_outcome(alpha: float) -> None:
    present, absent = [], []
    for seed in range(SPLITS):
        rng = np.random.default_rng(seed)
        truth = (rng.random((4000, 3)) < [0.5, 0.2, 0.1]).astype(float)
        scores = rng.normal(size=(4000, 3)) + truth * [0.5, 1.5, 3]
        found = fit_labels(scores[:2000], truth[:2000], alpha)
        present.append(np.nanmean(covered(found.sets(scores[2000:]), truth[2000:]), axis=0))
        absent.append(
            np.nanmean(covered(found.absent_sets(scores[2000:]), 1 - truth[2000:]), axis=0)
        )
    assert np.abs(np.mean(present, axis=0) - (1 - alpha)).max() < 0.02
    assert np.abs(np.mean(absent, axis=0) - (1 - alpha)).max() < 0.02


def test_the_quantile_is_the_exact_order_statistic() -> None:
    for n in range(1, 400):
        for percent in range(1, 100):
            exact = -((n + 1) * (100 - percent) // -100)  # whole numbers only
            assert rank(n, percent / 100) == exact
    shares, truth = studies(0, 99)
    own = 1 - shares[truth == 1]
    found = fit(shares, truth, 0.1)
    assert found.quantile[0] == np.sort(own)[math.ceil(100 * 0.9) - 1]
    assert found.n.tolist() == [99] * CLASSES


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.3])
def test_the_number_needed_is_the_smallest_that_works(alpha: float) -> None:
    n = needed(alpha)
    assert rank(n, alpha) <= n
    assert rank(n - 1, alpha) > n - 1
    shares, truth = studies(1, n)
    fit(shares, truth, alpha)
    with pytest.raises(ValueError, match=rf"needs {n} calibration studies .* got {n - 1}"):
        fit(shares[1:], truth[1:], alpha)


def test_a_low_coverage_is_as_likely_as_it_is_said() -> None:
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(4000):
        scores = rng.random((79, 1))
        found = fit_labels(scores[:30], np.r_[np.ones(19), np.zeros(11)][:, None], 0.1)
        hits.append(found.sets(scores[30:]).sum())
    for limit in (33, 38, 44):
        assert np.mean(np.array(hits) <= limit) == pytest.approx(
            surprise(limit, 49, 19, 0.1), abs=0.015
        )


def test_aps_equals_a_plain_loop() -> None:
    shares, _ = studies(2, 50)
    draw = np.random.default_rng([7, 0]).random(50)
    fast = Aps(7).scores(shares, stream=0)
    for i in range(50):
        for k in range(CLASSES):
            above = shares[i, shares[i] > shares[i, k]].sum()
            assert fast[i, k] == pytest.approx(above + draw[i] * shares[i, k])
    whole = Aps(randomised=False).scores(shares, stream=0)
    assert whole.max(axis=1) == pytest.approx(1)
    assert (Aps(7).scores(shares, stream=1) != fast).all()


def test_the_same_seed_gives_the_same_sets_and_unknown_rows_change_nothing() -> None:
    shares, truth = studies(3, 200)
    unknown = truth.copy()
    unknown[::5] = np.nan
    one = fit(shares, unknown, 0.1, measure=Aps(1))
    kept = np.arange(200) % 5 > 0
    other = fit(shares[kept], truth[kept], 0.1, measure=Aps(1))
    np.testing.assert_array_equal(one.sets(shares), other.sets(shares))
    shares[0] = np.nan
    assert one.sets(shares)[0].all()
    labels = fit_labels(np.nan_to_num(shares), unknown, 0.3)
    assert labels.sets(shares)[0].all()
    assert labels.absent_sets(shares)[0].all()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 90.0, np.nan])
def test_alpha_must_be_a_share(alpha: float) -> None:
    shares, truth = studies(4, 50)
    for call in (
        lambda: fit(shares, truth, alpha),
        lambda: fit_labels(shares, truth, alpha),
        lambda: needed(alpha),
    ):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
            call()


def test_what_cannot_be_fitted_is_said() -> None:
    shares, truth = studies(5, 100)
    with pytest.raises(ValueError, match="studies with mass, got 0"):
        fit_labels(shares[:, :1], np.zeros((100, 1)), 0.1, labels=["mass"])
    with pytest.raises(ValueError, match="studies without mass, got 0"):
        fit_labels(shares[:, :1], np.ones((100, 1)), 0.1, labels=["mass"])
    with pytest.raises(ValueError, match="the sets, got 0"):
        fit(shares, np.full(truth.shape, np.nan), 0.1)
    few = truth[:, 4] == 1
    truth[few] = np.nan
    with pytest.raises(ValueError, match="for e, got 0"):
        fit(shares, truth, 0.1, by_class=True, labels="abcde")
    with pytest.raises(ValueError, match="add up to 1"):
        fit(2 * shares, truth, 0.1)
    with pytest.raises(ValueError, match="exactly one 1"):
        fit(shares, np.ones(truth.shape), 0.1)
    with pytest.raises(ValueError, match="must have 5 classes"):
        fit(shares, truth, 0.1).sets(np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"\[n, K\]"):
        covered(np.ones(3, dtype=bool), np.ones(3))
