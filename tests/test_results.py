from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asclip import results
from asclip.errors import DataError
from asclip.types import Predictions, Score

CONTRACT = (
    "dataset", "split", "task", "metric", "label", "value", "low", "high", "n", "seed", "prompts",
    "preprocessing", "why_nan", "pool", "chance", "block", "split_hash",
)  # fmt: skip
GOOD = Score("d", "test", "zero-shot", "auroc", "Mass", 0.75, 0.6, 0.9, 40, 1, "p@1:00", "abc")
BAD = replace(GOOD, label="Rare", value=math.nan, low=math.nan, high=math.nan, why_nan="none")


def test_records_have_exactly_the_keys_of_the_contract_and_null_for_nan(tmp_path: Path) -> None:
    path = tmp_path / "run" / "scores.json"
    results.write_scores(path, [GOOD, BAD])

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    records = json.loads(path.read_text(), parse_constant=refuse)
    assert [tuple(record) for record in records] == [CONTRACT, CONTRACT]
    assert records[1]["value"] is None
    assert records[1]["why_nan"] == "none"
    back = results.read_scores(path)
    assert back[0] == GOOD
    assert math.isnan(back[1].value)
    assert back[1].pool is None


def test_newer_records_replace_their_equals(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    results.write_scores(path, [GOOD, BAD])
    newer = replace(GOOD, value=0.5)
    other = replace(GOOD, seed=2)
    held = results.write_scores(path, [newer, other])
    assert [(s.label, s.value, s.seed) for s in held][::2] == [("Mass", 0.5, 1), ("Mass", 0.75, 2)]
    assert len(results.read_scores(path)) == 3
    assert len(results.write_scores(path, [other], add=False)) == 1


def test_a_nan_without_reason_and_infinity_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its reason"):
        results.write_scores(tmp_path / "s.json", [replace(BAD, why_nan="")])
    with pytest.raises(ValueError, match="finite"):
        results.write_scores(tmp_path / "s.json", [replace(GOOD, high=math.inf)])
    assert not (tmp_path / "s.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("{}", "must hold a list"),
        ('[{"dataset": "d"}]', "record 0 must have the keys"),
        ('[{"dataset":"","split":"","task":"","metric":"","label":"","value":"x"}]', "a number"),
    ],
)
def test_a_file_that_is_no_list_of_scores_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "scores.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        results.read_scores(path)
    with pytest.raises(DataError, match=message):
        results.write_scores(path, [GOOD])
    assert path.read_text() == content  # nothing is lost
    with pytest.raises(DataError, match=r"absent\.json does not exist"):
        results.read_scores(tmp_path / "absent.json")


def predictions() -> Predictions:
    return Predictions(
        scores=np.array([[0.1, np.nan], [2.0, -3.0]]),
        truth=np.array([[1.0, 0.0], [np.nan, 1.0]]),
        labels=("Mass", "Erguß"),
        study=np.array(["s1", "s2"]),
        patient=np.array(["p1", "p1"]),
        provenance={"seed": 3, "left_out": {"empty": 2}, "top": np.arange(4).reshape(2, 2)},
    )


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "predictions" / "zero-shot.npz"
    results.write_predictions(path, predictions())
    back, before = results.read_predictions(path), predictions()
    for name in ("scores", "truth", "study", "patient"):
        np.testing.assert_array_equal(getattr(back, name), getattr(before, name))
    assert back.labels == before.labels
    assert back.provenance["left_out"] == {"empty": 2}
    np.testing.assert_array_equal(back.provenance["top"], before.provenance["top"])


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    with io.BytesIO() as content:
        np.savez(content, facts=np.array([{"a": 1}], dtype=object))
        path.write_bytes(content.getvalue())
    with pytest.raises(DataError, match="written by Asclip"):
        results.read_predictions(path)
    path.write_bytes(b"PK no zip")
    with pytest.raises(DataError, match="written by Asclip"):
        results.read_predictions(path)
    np.savez(path, scores=np.zeros(2))
    with pytest.raises(DataError, match="written by Asclip"):
        results.read_predictions(path)
    with pytest.raises(DataError, match="does not exist"):
        results.read_predictions(tmp_path / "absent.npz")


def test_summary_over_seeds_counts_the_undefined() -> None:
    recall = replace(GOOD, metric="R@1", pool=100, chance=0.01)
    runs = [[GOOD, recall], [replace(GOOD, seed=2, value=math.nan, why_nan="x")],
            [replace(GOOD, seed=3, value=0.25), replace(recall, seed=3, pool=110)]]  # fmt: skip
    first, second = results.summarise(runs)
    assert (first.mean, first.smallest, first.largest) == (0.5, 0.25, 0.75)
    assert (first.defined, first.runs) == (2, 3)
    assert (second.pool, second.chance) == (105.0, 0.01)
    nothing = results.summarise([[BAD]])[0]
    assert math.isnan(nothing.mean)
    assert nothing.defined == 0


def test_the_table_shows_value_interval_and_reason() -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=160, record=True)
    console.print(results.table([GOOD, BAD, replace(GOOD, metric="R@1", pool=99, chance=0.01)]))
    text = console.export_text()
    assert "0.750" in text
    assert "0.600–0.900" in text
    assert "none" in text
    assert "99" in text
    assert "p@1" in text
    assert ":00" not in text
