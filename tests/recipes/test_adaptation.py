from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from asclip import cli
from asclip.adapt.lp_plus_plus import LpPlusPlus
from asclip.errors import DataError, ModelError
from asclip.recipes.adaptation import adapt, last, records, table
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
    assert len(content["summary"]) == 2 * (1 + 2 * 2)
    assert str(tmp_path) not in out.read_text()
    assert {path.name for path in (out.parent / "curve").iterdir()} == {
        "shots-0.json",
        "shots-1.json",
    }
    assert "own score is not used" in heard[0]
    page = out.with_suffix(".html")
    assert heard[-1] == f"written: {out} and {page}"
    shown = page.read_text()
    assert shown.count("<svg") == 2
    assert str(tmp_path) not in shown
    assert "coop:vectors=2,steps=4" in shown
    lines = table(rows)
    assert [line["method"] for line in lines] == [
        "zero-shot",
        "tip-adapter",
        "coop:vectors=2,steps=4",
    ]
    assert set(lines[0]) == {"method", "metric", "1 shot", "2 shots"}
    assert "±" in lines[1]["2 shots"]
    assert lines[0]["1 shot"] == lines[0]["2 shots"]
    most = last(rows)
    assert [line["method"] for line in most] == ["tip-adapter", "coop:vectors=2,steps=4"]
    assert set(most[0]) == {
        "method", "metric", "mean", "95 %", "lowest, highest", "over zero-shot", "s a fit"
    }  # fmt: skip
    assert most[0]["over zero-shot"][0] in "+-"


def test_an_interrupted_call_goes_on_and_a_wider_one_adds(
    run: Path, data: Path, prompts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, heard = tmp_path / "curve.json", []
    options = {"shots": (1, 2), "seeds": (0,), "out": out, "say": heard.append}
    fit, done = LpPlusPlus.fit, []

    def stops(self, *words, **named):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return fit(self, *words, **named)

    monkeypatch.setattr(LpPlusPlus, "fit", stops)
    with pytest.raises(KeyboardInterrupt):
        adapt(run, data, prompts, "zero-shot,lp++", **options)
    assert len(json.loads(out.read_text())["rows"]) == 2 * 2
    monkeypatch.setattr(LpPlusPlus, "fit", fit)
    rows = adapt(run, data, prompts, "zero-shot,lp++", **options)
    assert "3 of 3: lp++, 2 shots, seed 0" in heard[-2]
    assert sum("1 shot" in line for line in heard) == 1
    wider = adapt(run, data, prompts, "tip-adapter", **options)
    assert {row.method for row in wider} == {"tip-adapter"}
    content = json.loads(out.read_text())
    assert {row["method"] for row in content["rows"]} == {"zero-shot", "lp++", "tip-adapter"}
    assert records(adapt(run, data, prompts, "zero-shot,lp++", **options)) == records(rows)
    adapt(run, data, prompts, "zero-shot", **options, split="test", base=())
    assert "curve.json is written anew: it was made with another base" in heard
    out.write_text("[]")
    with pytest.raises(DataError, match="must be a file of few-shot scores"):
        adapt(run, data, prompts, "zero-shot", **options)


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
    assert cli.main([*words, "--fractions", "0.1,1", "--seeds", "0"]) == 0
    shown = capsys.readouterr().out
    assert "100 %" in shown
    assert "1 shot" not in shown
    assert cli.main([*words, "--shots", "1", "--seeds", "0", "--base", "mass"]) == 0
    assert "harmonic" in capsys.readouterr().out
    assert (own / "adapt-reports-drawn-base-new.json").exists()


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
    beside = tmp_path / "beside.json"
    beside.write_text(json.dumps(json.loads(Path(prompts).read_text()) | {"beside": "prior"}))
    with pytest.raises(DataError, match="adapters see one image"):
        adapt(run, data, str(beside), "tip-adapter", out=out)
    assert not out.exists()
    assert cli.main(["adapt", str(run), str(data), "--prompts", prompts, "--shots", "few"]) == 2
    for word in ("few", "0", "1.5", "nan"):
        assert cli.main(
            ["adapt", str(run), str(data), "--prompts", prompts, "--fractions", word]
        ) == 2  # fmt: skip
