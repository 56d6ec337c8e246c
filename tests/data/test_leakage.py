from __future__ import annotations

from functools import partial

import pytest

from asclip.data import leakage, splits
from asclip.errors import LeakageError

NAN = float("nan")


def test_groups_follow_chains_and_not_the_order():
    images = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("d", "z"), ("d", "z")]
    rank = partial(splits.rank, seed=0)
    one = leakage.groups(leakage.shared(images), "abcd", rank)
    two = leakage.groups(leakage.shared(images[::-1]), "dcba", rank)
    assert one == two
    assert len({one["a"], one["b"], one["c"]}) == 1
    assert one["d"] == "d"


def test_groups_keep_the_fractions():
    # Were the group's number the lowest of its members, pairs would crowd into the first side.
    pairs = {str(number): [f"{number}a", f"{number}b"] for number in range(4_000)}
    patients = [one for pair in pairs.values() for one in pair]
    sides = splits.assign(leakage.groups(pairs, patients, splits.rank))
    share = sum(side == "train" for side in sides.values()) / len(sides)
    assert share == pytest.approx(0.7, abs=0.03)
    assert all(sides[first] == sides[second] for first, second in pairs.values())


def test_report_and_refusal():
    owners = leakage.shared([("a", "x"), ("b", "x"), ("c", "w")])
    alone = {"a": "train", "b": "test", "c": "train"}
    heads = {"a": "a", "b": "a", "c": "c"}
    found = leakage.report(owners, alone=alone, sides={**alone, "b": "train"}, heads=heads)
    assert found == {
        "images_of_several_patients": 1,
        "patients_joined": 2,
        "groups": 1,
        "images_that_would_leak": 1,
        "patients_moved": 1,
    }
    with pytest.raises(LeakageError, match="1 images of 2 patients"):
        leakage.refuse(owners, alone)
    leakage.refuse(owners, {"a": "test", "b": "test", "c": "train"})


def test_conflicts_need_two_stated_words():
    rows = [
        {"digest": "x", "study": "1", "labels": {"m": 1.0, "n": NAN}},
        {"digest": "x", "study": "2", "labels": {"m": 0.0, "n": 1.0}},
        {"digest": "y", "study": "3", "labels": {"m": 1.0}},
    ]
    assert leakage.conflicts(rows) == [
        {"digest": "x", "label": "m", "study": "1", "value": 1.0},
        {"digest": "x", "label": "m", "study": "2", "value": 0.0},
    ]
