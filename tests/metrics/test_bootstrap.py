"""The fast bootstrap equals the metric on repeated rows, and scikit-learn with weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from asclip.metrics import bootstrap
from asclip.metrics.classification import accuracy, auroc, average_precision

RESAMPLES = 40


def table(seed: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random((150, 3)) < [0.05, 0.4, 0.9]).astype(float)
    truth[rng.random(truth.shape) < 0.1] = np.nan
    score = rng.normal(size=truth.shape) + np.nan_to_num(truth)
    score[3, 1] = np.nan
    groups = rng.integers(0, 60, 150)  # one to several studies a patient
    return truth, np.round(score * 2) / 2 if ties else score, groups


def weights(groups: np.ndarray, seed: int) -> np.ndarray:
    """[RESAMPLES, n] the weights that every function draws from this seed."""
    names = list(dict.fromkeys(groups.tolist()))  # numbered by first appearance
    member = np.array([names.index(group) for group in groups.tolist()])
    drawn = bootstrap.resample_counts(len(names), RESAMPLES, np.random.default_rng(seed))
    return np.concatenate(list(drawn))[:, member]


@pytest.mark.parametrize("ties", [False, True])
def test_fast_auroc_is_auroc_of_the_repeated_rows_bit_for_bit(ties: bool) -> None:
    truth, score, groups = table(0, ties=ties)
    rng = np.random.default_rng(5)
    fast = bootstrap.bootstrap_auroc(truth, score, groups=groups, resamples=RESAMPLES, rng=rng)
    for r, weight in enumerate(weights(groups, 5)):
        rows = np.repeat(np.arange(150), weight)
        slow = [auroc(truth[rows, k], score[rows, k]) for k in range(3)]
        np.testing.assert_array_equal(fast[r], slow)


@pytest.mark.parametrize("ties", [False, True])
def test_fast_metrics_equal_scikit_learn_with_sample_weights(ties: bool) -> None:
    truth, score, groups = table(1, ties=ties)
    draw = {"groups": groups, "resamples": RESAMPLES}
    fast = bootstrap.bootstrap_auroc(truth, score, rng=np.random.default_rng(6), **draw)
    precision = bootstrap.bootstrap_average_precision(
        truth, score, rng=np.random.default_rng(6), **draw
    )
    for r, weight in enumerate(weights(groups, 6)):
        known = ~np.isnan(truth[:, 1]) & ~np.isnan(score[:, 1]) & (weight > 0)
        arguments = truth[known, 1], score[known, 1]
        expected = roc_auc_score(*arguments, sample_weight=weight[known])
        assert fast[r, 1] == pytest.approx(expected, abs=1e-12)
        expected = average_precision_score(*arguments, sample_weight=weight[known])
        assert precision[r, 1] == pytest.approx(expected, abs=1e-12)


def test_fast_average_precision_is_that_of_the_repeated_rows() -> None:
    truth, score, groups = table(2, ties=True)
    rng = np.random.default_rng(7)
    fast = bootstrap.bootstrap_average_precision(
        truth, score, groups=groups, resamples=RESAMPLES, rng=rng
    )
    for r, weight in enumerate(weights(groups, 7)):
        rows = np.repeat(np.arange(150), weight)
        slow = [average_precision(truth[rows, k], score[rows, k]) for k in range(3)]
        np.testing.assert_allclose(fast[r], slow, rtol=1e-12)


def test_block_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, score, groups = table(3, ties=True)
    results = []
    for block in (1, 7, 64):
        monkeypatch.setattr(bootstrap, "BLOCK", block)
        rng = np.random.default_rng(8)
        results.append(
            bootstrap.bootstrap_auroc(truth, score, groups=groups, resamples=RESAMPLES, rng=rng)
        )
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_each_resample_draws_as_many_patients_as_there_are() -> None:
    counts = np.concatenate(list(bootstrap.resample_counts(30, 500, np.random.default_rng(0))))
    assert (counts.sum(axis=1) == 30).all()
    assert counts.mean(axis=0) == pytest.approx(1.0, abs=0.2)
    assert counts.var() == pytest.approx(1 - 1 / 30, abs=0.05)  # multinomial, not Poisson


def test_other_pseudonyms_change_no_interval() -> None:
    truth, score, groups = table(3, ties=True)
    renamed = np.array([f"{hash((7, g)) % 9973}-{g}" for g in groups.tolist()])
    results = [
        bootstrap.bootstrap_auroc(
            truth, score, groups=names, resamples=RESAMPLES, rng=np.random.default_rng(8)
        )
        for names in (groups, renamed)
    ]
    np.testing.assert_array_equal(*results)


def test_more_than_255_rows_of_one_patient() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((900, 1)) < 0.5).astype(float)
    score = rng.normal(size=(900, 1))
    groups = np.repeat([0, 1, 2], 300)
    fast = bootstrap.bootstrap_auroc(
        truth, score, groups=groups, resamples=5, rng=np.random.default_rng(1)
    )
    drawn = np.concatenate(list(bootstrap.resample_counts(3, 5, np.random.default_rng(1))))
    rows = np.repeat(np.arange(900), drawn[2][groups])
    assert fast[2, 0] == auroc(truth[rows, 0], score[rows, 0])


def test_interval_of_any_metric_equals_the_fast_one() -> None:
    truth, score, groups = table(4, ties=False)
    fast = bootstrap.bootstrap_auroc(
        truth, score, groups=groups, resamples=200, rng=np.random.default_rng(9)
    )
    slow = bootstrap.interval(
        auroc, truth[:, 1], score[:, 1], groups=groups, rng=np.random.default_rng(9), resamples=200
    )
    assert slow == bootstrap.percentile_interval(fast[:, 1])


def test_means_skip_nan_and_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 2))
    values[rng.random(values.shape) < 0.3] = np.nan
    groups = rng.integers(0, 20, 50)
    got = bootstrap.bootstrap_mean(
        values, groups=groups, resamples=RESAMPLES, rng=np.random.default_rng(3)
    )
    for r, weight in enumerate(weights(groups, 3)):
        rows = np.repeat(np.arange(50), weight)
        np.testing.assert_allclose(got[r], np.nanmean(values[rows], axis=0))


def test_undefined_resamples_and_one_patient() -> None:
    truth = np.zeros((20, 1))
    truth[0] = 1.0  # one positive: a third of the resamples have none
    score = np.arange(20.0)[::-1, None]
    groups = np.arange(20)
    samples = bootstrap.bootstrap_auroc(
        truth, score, groups=groups, resamples=300, rng=np.random.default_rng(0)
    )
    assert 0.2 < np.isnan(samples).mean() < 0.5
    assert bootstrap.percentile_interval(samples[:, 0]) == (1.0, 1.0)
    assert np.isnan(bootstrap.percentile_interval(np.array([1.0, np.nan, np.nan]))).all()
    one = bootstrap.interval(
        accuracy, truth[:, 0], score[:, 0], groups=np.zeros(20), rng=np.random.default_rng(0)
    )
    assert np.isnan(one).all()
    with pytest.raises(ValueError, match="level"):
        bootstrap.percentile_interval(samples[:, 0], level=95)


def test_clusters_cover_where_single_rows_do_not() -> None:
    """40 patients with 6 alike studies each: 95 % intervals must hold the truth that often."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    covered = {"patients": 0, "rows": 0}
    for _ in range(120):
        values = (rng.normal(size=40)[groups] + 0.3 * rng.normal(size=240))[:, None]
        for name, unit in (("patients", groups), ("rows", np.arange(240))):
            samples = bootstrap.bootstrap_mean(values, groups=unit, resamples=200, rng=rng)
            low, high = bootstrap.percentile_interval(samples[:, 0])
            covered[name] += low <= 0.0 <= high
    assert covered["patients"] / 120 > 0.88
    assert covered["rows"] / 120 < 0.7


def test_paired_interval_is_narrower_and_signed() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(200) < 0.4).astype(float)
    noise = rng.normal(size=200)
    good, bad = truth + noise, 0.7 * truth + noise
    groups = np.arange(200)
    low, high = bootstrap.paired_interval(
        auroc, truth, (good, bad), groups=groups, rng=np.random.default_rng(1), resamples=200
    )
    assert 0 < low < high < 0.2
    back = bootstrap.paired_interval(
        auroc, truth, (bad, good), groups=groups, rng=np.random.default_rng(1), resamples=200
    )
    assert back == pytest.approx((-high, -low))
    fast = [
        bootstrap.bootstrap_auroc(
            truth[:, None], score[:, None], groups=groups, resamples=200,
            rng=np.random.default_rng(1),
        )
        for score in (good, bad)
    ]  # fmt: skip
    assert bootstrap.percentile_interval((fast[0] - fast[1])[:, 0]) == (low, high)
