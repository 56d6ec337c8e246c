"""Shares of patients, halves of classes, and what is said of several seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.adapt.draws import Drawn
from asclip.adapt.rows import Row
from asclip.adapt.shares import Shares, draw_shares
from asclip.adapt.sides import halves, harmonic
from asclip.adapt.summary import interval, summary
from asclip.errors import DataError
from asclip.types import Score

NAN = float("nan")
STUDIES = [f"s{k:02}" for k in range(60)]
PATIENTS = [f"p{k // 3}" for k in range(60)]  # 20 patients, three studies each
TRUTH = np.where(np.arange(60) < 45, 1.0, NAN)[:, None]  # nothing is known of the last five


def shares(seed: int = 0, **options) -> Shares:
    return draw_shares(STUDIES, PATIENTS, TRUTH, seed=seed, **options)


def test_shares_are_nested_and_of_whole_patients() -> None:
    drawn, before = shares(), set()
    for share, patients in ((0.01, 1), (0.1, 2), (0.5, 8), (1.0, 15)):
        taken = set(drawn.take(share))
        assert before <= taken
        before = taken
        who = {PATIENTS[STUDIES.index(one)] for one in taken}
        assert len(who) == patients
        assert len(taken) == 3 * patients
    assert before == set(STUDIES[:45])


def test_the_order_of_the_table_and_other_patients_do_not_matter() -> None:
    turned = draw_shares(STUDIES[::-1], PATIENTS[::-1], TRUTH[::-1], seed=0)
    assert turned == shares()
    assert shares(1).patients != shares().patients
    fewer = draw_shares(STUDIES[3:], PATIENTS[3:], TRUTH[3:], seed=0).patients
    assert fewer == [one for one in shares().patients if one[0] != "s00"]


def test_shares_are_read_as_they_were_written(tmp_path) -> None:
    drawn = shares(3, dataset="d@1", prompts="p@1")
    drawn.write(tmp_path / "some" / "fractions-3.json")
    assert Shares.read(tmp_path / "some" / "fractions-3.json") == drawn
    (tmp_path / "broken.json").write_text('{"format": 9}')
    with pytest.raises(DataError, match="must be a file of shares"):
        Shares.read(tmp_path / "broken.json")


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, NAN])
def test_a_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(DataError, match="must lie above 0 and not above 1"):
        shares().take(share)


def test_shares_of_nothing_known_are_refused() -> None:
    with pytest.raises(DataError, match="must have a known class and an image, got none"):
        draw_shares(STUDIES, PATIENTS, TRUTH * NAN, seed=0)


@given(st.lists(st.text(min_size=1), min_size=4, max_size=9, unique=True))
def test_halves_part_the_classes(labels: list[str]) -> None:
    base, new = halves(labels, (), least=2)
    assert [one for one in labels if one in base] == base
    assert sorted(base + new) == sorted(labels)
    assert 0 <= len(base) - len(new) <= 1
    assert halves(labels[::-1], (), least=2) == (base[::-1], new[::-1])
    assert halves(labels, base, least=2) == (base, new)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_an_interval_is_that_of_student(values: list[float]) -> None:
    from scipy import stats

    mean, low, high = interval(values)
    plain = stats.ttest_1samp(values, 0.0) if np.ptp(values) else None
    assert mean == pytest.approx(np.mean(values))
    if plain is not None and np.std(values) > 1e-6:
        expected = plain.confidence_interval(0.95)
        assert (low, high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert low <= mean + 1e-12
    assert mean <= high + 1e-12


def row(method: str, value: float, seed: int = 0, shots: int = 4, **score) -> Row:
    drawn = Drawn(shots, seed, 12 if shots else 0, digest=str(seed))
    one = Score("d", "test", method, "auroc", "macro", value, **score)
    return Row(method, drawn, "", {}, 2.0 + seed, one)


def test_a_summary_has_the_gain_on_zero_shot_seed_by_seed() -> None:
    rows = [row("zero-shot", 0.6, shots=0)]
    rows += [row("coop", value, seed) for seed, value in enumerate((0.7, 0.8, 0.75))]
    rows += [row("probe", value, seed) for seed, value in enumerate((0.5, NAN))]
    floor, coop, probe = summary(rows)
    half = 4.302653 * 0.05 / math.sqrt(3)
    assert coop.mean == pytest.approx(0.75)
    assert (coop.low, coop.high) == (pytest.approx(0.75 - half), pytest.approx(0.75 + half))
    assert (coop.lowest, coop.highest, coop.seconds) == (0.7, 0.8, 3.0)
    assert coop.gain == pytest.approx(0.15)
    assert coop.gain_low == pytest.approx(0.15 - half)
    assert (probe.fits, probe.seeds, probe.mean) == (2, 1, 0.5)
    assert math.isnan(probe.low)
    assert floor.gain == 0
    assert math.isnan(floor.gain_low)


def test_an_interval_stays_within_what_a_metric_can_be() -> None:
    (line,) = summary([row("coop", value, seed) for seed, value in enumerate((1.0, 0.9))])
    assert (line.low, line.high) == (pytest.approx(0.95 - 12.7062 * 0.05, abs=1e-3), 1.0)
    assert math.isnan(line.gain)  # no zero-shot row


def test_seeds_that_draw_the_same_studies_say_nothing_of_the_draw() -> None:
    rows = [row("coop", value, seed) for seed, value in enumerate((0.7, 0.8))]
    same = [replace(one, drawn=replace(one.drawn, digest="all")) for one in rows]
    (line,) = summary(same)
    assert line.mean == pytest.approx(0.75)
    assert math.isnan(line.low)
    assert line.highest == 0.8


def test_a_method_without_any_value_has_none() -> None:
    (line,) = summary([row("probe", NAN, seed) for seed in range(3)])
    assert line.seeds == 0
    assert all(math.isnan(one) for one in (line.mean, line.low, line.high, line.lowest))


def test_the_harmonic_mean_lies_nearer_to_the_lower_one() -> None:
    base = [row("coop", value, low=0.1, high=0.9, n=5).score for value in (0.9, 0.0, 0.5)]
    new = [replace(one, value=value, n=7, why_nan=why) for one, value, why in zip(
        base, (0.3, 0.0, NAN), ("", "", "none for others"), strict=True)]  # fmt: skip
    found = harmonic(base, new)
    assert found[0].value == pytest.approx(2 / (1 / 0.9 + 1 / 0.3))
    assert (found[1].value, found[0].n) == (0.0, 12)
    assert math.isnan(found[0].low)
    assert math.isnan(found[2].value)
    assert found[2].why_nan == "none for others"
