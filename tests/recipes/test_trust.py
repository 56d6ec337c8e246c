from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from asclip.cli import app
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError, LeakageError
from asclip.files.preprocessing import Preprocessing
from asclip.recipes.trust import judge, trust, usual
from asclip.results import from_records, read_predictions
from asclip.types import Predictions

PROMPTS = {
    "name": "drawn",
    "version": "1",
    "kind": "multi-label",
    "classes": {
        "effusion": {"positive": ["There is a left effusion."], "negative": ["No effusion."]},
        "mass": {"positive": ["A mass is seen on the right."]},
    },
}


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("prompts") / "drawn.json"
    path.write_text(json.dumps(PROMPTS))
    return str(path)


@pytest.fixture(scope="module")
def stated(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures with sex and age, a larger validation split."""
    table = pd.read_csv(data.parent / "reports.csv")
    table["image"] = [str(data.parent / one) for one in table["image"]]
    table["sex"] = np.where(np.arange(len(table)) % 4 < 2, "F", "M")
    table["age"] = 20 + np.arange(len(table)) % 60
    folder = tmp_path_factory.mktemp("stated")
    table.to_csv(folder / "reports.csv", index=False)
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    source = Table(folder / "reports.csv", root="/", mapping={"meta:sex": "sex", "meta:age": "age"})
    return ingest(source, folder / "data", how, workers=0, fractions=(0.1, 0.45, 0.45)).root


def test_a_run_is_judged_from_end_to_end(
    run: Path, stated: Path, prompts: str, tmp_path: Path
) -> None:
    heard: list[str] = []
    found = trust(
        run, stated, prompts=[prompts], by=["sex", "age:40"], alpha=0.2, least=2, resamples=50,
        out=tmp_path, say=heard.append,
    )  # fmt: skip
    stored = json.loads((tmp_path / "trust.json").read_text())
    assert len(from_records(stored["scores"])) == len(found.scores)
    known = {(one.metric, one.label): one for one in found.scores}
    assert np.isnan(known["ece_raw", "mass"].value)  # it has no negative prompts
    assert 0 <= known["ece_platt", "mass"].value <= 1
    assert 0.4 < known["conformal_present@0.8", "effusion"].value <= 1
    assert {row["attribute"] for row in stored["subgroups"]} == {"sex", "age", "sex & age"}
    assert ("es_auc", "effusion by sex & age") in known
    sides = [read_predictions(path) for path in sorted((tmp_path / "predictions").iterdir())]
    assert [one.provenance["split"] for one in sides] == ["test", "val"]
    assert not set(sides[0].patient) & set(sides[1].patient)
    svg = (tmp_path / "reliability-zero-shot-drawn.svg").read_text()
    assert svg.startswith("<svg")
    assert "--accent:#" in svg
    assert "aria-label" in svg
    assert any("trust.json" in line for line in heard)


def test_a_suite_looks_at_sex_and_bands_of_age(stated: Path, data: Path) -> None:
    found = {one.attribute: one.names for one in usual(Dataset.open(stated).split("test"))}
    assert found == {"age": ("under 40", "40-64", "65 and over"), "sex": ("F", "M")}
    assert usual(Dataset.open(data).split("test")) == []


def test_an_age_that_nobody_states_makes_no_groups(stated: Path) -> None:
    part = Dataset.open(stated).split("test")
    part = replace(part, studies=part.studies.assign(**{"meta:age": np.nan}))
    assert [one.attribute for one in usual(part)] == ["sex"]


def test_a_supervised_run_is_judged_too(bound: Path, stated: Path, tmp_path: Path) -> None:
    found = trust(bound, stated, alpha=0.2, resamples=20, out=tmp_path)
    assert {one.task for one in found.scores} == {"supervised"}


def test_the_command_prints_records(run: Path, stated: Path, prompts: str, tmp_path: Path) -> None:
    words = ["trust", str(run), str(stated), "--prompts", prompts, "--groups", "sex"]
    words += ["--least", "2", "--alpha", "0.2", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0
    assert {"scores", "subgroups", "warnings"} == set(json.loads(result.stdout))
    result = CliRunner().invoke(app, words)
    assert "effusion by sex" in result.stdout
    assert "another AUROC" in result.stdout
    assert "asclip trust runs/clip" in CliRunner().invoke(app, ["trust", "--help"]).stdout


def test_what_cannot_be_judged_is_said(run: Path, stated: Path, data: Path, prompts: str) -> None:
    for options, message in (
        ({"by": ["sx"]}, "did you mean 'sex'"),
        ({"by": ["age:old"]}, "edges must be numbers"),
        ({"by": ["sex:40"]}, "bands need numbers"),
        ({"alpha": 90}, "alpha must lie between 0 and 1"),
        ({"split": "val"}, "other patients"),
    ):
        with pytest.raises(DataError, match=message):
            trust(run, stated, prompts=[prompts], **options)


def drawn(seed: int, moved: float = 0.0) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = (rng.random((300, 2)) < 0.4).astype(float)
    scores = rng.normal(size=(300, 2)) + 2 * truth - 1 - moved
    facts = dict.fromkeys(("dataset", "split", "task", "prompts", "preprocessing"), "x")
    who = np.array([f"{seed}-{k}" for k in range(300)])
    return Predictions(scores, truth, ("a", "b"), who, who, facts | {"seed": 0})


def test_a_shift_is_said_and_so_is_the_coverage_that_it_costs() -> None:
    calm = [judge(drawn(k), drawn(k + 50), resamples=2)[0].warnings for k in range(8)]
    assert sum(bool(warnings) for warnings in calm) <= 1
    found, _ = judge(drawn(0), drawn(2, moved=1.5), resamples=50)
    assert "score differently" in found.warnings[0]
    assert any("studies with a, 0.9 was promised" in text for text in found.warnings)


def test_the_two_sides_must_be_other_patients_and_the_same_labels() -> None:
    with pytest.raises(LeakageError, match="300 are in both"):
        judge(drawn(0), drawn(0))
    with pytest.raises(DataError, match="must have the labels"):
        judge(replace(drawn(0), labels=("a", "c")), drawn(1))
