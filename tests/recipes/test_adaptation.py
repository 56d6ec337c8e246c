from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from asclip import cli
from asclip.errors import DataError, ModelError
from asclip.recipes.adaptation import adapt, table
from drawn import SAID

CLASSES = {name: {"positive": [here], "negative": [none]} for name, (here, none) in SAID.items()}
PROMPTS = {"name": "drawn", "version": "1", "kind": "multi-label", "classes": CLASSES}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("prompts") / "drawn.json"
    path.write_text(json.dumps(PROMPTS))
    return str(path)


def test_rows_are_written_with_the_studies_beside_them(
    run: Path, data: Path, prompts: str, tmp_path: Path
) -> None:
    out, heard = tmp_path / "some" / "curve.json", []
    rows = adapt(
        run, data, prompts, "zero-shot,tip-adapter,coop:vectors=2,steps=4", shots=(1, 2),
        seeds=(0, 1), out=out, say=heard.append,
    )  # fmt: skip
    content = json.loads(out.read_text())
    assert len(content["rows"]) == len(rows) == 2 * (1 + 2 * 2 * 2)
    assert content["run"] == run.name
    assert content["prompts"].startswith("drawn@1:")
    assert str(tmp_path) not in out.read_text()
    assert {path.name for path in (out.parent / "curve").iterdir()} == {
        "shots-0.json",
        "shots-1.json",
    }
    assert "own score is not used" in heard[0]
    assert heard[-1] == f"written: {out}"
    lines = table(rows)
    assert [line["method"] for line in lines] == [
        "zero-shot",
        "tip-adapter",
        "coop:vectors=2,steps=4",
    ]
    assert set(lines[0]) == {"method", "metric", "1 shots", "2 shots"}
    assert "[" in lines[1]["2 shots"]
    assert lines[0]["1 shots"] == lines[0]["2 shots"]


def test_the_command_prints_json_and_writes_beside_the_run(
    run: Path, data: Path, prompts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    shutil.copytree(run, own)
    words = ["adapt", str(own), str(data), "--prompts", prompts, "--methods", "zero-shot,lp++"]
    assert cli.main([*words, "--shots", "1", "--seeds", "0", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["method"] for row in rows} == {"zero-shot", "lp++"}
    assert (own / "adapt-reports-drawn.json").exists()
    assert cli.main([*words, "--shots", "1", "--seeds", "0"]) == 0
    assert "lp++" in capsys.readouterr().out


def test_what_cannot_be_adapted_is_said(
    run: Path, bound: Path, data: Path, prompts: str, tmp_path: Path
) -> None:
    out = tmp_path / "curve.json"
    with pytest.raises(ModelError, match="no adapter is called 'tip'"):
        adapt(run, data, prompts, "tip", out=out)
    with pytest.raises(ModelError, match="trained on labels alone"):
        adapt(bound, data, prompts, "tip-adapter", out=out)
    with pytest.raises(DataError, match="prompt set modality"):
        adapt(run, data, "modality", "tip-adapter", out=out)
    assert not out.exists()
    assert cli.main(["adapt", str(run), str(data), "--prompts", prompts, "--shots", "few"]) == 2
