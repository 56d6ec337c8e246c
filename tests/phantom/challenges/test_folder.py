from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from asclip.errors import DataError
from asclip.phantom import challenges
from asclip.phantom.challenges import writing
from asclip.phantom.challenges.case import FAMILIES, KINDS

SIZE = 32


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("challenges")
    for name in challenges.NAMES:
        table = challenges.write(name, out / name, 10, 1, SIZE, workers=0)
        assert table == out / name / "reports.csv"
    return {name: out / name for name in challenges.NAMES}


@pytest.mark.parametrize("name", challenges.NAMES)
def test_table_and_images(folders: dict[str, Path], name: str) -> None:
    table = rows(folders[name] / "reports.csv")
    assert list(table[0])[:6] == ["image", "text", "patient", "study", "view", "split"]
    assert len({row["study"] for row in table}) == 10
    for row in table:
        path = folders[name] / row["image"]
        if row["view"] == "CT":
            pixels = np.asarray(Image.open(path))
        else:
            data = pydicom.dcmread(path)
            pixels = data.pixel_array
            assert data.PatientID == row["patient"]
        assert pixels.shape == (SIZE, SIZE)
        assert pixels.std() > 0
        assert row["split"] in ("train", "val", "test")
        labels = {value for key, value in row.items() if key.startswith("label:")}
        assert labels <= {"0", "1"}


@pytest.mark.parametrize("name", challenges.NAMES)
def test_challenge_names_what_is_there(folders: dict[str, Path], name: str) -> None:
    folder = folders[name]
    about = json.loads((folder / "challenge.json").read_text("utf-8"))
    columns = list(rows(folder / "reports.csv")[0])
    assert about["columns"] == columns
    assert about["family"] in FAMILIES
    assert about["question"].endswith("?")
    assert {k: about[k] for k in challenges.describe(name)} == challenges.describe(name)
    measures = about["measures"]
    assert any(m["primary"] for m in measures)
    assert len({m["name"] for m in measures}) == len(measures)
    assert set(about["ceiling"]) == set(about["chance"]) == {m["name"] for m in measures}
    for measure in measures:
        assert measure["kind"] in KINDS
        assert set(measure["columns"]) <= set(columns)
        assert set(measure["where"]) <= set(columns)
        if measure["prompts"]:
            content = json.loads((folder / measure["prompts"]).read_text("utf-8"))
            assert set(measure["of"]) <= set(content["classes"])
            if content["kind"] == "single-label":
                assert f"meta:{content['column']}" in measure["columns"]
            elif measure["kind"] == "pointing":
                assert {f"meta:truth:box {n}" for n in measure["of"]} == set(measure["columns"])
            else:
                assert {f"label:{label}" for label in measure["of"]} == set(measure["columns"])


@pytest.mark.parametrize("name", challenges.NAMES)
def test_prompt_sets_have_the_packaged_form(folders: dict[str, Path], name: str) -> None:
    for path in (folders[name] / "prompts").glob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        assert content["name"] == path.stem
        assert content["kind"] == ("single-label" if content["column"] else "multi-label")
        for part in content["classes"].values():
            sentences = part["positive"] + part["negative"]
            assert part["positive"]
            assert len(set(sentences)) == len(sentences)
            assert all(s == s.strip() and s[0].isupper() and s.endswith(".") for s in sentences)


def test_boxes_lie_on_the_side_that_is_told(folders: dict[str, Path]) -> None:
    """The patient's right is at the left of a film; a box is within it."""
    for row in rows(folders["side_zone"] / "reports.csv"):
        kind, side, _ = row["meta:truth:lesion"].split()
        box = [float(edge) for edge in row[f"meta:truth:box {kind}"].split()]
        assert 0 <= box[0] < box[2] <= 1
        assert 0 <= box[1] < box[3] <= 1
        assert ((box[0] + box[2]) / 2 < 0.5) == (side == "right")
        other = ({"mass", "consolidation"} - {kind}).pop()
        assert row[f"meta:truth:box {other}"] == ""


def test_again_does_nothing_and_a_killed_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = {"studies": 6, "seed": 4, "size": SIZE, "workers": 0}
    challenges.write("modalities", whole, **options)
    times = {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    seen: list[int] = []
    challenges.write("modalities", whole, progress=seen.append, **options)
    assert seen == [6]
    assert times == {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    make, calls = writing.coronal, []

    def dies(*args: object, **kinds: object) -> np.ndarray:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make(*args, **kinds)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(writing, "coronal", dies)
    with pytest.raises(KeyboardInterrupt):
        challenges.write("modalities", broken, **options)
    assert not (broken / "reports.csv").exists()
    monkeypatch.setattr(writing, "coronal", make)
    challenges.write("modalities", broken, **options)
    assert digests(broken) == digests(whole)


def test_processes_give_the_same_files(tmp_path: Path) -> None:
    for workers in (0, 2):
        challenges.write("shortcut", tmp_path / str(workers), 10, 2, SIZE, workers=workers)
    assert digests(tmp_path / "0") == digests(tmp_path / "2")


def test_other_settings_are_refused(tmp_path: Path) -> None:
    challenges.write("negation", tmp_path, 1, 1, SIZE, workers=0)
    with pytest.raises(DataError, match="differs in seed"):
        challenges.write("negation", tmp_path, 1, 2, SIZE, workers=0)
    with pytest.raises(DataError, match="differs in challenge"):
        challenges.write("temporal", tmp_path, 1, 1, SIZE, workers=0)
    with pytest.raises(DataError, match="negation"):
        challenges.describe("negations")
    with pytest.raises(DataError, match="studies >= 1"):
        challenges.write("negation", tmp_path / "new", 0, workers=0)
