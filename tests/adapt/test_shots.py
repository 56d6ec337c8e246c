from __future__ import annotations

import numpy as np
import pytest

from asclip.adapt.shots import Shots, draw
from asclip.errors import DataError

NAN = float("nan")
STUDIES = [f"s{k:02}" for k in range(60)]
PATIENTS = [f"p{k // 3}" for k in range(60)]  # three studies each, 20 patients
KIND = np.array(
    [k % 2 if k < 54 else 2 for k in range(60)]
)  # the last class: 6 studies, 2 patients
ONE_HOT = np.eye(3)[KIND]


def single(seed: int = 0, **options):
    return draw(STUDIES, PATIENTS, ONE_HOT, "abc", single=True, seed=seed, **options)


def test_shots_are_nested_of_different_patients_and_of_their_class() -> None:
    drawn = single()
    before: set[str] = set()
    for k in (1, 2, 4, 8, 16):
        taken = set(drawn.take(k))
        assert before <= taken
        before = taken
        for c, label in enumerate("abc"):
            order = drawn.orders[label]["has"][:k]
            rows = [STUDIES.index(one) for one in order]
            assert (KIND[rows] == c).all()
            assert len({PATIENTS[row] for row in rows}) == len(rows) == min(k, 2 if c == 2 else k)


def test_more_shots_than_patients_takes_all_and_says_so() -> None:
    drawn = single()
    assert drawn.short(2) == {}
    assert drawn.short(4) == {"c: has": 2}
    assert drawn.short(16) == {"c: has": 2}
    assert len(drawn.take(16)) == 16 + 16 + 2


def test_seeds_differ_and_the_order_of_the_table_and_other_classes_do_not_matter() -> None:
    assert single(0) == single(0)
    assert single(0).orders != single(1).orders
    turned = draw(STUDIES[::-1], PATIENTS[::-1], ONE_HOT[::-1], "abc", single=True, seed=0)
    assert turned == single(0)
    fewer = draw(STUDIES, PATIENTS, ONE_HOT[:, :2], "ab", single=True, seed=0)
    assert fewer.orders["a"] == single(0).orders["a"]


def test_labels_are_drawn_on_both_sides_and_unknown_ones_never() -> None:
    truth = np.full((60, 2), NAN)
    truth[:20, 0], truth[20:40, 0], truth[30:50, 1], truth[:9, 1] = 1, 0, 1, 0
    drawn = draw(STUDIES, PATIENTS, truth, ("mass", "fluid"), single=False, seed=0)
    for k, label in enumerate(("mass", "fluid")):
        for side, value in (("has", 1), ("has not", 0)):
            rows = [STUDIES.index(one) for one in drawn.orders[label][side]]
            assert (truth[rows, k] == value).all()
    assert drawn.short(4) == {"fluid: has not": 3}
    assert len(drawn.take(1)) <= 4


def test_a_class_of_nobody_is_an_error() -> None:
    with pytest.raises(DataError, match=r"got none of d \(has\); leave these classes out"):
        draw(STUDIES, PATIENTS, np.eye(4)[KIND], "abcd", single=True, seed=0)
    with pytest.raises(DataError, match=r"none of a \(has not\)"):
        draw(STUDIES, PATIENTS, np.ones((60, 1)), "a", single=False, seed=0)
    with pytest.raises(DataError, match="none of a"):
        draw(STUDIES, PATIENTS, np.full((60, 1), NAN), "a", single=False, seed=0)


def test_they_are_read_as_they_were_written(tmp_path) -> None:
    drawn = single(3, dataset="d@1", prompts="p@1")
    drawn.write(tmp_path / "some" / "shots-3.json")
    again = Shots.read(tmp_path / "some" / "shots-3.json")
    assert again.take(8) == drawn.take(8)
    assert (again.seed, again.most, again.dataset, again.prompts) == (3, 16, "d@1", "p@1")
    assert again.short(4) == drawn.short(4)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "seed": 0}'])
def test_a_broken_file_is_said(content: str, tmp_path) -> None:
    path = tmp_path / "shots-0.json"
    path.write_text(content)
    with pytest.raises(DataError, match="must be a file of shots"):
        Shots.read(path)
    with pytest.raises(DataError, match="does not exist"):
        Shots.read(tmp_path / "none.json")


@pytest.mark.parametrize("k", [0, -1, 17])
def test_a_number_that_was_not_drawn_is_said(k: int) -> None:
    with pytest.raises(DataError, match=f"between 1 and 16, for which they were drawn, got {k}"):
        single().take(k)
