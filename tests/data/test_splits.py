from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.data import splits
from asclip.errors import DataError, LeakageError
from asclip.types import Study

PATIENTS = st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=30)


@given(PATIENTS, PATIENTS, st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_adding_patients_moves_none(old, new, seed):
    before = splits.assign({one: one for one in old}, seed=seed)
    after = splits.assign({one: one for one in [*new, *old]}, seed=seed)
    assert {one: after[one] for one in old} == before


def test_fractions_hold_and_seeds_are_independent():
    patients = [str(number) for number in range(20_000)]
    first = splits.assign({one: one for one in patients})
    second = splits.assign({one: one for one in patients}, seed=1)
    counts = {side: sum(found == side for found in first.values()) for side in splits.SIDES}
    # 6 standard deviations of a binomial are below 0.02.
    assert counts["train"] / 20_000 == pytest.approx(0.7, abs=0.02)
    assert counts["val"] / 20_000 == pytest.approx(0.1, abs=0.015)
    same = sum(first[one] == second[one] for one in patients) / 20_000
    assert same == pytest.approx(0.7**2 + 0.1**2 + 0.2**2, abs=0.03)


def test_the_hash_is_the_recorded_one():
    # A change of the hash would silently move every patient of every data set.
    found = [splits.uniform("0"), splits.uniform("1"), splits.uniform("Zoë")]
    assert found == pytest.approx([0.367888262, 0.197956887, 0.899522304], abs=1e-9)


def test_stated_sides_win_and_torn_patients_are_refused():
    def study(patient: str, split: str | None) -> Study:
        return Study(id=patient, patient=patient, images=("x",), split=split)

    assert splits.given([study("a", "val"), study("a", None), study("b", None)]) == {"a": "val"}
    with pytest.raises(LeakageError, match="1 of 1 patients"):
        splits.given([study("a", "val"), study("a", "train")])
    assert splits.assign({"a": "a", "b": "a"}, stated={"a": "train", "b": "test"}) == {
        "a": "test",
        "b": "test",
    }


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_bad_fractions(fractions):
    with pytest.raises(DataError, match="sum to 1"):
        splits.check(fractions)


def test_spelled_sides():
    assert [splits.side_named(word) for word in ("Training", "valid", "TEST")] == list(splits.SIDES)
    with pytest.raises(DataError, match="did you mean 'train'"):
        splits.side_named("trein")
