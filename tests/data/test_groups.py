from __future__ import annotations

import pytest

from asclip.data.dataset import Dataset
from asclip.data.groups import asked, codes, learn
from asclip.data.queries import SELDOM
from asclip.errors import DataError
from clinic import clinic


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Women and men, one patient of sex X, one unknown; a woman with ten studies; ages 20 to 90."""
    rows: list[dict[str, object]] = []
    for k in range(3 * SELDOM):
        rows.append({"sex": "FM"[k % 2], "age": 20 + 5 * k, "site": "north"})
    rows += [{"sex": "X", "age": 50, "site": "north"}, {"sex": "", "age": "", "site": "north"}]
    rows += [{"sex": "O", "age": 33, "site": "north", "patient": "one"} for _ in range(10)]
    rows += [{"sex": "F", "age": 41, "site": "south", "split": "val"}]
    rows = [
        {f"meta:{k}" if k in ("sex", "age", "site") else k: v for k, v in r.items()} for r in rows
    ]
    return clinic(tmp_path_factory.mktemp("groups"), rows)


def test_groups_are_those_of_enough_training_patients(data: Dataset) -> None:
    train = data.split("train")
    names = learn(train, "group:sex")
    assert names == ("F", "M")  # X is one patient, and so is O with ten studies
    found = codes(data, "group:sex", names).tolist()
    assert found[:4] == [0, 1, 0, 1]
    assert found[3 * SELDOM : 3 * SELDOM + 3] == [-1, -1, -1]
    assert found[-1] == 0


def test_bands_of_numbers(data: Dataset) -> None:
    names = learn(data.split("train"), "group:age:40:60")
    assert set(names) == {"under 40", "40 to 60", "60 and over"}
    found = codes(data, "group:age:40:60", names)
    named = [names[k] for k in found.tolist()]
    assert named[0] == "under 40"
    assert named[4] == "40 to 60"  # an edge is in the upper band
    assert named[8] == "60 and over"
    assert found[3 * SELDOM + 1] == -1


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ("group:site", "2 to 8 groups of 5 training patients or more, got 1"),
        ("group:age", "give edges for numbers"),
        ("group:age:old", "edges must be numbers"),
        ("group:sex:40", "cut a column of numbers"),
        ("group:sx", "did you mean 'sex'"),
    ],
)
def test_what_makes_no_groups_is_said(data: Dataset, fact: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        learn(data.split("train"), fact)


def test_the_facts_that_an_objective_asks_for() -> None:
    needs = frozenset({"facts.group:sex", "facts.group:age:40.5", "image.pooled", "facts.meta"})
    assert asked(needs) == ("group:age:40.5", "group:sex")
