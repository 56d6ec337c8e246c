from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from asclip.metrics.bootstrap import interval
from asclip.metrics.classification import auroc
from asclip.trust.subgroups import NOT_STATED, cross, groups, table


def planted(seed: int, n: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, scores and sex; of M the scores are noise."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], n)
    truth = (rng.random(n) < 0.3).astype(float)
    return truth, rng.normal(size=n) + 1.5 * truth * (sex == "F"), sex


def rows_of(truth, score, values, **options):
    patient = np.arange(len(truth))
    found = table(truth, score, groups("sex", values), patient=patient, resamples=200, **options)
    return {row.group: row for row in found}


def test_a_row_is_what_scikit_learn_says_of_the_group() -> None:
    truth, score, sex = planted(0)
    rows = rows_of(truth, score, sex)
    for name, row in rows.items():
        inside = sex == name
        assert row.auroc == pytest.approx(roc_auc_score(truth[inside], score[inside]))
        assert row.gap == pytest.approx(row.auroc - roc_auc_score(truth, score))
        assert (row.n, row.positives) == (inside.sum(), truth[inside].sum())
        assert row.prevalence == pytest.approx(truth[inside].mean())
        assert row.low < row.auroc < row.high


def test_a_planted_gap_is_found_and_its_interval_holds_the_truth() -> None:
    held, found = 0, 0
    true = norm.cdf(1.5 / np.sqrt(2))
    for seed in range(30):
        rows = rows_of(*planted(seed), seed=seed)
        held += rows["F"].low <= true <= rows["F"].high
        held += rows["M"].low <= 0.5 <= rows["M"].high
        found += rows["M"].gap_high < 0 < rows["F"].gap_low
    assert held >= 54  # of 60 with 95 %
    assert found == 30


def test_groups_without_a_gap_raise_few_alarms() -> None:
    alarms = 0
    for seed in range(40):
        truth, score, sex = planted(seed, 400)
        score = np.random.default_rng(seed + 99).normal(size=400) + truth
        alarms += rows_of(truth, score, sex, seed=seed)["F"].gap_low > 0
    assert alarms <= 3


def test_the_gap_is_taken_on_the_same_resamples() -> None:
    truth, score, sex = planted(1, 200)
    values: list[float] = []

    def gap(truth: np.ndarray, column: np.ndarray) -> float:
        inside = column[:, 1] == 1
        values.append(auroc(truth[inside], column[inside, 0]) - auroc(truth, column[:, 0]))
        return values[-1]

    slow = interval(
        gap, truth, np.column_stack([score, sex == "F"]), groups=np.arange(200),
        rng=np.random.default_rng(0), resamples=200,
    )  # fmt: skip
    row = rows_of(truth, score, sex)["F"]
    assert (row.gap_low, row.gap_high) == pytest.approx(slow, abs=1e-12)


def test_small_groups_have_a_reason_and_smaller_groups_a_wider_interval() -> None:
    rng = np.random.default_rng(2)
    truth = np.tile([0.0, 0, 1, 0], 200)
    score = rng.normal(size=800) + truth
    sites = np.array(["large"] * 700 + ["small"] * 80 + ["tiny"] * 20)
    rows = rows_of(truth, score, sites)
    assert rows["small"].high - rows["small"].low > 1.5 * (rows["large"].high - rows["large"].low)
    assert np.isnan([rows["tiny"].auroc, rows["tiny"].low, rows["tiny"].gap]).all()
    assert rows["tiny"].why_nan == "fewer than 10 positives (5 of 20 studies)"
    assert (rows["tiny"].n, rows["tiny"].prevalence) == (20, 0.25)
    assert not rows["small"].why_nan
    assert rows_of(truth, score, sites, least=5)["tiny"].auroc > 0


def test_a_group_of_one_patient_has_no_auroc_however_many_films() -> None:
    rng = np.random.default_rng(4)
    truth, patient = np.tile([0.0, 1.0], 112), np.arange(224)
    patient[200:] = 1000  # twelve films with it and twelve without, of one patient
    sites = groups("site", ["large"] * 200 + ["one patient"] * 24)
    rows = table(truth, rng.normal(size=224) + truth, sites, patient=patient, resamples=50)
    assert np.isnan([rows[1].auroc, rows[1].low, rows[1].gap]).all()
    assert rows[1].why_nan == "an interval needs 5 patients with the label, got 1"
    assert rows[0].auroc > 0.5


def test_studies_that_do_not_state_it_are_shown_apart() -> None:
    truth, score, sex = planted(3, 400)
    values = [None if k % 4 == 0 else one for k, one in enumerate(sex)]
    rows = rows_of(truth, score, values)
    assert list(rows) == ["F", "M", NOT_STATED]
    assert sum(row.n for row in rows.values()) == 400
    truth[:] = np.nan
    assert all("states this label" in row.why_nan for row in rows_of(truth, score, sex).values())


def test_numbers_become_bands_and_attributes_cross() -> None:
    age = groups("age", [3, 18.0, 39.9, 40, 59, 80, np.nan])
    assert age.names == ("under 18", "18-39", "40-59", "80 and over")
    assert age.member.tolist() == [0, 1, 1, 2, 2, 3, -1]
    assert groups("dose", [1.0, 2.0], [1.5]).names == ("under 1.5", "1.5 and over")
    assert groups("normal", [0.0, 1.0]).names == ("0", "1")
    both = cross(age, groups("sex", ["F", "F", "M", None, "F", "M", "M"]))
    assert both.attribute == "age & sex"
    assert both.names == ("under 18 & F", "18-39 & F", "18-39 & M", "40-59 & F", "80 and over & M")
    assert both.member.tolist() == [0, 1, 2, -1, 3, 4, -1]


def test_columns_that_make_no_groups_are_said() -> None:
    with pytest.raises(ValueError, match="no study states it"):
        groups("sex", [None, float("nan"), ""])
    with pytest.raises(ValueError, match="at most 20 make groups"):
        groups("name", [f"p{k}" for k in range(30)])
    with pytest.raises(ValueError, match="bands need numbers"):
        groups("sex", ["F", "M"], [40])
    with pytest.raises(ValueError, match="no study states both"):
        cross(groups("a", ["x", None]), groups("b", [None, "y"]))
    with pytest.raises(ValueError, match="one value per study"):
        table(np.ones(3), np.ones(3), groups("a", ["x"]), patient=np.arange(3))
