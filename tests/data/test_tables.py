from __future__ import annotations

import math

import pandas as pd
import pytest

from asclip.data import tables


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["41", "3.5"], [41.0, 3.5]),
        (["0", "0.5"], [0.0, 0.5]),
        (["007", "8"], ["007", "8"]),
        (["M", None, ""], ["M", None, None]),
        (["nan", "1"], ["nan", "1"]),
        ([None, ""], [None, None]),
    ],
)
def test_facts_become_numbers_only_if_all_are(values, expected):
    assert tables.as_numbers(values) == expected


def test_an_unknown_number_is_nan():
    known, unknown = tables.as_numbers(["41", None])
    assert known == 41.0
    assert math.isnan(unknown)


def test_prevalence_counts_what_is_stated():
    frame = pd.DataFrame({"label:m": [1.0, 0.0, math.nan, 0.0], "label:n": [math.nan] * 4})
    assert tables.prevalence(frame) == {
        "m": {"positive": 1, "negative": 2, "not_stated": 1, "prevalence": 1 / 3},
        "n": {"positive": 0, "negative": 0, "not_stated": 4, "prevalence": None},
    }
