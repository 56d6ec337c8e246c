from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from asclip.trust.conformal import covered, fit_labels
from asclip.trust.shift import one_each, shift


def drawn(seed: int, n: int, moved: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 2)) < 0.3).astype(float)
    return rng.normal(size=(n, 2)) + 2 * truth - moved, truth


def test_a_shift_is_warned_of_and_the_coverage_is_gone() -> None:
    scores, truth = drawn(0, 400)
    other, other_truth = drawn(1, 400, moved=1.0)
    found = shift(scores, other, names=("mass", "nodule"))
    assert found.found == ("mass", "nodule")
    assert "score differently" in found.warning
    assert "p = " in found.warning
    sets = fit_labels(scores, truth, 0.1).sets(other)
    assert np.nanmean(covered(sets, other_truth)) < 0.8


def test_exchangeable_studies_raise_few_alarms() -> None:
    alarms = [bool(shift(drawn(s, 150)[0], drawn(s + 500, 150)[0], names=("a", "b")).warning)
              for s in range(100)]  # fmt: skip
    assert sum(alarms) <= 4


def test_p_values_are_scipys_for_all_columns_together() -> None:
    first, second = drawn(2, 80)[0], drawn(3, 60, moved=0.3)[0]
    first[4, 1] = np.nan
    found = shift(first, second, names=("a", "b"))
    for k in range(2):
        left = first[~np.isnan(first[:, k]), k]
        plain = ks_2samp(left, second[:, k])
        assert found.statistic[k] == plain.statistic
        assert found.p_value[k] == min(1, 2 * plain.pvalue)


def test_a_column_without_scores_has_no_p_value() -> None:
    found = shift(np.full((5, 1), np.nan), np.zeros((5, 1)))
    assert np.isnan(found.p_value).all()
    assert not found.warning
    with pytest.raises(ValueError, match=r"\[n, 1\]"):
        shift(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="level"):
        shift(np.zeros((3, 1)), np.zeros((3, 1)), level=5)


def test_one_study_of_each_patient() -> None:
    assert one_each(np.array(["p2", "p1", "p2", "p3", "p1"])).tolist() == [0, 1, 3]
