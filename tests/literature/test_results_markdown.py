from __future__ import annotations

import math

import pytest

from asclip.errors import DataError
from asclip.literature import results
from asclip.literature.results_markdown import filled

NAN = math.nan
ROWS = [
    results.Result("one", "clip", 3, 0.5, "", NAN, NAN, NAN, NAN, 300),
    results.Result("one", "clip:texts=report", 3, 0.6, "clip", 0.5, 0.1, 0.05, 0.15, 300),
    results.Result("one", "x", 3, 0.75, "clip:texts=report", 0.6, 0.15, 0.1, 0.2, 120),
    results.Result("two", "x", 3, 0.4, "clip", 0.5, -0.1, -0.2, -0.05, NAN),
    results.Result("two", "y:facts=both", 5, 0.5, "clip", 0.5, 0.0, -0.1, 0.1, 7.4),
]


def page(kind: str) -> str:
    return filled(f"a\n<!-- compare {kind} all -->\nold\n<!-- end -->\nb\n", ROWS)


def test_a_place_is_filled_and_what_stands_around_stays() -> None:
    text = page("counts")
    assert text.startswith("a\n<!-- compare counts all -->\n3 pairs of 2 methods and 2 challenges")
    assert "1 better than plain CLIP and 1 worse" in text
    assert "1 open" in text
    assert text.endswith("\n<!-- end -->\nb\n")
    assert "\nold\n" not in text
    assert filled(text, ROWS) == text


def test_the_matrix_has_a_line_a_method_bold_where_the_interval_is_clear() -> None:
    lines = page("matrix").splitlines()
    assert lines[2] == "| method | one | two |"
    assert lines[4:6] == ["| `x` | **+.150** | **−.100** |", "| `y:facts=both` |  | +.000 |"]
    assert not any("clip" in line for line in lines[4:-2])


def test_wins_are_a_line_a_challenge_with_what_lies_elsewhere_counted() -> None:
    lines = page("wins").splitlines()
    assert lines[4:6] == ["| one | `x` +.150 | 0 | 0 |", "| two | none | 1 | 1 |"]


def test_pairs_name_the_texts_of_plain_clip_and_other_numbers_of_seeds() -> None:
    lines = page("pairs").splitlines()
    assert lines[4] == (
        "| one | `x` | .750 | .600 (`texts=report`) | **+.150 [+.100, +.200]** | 120 |"
    )
    assert "| **−.100 [−.200, −.050]** |  |" in lines[5]
    assert "`y:facts=both` (5 seeds)" in lines[6]


def test_an_unknown_table_is_an_error() -> None:
    with pytest.raises(DataError, match="counts, wins, matrix, pairs"):
        page("bars")


def test_new_rows_join_the_table_in_place_of_old_ones() -> None:
    newer = results.Result("one", "x", 3, 0.8, "clip", 0.5, 0.3, 0.2, 0.4, 120)
    other = results.Result("one", "z", 3, 0.1, "clip", 0.5, -0.4, -0.5, -0.3, 10)
    found = results.joined(ROWS, [newer, other])
    assert [(r.challenge, r.method) for r in found] == [
        ("one", "clip"), ("one", "clip:texts=report"), ("one", "x"), ("one", "z"),
        ("two", "x"), ("two", "y:facts=both"),
    ]  # fmt: skip
    assert found[2].mean == 0.8
