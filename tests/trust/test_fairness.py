from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from asclip.metrics.classification import auroc, sensitivity, specificity
from asclip.trust.fairness import decision_gaps, equity_scaled, es_auc
from asclip.trust.subgroups import groups


def planted(seed: int, n: int, far: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positives stand 1.4 above negatives, in group a `far` less."""
    rng = np.random.default_rng(seed)
    site = rng.choice(["a", "b", "c"], n)
    truth = (rng.random(n) < 0.3).astype(float)
    return truth, rng.normal(size=n) + truth * (1.4 - far * (site == "a")), site


def gaps_of(truth, score, site, threshold=0.7, **options):
    common = {"patient": np.arange(len(truth)), "resamples": 200, **options}
    among = groups("site", site)
    found = [es_auc(truth, score, among, **common)]
    found += decision_gaps(truth, score, among, threshold=threshold, **common)
    return {gap.metric: gap for gap in found}


def test_es_auc_by_hand() -> None:
    # Pairs in order: 3 of 4 in a, 4 of 4 in b, 14 of 16 together; .875 / (1 + .125 + .125).
    truth = np.array([0, 0, 1, 1, 0, 0, 1, 1.0])
    score = np.array([1, 5, 3, 6, 0, 2, 4, 7.0])
    found = gaps_of(truth, score, list("aaaabbbb"), least=2)["es_auc"]
    assert auroc(truth[:4], score[:4]) == 0.75
    assert auroc(truth[4:], score[4:]) == 1.0
    assert auroc(truth, score) == 0.875
    assert found.value == pytest.approx(0.7)
    assert (found.n, found.left_out) == (8, ())
    assert equity_scaled(0.9, np.array([0.9, 0.9])) == pytest.approx(0.9)


def test_dpd_and_deodds_equal_a_plain_loop() -> None:
    truth, score, site = planted(0, 400, 0.8)
    truth[::9] = np.nan
    found = gaps_of(truth, score, site)
    known = ~np.isnan(truth)
    parts = [known & (site == name) for name in "abc"]
    said = [(score[rows] >= 0.7).mean() for rows in parts]
    caught = [sensitivity(truth[rows], score[rows], threshold=0.7) for rows in parts]
    alarm = [1 - specificity(truth[rows], score[rows], threshold=0.7) for rows in parts]
    assert found["dpd"].value == pytest.approx(max(said) - min(said))
    worst = max(max(caught) - min(caught), max(alarm) - min(alarm))
    assert found["deodds"].value == pytest.approx(worst)
    assert found["dpd"].n == known.sum()


@pytest.mark.parametrize("far", [0.0, 0.8])
def test_intervals_hold_the_truth(far: float) -> None:
    above = np.array([1.4 - far, 1.4, 1.4])
    by_group = norm.cdf(above / np.sqrt(2))
    caught, alarm = norm.sf(0.7 - above), norm.sf(0.7)
    said = 0.3 * caught + 0.7 * alarm
    true = {
        "es_auc": equity_scaled(by_group.mean(), by_group),
        "dpd": np.ptp(said),
        "deodds": np.ptp(caught),
    }
    held = dict.fromkeys(true, 0)
    for seed in range(40):
        for name, gap in gaps_of(*planted(seed, 700, far), seed=seed).items():
            held[name] += gap.low <= true[name] <= gap.high
    assert min(held.values()) >= 35


def test_small_groups_are_left_out_and_named() -> None:
    truth, score, site = planted(1, 400, 0.8)
    site[:8] = "d"
    found = gaps_of(truth, score, site)
    assert all(gap.left_out == ("d",) and gap.value > 0 for gap in found.values())
    alone = gaps_of(truth, score, np.where(np.arange(400) < 12, "x", "y"))
    for gap in alone.values():
        assert np.isnan([gap.value, gap.low, gap.high]).all()
        assert "needs two groups" in gap.why_nan
        assert "1 of 2 have them" in gap.why_nan


def test_what_is_undefined_has_its_reason() -> None:
    truth, score, site = planted(2, 300, 0.0)
    for given, reason in (
        (np.full(300, np.nan), "no study states this label"),
        (np.ones(300), "no negative among 300 studies"),
    ):
        assert all(reason in gap.why_nan for gap in gaps_of(given, score, site).values())
    found = gaps_of(truth, score, site, threshold=float("nan"))
    assert "no threshold" in found["dpd"].why_nan
    assert not found["es_auc"].why_nan
