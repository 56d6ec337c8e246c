from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from asclip.errors import DataError
from asclip.literature import results


def row(method: str, measure: str, mean: float, **more: object) -> dict[str, object]:
    return {"challenge": "c", "measure": measure, "primary": True, "method": method, "mean": mean,
            "seeds": [0, 1], "values": [mean, mean], "baseline": "", **more}  # fmt: skip


FOUND = {
    "table": [
        row("clip", "a", 0.5),
        row("clip", "b", 0.7),
        row("clip", "beside", 0.1, primary=False),
        row("x", "a", 0.6, baseline="clip", difference=0.1, low=-0.2, high=0.4,
            together={"difference": 0.15, "low": 0.05, "high": 0.25}),
        row("x", "b", 0.9, baseline="clip", difference=0.2, low=0.1, high=0.3,
            together={"difference": 0.15, "low": 0.05, "high": 0.25}),
        {"challenge": "c", "measure": "a", "primary": True, "method": "broken", "error": "no"},
    ],
    "records": [
        {"challenge": "c", "method": "x", "given": {"steps": 100}},
        {"challenge": "c", "method": "x", "given": {"steps": 110}},
    ],
}  # fmt: skip


def test_a_row_is_the_mean_over_leading_measures_and_their_common_interval() -> None:
    base, other = results.summarise(FOUND)
    assert (base.mean, base.baseline, base.seeds) == (pytest.approx(0.6), "", 2)
    assert math.isnan(base.difference)
    assert base.verdict == "open"
    assert other.mean == pytest.approx(0.75)
    assert other.baseline_mean == pytest.approx(0.6)
    assert (other.difference, other.low, other.high, other.steps) == (0.15, 0.05, 0.25, 105)
    assert other.verdict == "better"


def test_the_baseline_counts_with_the_seeds_that_both_have() -> None:
    more = row("clip", "a", 0.6) | {"seeds": [0, 1, 2], "values": [0.5, 0.5, 0.8]}
    other = row("x", "a", 0.75, baseline="clip", difference=0.25, low=0.1, high=0.4)
    assert results.summarise({"table": [more, other]})[1].baseline_mean == 0.5


def test_the_table_comes_back_from_its_csv() -> None:
    text = results.write(results.summarise(FOUND))
    assert text.splitlines()[0] == ",".join(results.COLUMNS)
    assert results.write(results.read(text)) == text
    with pytest.raises(DataError, match=r"line 2: the row must have numbers"):
        results.read(text.replace("0.6", "much"))


def test_the_packaged_results_are_of_recipes_and_hold_together() -> None:
    every = results.load()
    assert len(every) > 20
    for one in every:
        if one.baseline:
            assert one.low <= one.difference <= one.high
            assert one.difference == pytest.approx(one.mean - one.baseline_mean, abs=2e-3)


@pytest.mark.parametrize("text", ["", "[]", '{"table": [{}]}', '{"records": []}'])
def test_another_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "compare.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"compare\.json must be a compare\.json of asclip compare"):
        results.load(path)
    with pytest.raises(DataError, match="run asclip compare first"):
        results.load(tmp_path / "none.json")


def test_a_compare_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "compare.json"
    path.write_text(json.dumps(FOUND))
    assert [one.method for one in results.load(path)] == ["clip", "x"]
