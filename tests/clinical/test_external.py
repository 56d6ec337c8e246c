"""CheXbert's table and RadGraph's JSON, on small files made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asclip.clinical.external import CHEXPERT, from_chexbert, from_radgraph, how_to_install
from asclip.errors import DataError


def table(path: Path, cells: list[str], names: tuple[str, ...] = CHEXPERT) -> Path:
    path.write_text(",".join(["Report Impression", *names]) + "\n" + ",".join(["x", *cells]) + "\n")
    return path


def test_chexbert(tmp_path: Path) -> None:
    cells = ["1.0", "0.0", "-1.0", *[""] * 11]
    names, values = from_chexbert(table(tmp_path / "labels.csv", cells))
    assert names[:3] == ("enlarged cardiomediastinum", "cardiomegaly", "lung opacity")
    assert (len(set(names)), values.shape, values.dtype) == (14, (1, 14), np.float32)
    np.testing.assert_array_equal(values[0, :4], [1, 0, np.nan, np.nan])
    _, sure = from_chexbert(tmp_path / "labels.csv", uncertain="present")
    assert sure[0, 2] == 1


def test_bad_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lacks No Finding"):
        from_chexbert(table(tmp_path / "a.csv", ["1"] * 13, CHEXPERT[:-1]))
    with pytest.raises(DataError, match="a label must be 1, 0, -1 or blank; got '7'"):
        from_chexbert(table(tmp_path / "a.csv", ["7", *[""] * 13]))
    with pytest.raises(DataError, match="uncertain must be"):
        from_chexbert(table(tmp_path / "a.csv", [""] * 14), uncertain="zero")


GRAPH = {
    "report1": {
        "text": "Small left pleural effusion . No pneumothorax . Possible strangeness .",
        "entities": {
            "1": {
                "tokens": "pleural",
                "label": "Anatomy::definitely present",
                "start_ix": 2,
                "end_ix": 2,
                "relations": [],
            },
            "2": {
                "tokens": "left",
                "label": "Anatomy::definitely present",
                "start_ix": 1,
                "end_ix": 1,
                "relations": [["modify", "1"]],
            },
            "3": {
                "tokens": "effusion",
                "label": "Observation::definitely present",
                "start_ix": 3,
                "end_ix": 3,
                "relations": [["located_at", "1"]],
            },
            "4": {
                "tokens": "pneumothorax",
                "label": "OBS-DA",
                "start_ix": 6,
                "end_ix": 6,
                "relations": [],
            },
            "5": {
                "tokens": "strangeness",
                "label": "Observation::uncertain",
                "start_ix": 9,
                "end_ix": 9,
                "relations": [],
            },
        },
    }
}


def test_radgraph(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(GRAPH))
    effusion, pneumothorax = from_radgraph(path)["report1"]
    assert (effusion.finding, effusion.assertion) == ("pleural effusion", "present")
    assert (effusion.anatomy, effusion.side, effusion.start) == (("pleura",), "left", 3)
    assert (pneumothorax.finding, pneumothorax.assertion) == ("pneumothorax", "absent")
    assert from_radgraph({}) == {}
    assert from_radgraph({"empty": {"entities": {}}}) == {"empty": []}


def test_bad_graphs(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match="must be a JSON file"):
        from_radgraph(tmp_path / "a.json")
    with pytest.raises(DataError, match="each report to its 'entities'"):
        from_radgraph({"report": {"text": "x"}})


def test_how_to_install_is_one_sentence() -> None:
    for name in ("chexbert", "radgraph"):
        assert "is no part of Asclip" in how_to_install(name)
        assert "\n" not in how_to_install(name)
    with pytest.raises(DataError, match="one of chexbert, radgraph"):
        how_to_install("other")
