from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from asclip.errors import DataError, ModelError
from asclip.recipes.evaluation import evaluate
from asclip.recipes.prediction import predict

PROMPTS = {
    "name": "drawn",
    "version": "1",
    "kind": "multi-label",
    "classes": {
        "effusion": {"positive": ["There is a left effusion."], "negative": ["No effusion."]},
        "mass": {"positive": ["A mass is seen on the right."], "negative": ["There is no mass."]},
    },
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "drawn.json"
    path.write_text(json.dumps(PROMPTS))
    return path


@pytest.fixture(scope="module")
def scored(run: Path, bound: Path, prompts: Path):
    evaluate(bound)
    return evaluate(run, prompts=[str(prompts)], bound=bound)


def test_scores_have_every_field_of_the_contract(run: Path, scored) -> None:
    records = json.loads((run / "scores.json").read_text())
    keys = {"dataset", "split", "task", "metric", "label", "value", "low", "high", "n", "seed"}
    assert all(keys | {"prompts", "preprocessing", "why_nan"} <= set(r) for r in records)
    assert {"zero-shot", "retrieval", "supervised", "leakage-guard"} == {r["task"] for r in records}
    assert any(r["label"] == "macro" for r in records)
    retrieval = [r for r in records if "R@" in r["metric"]]
    assert all(r["pool"] and r["chance"] for r in retrieval)


def test_the_model_has_learned_the_drawn_findings(scored) -> None:
    macro = [s for s in scored if (s.task, s.metric, s.label) == ("zero-shot", "auroc", "macro")]
    assert macro[0].value > 0.75
    assert macro[0].low <= macro[0].value <= macro[0].high


def test_the_card_stands_alone_and_names_nobody(run: Path, scored) -> None:
    page = (run / "card.html").read_text()
    assert "patient 1" not in page
    assert 'src="http' not in page
    assert "not a medical device" in page.lower()
    assert page.count("data:image") >= 3


def test_the_model_card_is_yaml_and_has_the_scores(run: Path, scored) -> None:
    text = (run / "README.md").read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    told = [m["value"] for r in header["model-index"][0]["results"] for m in r["metrics"]]
    macro = [s for s in scored if (s.task, s.metric, s.label) == ("zero-shot", "auroc", "macro")]
    assert round(macro[0].value, 6) in told
    assert "patient 1" not in text
    assert str(run) not in text


def test_predict_gives_probabilities_with_the_runs_own_preprocessing(
    run: Path, data: Path, prompts: Path
) -> None:
    files = [data.parent / "png" / f"{k}.png" for k in range(3)]
    rows = predict(run, files, str(prompts))
    assert [row["file"] for row in rows] == [str(path) for path in files]
    assert all(set(row["scores"]) == {"effusion", "mass"} for row in rows)
    assert all(0 <= value <= 1 for row in rows for value in row["scores"].values())


def test_a_bad_file_among_others_costs_only_itself(
    run: Path, data: Path, prompts: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    good = data.parent / "png" / "0.png"
    rows = predict(run, [bad, good, tmp_path / "gone.dcm"], str(prompts))
    assert [("scores" in row, "error" in row) for row in rows] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    assert rows[1] == predict(run, [good], str(prompts))[0]
    assert "error" in predict(run, [bad], str(prompts))[0]


def test_a_run_without_text_does_not_answer_prompts(bound: Path, data: Path, prompts: Path) -> None:
    with pytest.raises(ModelError, match="trained on labels, without text"):
        predict(bound, [data.parent / "png" / "0.png"], str(prompts))


def test_another_split_replaces_nothing(run: Path, bound: Path, scored, prompts: Path) -> None:
    before = (run / "scores.json").read_bytes()
    told = (run / "README.md").read_bytes()
    heard: list[str] = []
    found = evaluate(run, split="val", prompts=[str(prompts)], say=heard.append)
    assert {one.split for one in found} == {"val"}
    evaluate(bound, split="val")
    beside = evaluate(run, split="val", prompts=[str(prompts)], bound=bound, images=False)
    assert {one.split for one in beside} == {"val"}  # not the bound's scores of the test split
    assert (run / "scores.json").read_bytes() == before
    assert (run / "README.md").read_bytes() == told
    assert (run / "scores-reports-val.json").exists()
    assert (run / "card-reports-val.html").exists()
    assert any("scores-reports-val.json" in line for line in heard)


def test_labels_that_no_packaged_set_names_are_said(run: Path, monkeypatch) -> None:
    monkeypatch.setattr("asclip.recipes.exam.fitting", lambda data: [])
    heard: list[str] = []
    evaluate(run, out=run / "again.json", images=False, say=heard.append)
    assert any("--prompts FILE" in line for line in heard)


@pytest.mark.parametrize("content", ["{bad", "[]", "{}"])
def test_a_broken_record_is_said(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ModelError, match=r"run.json of .* must have recipe"):
        evaluate(tmp_path)


def test_data_that_moved_is_said(run: Path, data: Path, prompts: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(run, tmp_path / "elsewhere" / "run")
    with pytest.raises(DataError, match="asclip evaluate run DATA"):
        evaluate(moved)
    assert evaluate(moved, data, prompts=[str(prompts)], images=False)


def test_pixels_made_in_another_way_are_refused(run: Path, data: Path, tmp_path: Path) -> None:
    from asclip.data.ingest import ingest
    from asclip.data.sources.table import Table
    from asclip.files.preprocessing import Preprocessing

    other = ingest(
        Table(data.parent / "reports.csv"),
        tmp_path / "other",
        Preprocessing(size=(32, 32), window=(0, 100)),
        workers=0,
    )
    with pytest.raises(ModelError, match="window"):
        evaluate(run, other.root)


def test_nothing_to_score_is_said(run: Path, data: Path) -> None:
    with pytest.raises(DataError, match="there is no prompt set 'chest'"):
        evaluate(run, data, prompts=["chest"])
