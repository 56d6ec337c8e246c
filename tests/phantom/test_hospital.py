from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from asclip.errors import DataError, ResourceError
from asclip.phantom import patients, studio
from asclip.phantom.findings import NAMES, draw
from asclip.phantom.hospital import write

SIZE = 64


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.is_file()
    }


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hospital")
    table = write(out, 14, 3, size=SIZE, views=("PA", "LATERAL"), ct=0.15, masks=True, workers=0)
    assert table == out / "reports.csv"
    return out


def test_table_keeps_its_contract(hospital: Path) -> None:
    table = rows(hospital / "reports.csv")
    assert len({row["study"] for row in table}) == 14
    first = list(table[0])
    assert first[:5] == ["image", "text", "patient", "study", "view"]
    assert [c for c in first if c.startswith("label:")] == [f"label:{name}" for name in NAMES]
    for name in ("age", "sex", "site", "device", "date", "prior"):
        assert f"meta:{name}" in first
    for row in table:
        assert (hospital / row["image"]).is_file()
        assert {row[f"label:{name}"] for name in NAMES} <= {"0", "1"}
        assert row["study"].startswith(row["patient"])
        assert row["view"] in ("PA", "AP", "LATERAL")
    studies_seen = {row["study"] for row in table}
    assert all(row["meta:prior"] in studies_seen | {""} for row in table)


def test_films_are_valid_dicom(hospital: Path) -> None:
    for row in rows(hospital / "reports.csv"):
        data = pydicom.dcmread(hospital / row["image"])
        pixels = data.pixel_array
        assert pixels.shape == (SIZE, SIZE)
        assert pixels.max() < 2**data.BitsStored
        assert pixels.std() > 0.05 * 2**data.BitsStored
        assert (data.Modality, data.SOPClassUID.name) in (
            ("CR", "Computed Radiography Image Storage"),
            ("DX", "Digital X-Ray Image Storage - For Presentation"),
        )
        assert data.PatientID == row["patient"]
        assert data.PatientAge == f"{int(row['meta:age']):03d}Y"
        assert data.PatientSex == row["meta:sex"]
        assert data.ViewPosition == {"LATERAL": "LL"}.get(row["view"], row["view"])
        assert data.Manufacturer == "Asclip phantom"
        assert data.BurnedInAnnotation == "NO"
        assert data.StudyDate == row["meta:date"].replace("-", "")
        assert 2 < data.PixelSpacing[0] < 9
        inverted = data.PhotometricInterpretation == "MONOCHROME1"
        assert inverted == (row["meta:site"] == "Harbour")
        corner = float(pixels[:4, :4].mean()) / 2**data.BitsStored  # air beside the neck is black
        assert corner > 0.8 if inverted else corner < 0.2


def test_uids_are_unique_and_valid(hospital: Path) -> None:
    found = [pydicom.dcmread(p, stop_before_pixels=True) for p in hospital.rglob("*.dcm")]
    uids = [data.SOPInstanceUID for data in found]
    assert len(set(uids)) == len(uids)
    assert all(uid.is_valid for uid in uids)
    studies_of = {data.StudyID: data.StudyInstanceUID for data in found}
    assert len(set(studies_of.values())) == len(studies_of) == 14


def test_boxes_lie_in_the_image_and_belong_to_labels(hospital: Path) -> None:
    labels = {row["image"]: row for row in rows(hospital / "reports.csv")}
    boxes = rows(hospital / "boxes.csv")
    assert boxes
    for box in boxes:
        assert 0 <= int(box["x_min"]) < int(box["x_max"]) <= SIZE
        assert 0 <= int(box["y_min"]) < int(box["y_max"]) <= SIZE
        assert labels[box["image"]][f"label:{box['label']}"] == "1"
        assert (hospital / box["mask"]).is_file()
    boxed = {(box["image"], box["label"]) for box in boxes}
    frontal = [row for row in labels.values() if row["view"] != "LATERAL"]
    stated = {(r["image"], n) for r in frontal for n in NAMES if r[f"label:{n}"] == "1"}
    assert len(stated - boxed) <= 0.05 * len(stated)


def test_the_table_has_the_boxes_of_each_study_s_first_film(hospital: Path) -> None:
    first: dict[str, str] = {}
    wanted: dict[tuple[str, str], list[list[float]]] = {}
    for row in rows(hospital / "reports.csv"):
        first.setdefault(row["study"], row["image"])
    for box in rows(hospital / "boxes.csv"):
        edges = [int(box[edge]) / SIZE for edge in ("x_min", "y_min", "x_max", "y_max")]
        wanted.setdefault((box["image"], box["label"]), []).append(edges)
    for row in rows(hospital / "reports.csv"):
        for name in NAMES:
            cell = row[f"meta:truth:box {name}"]
            found = [[float(edge) for edge in box.split()] for box in cell.split(";") if box]
            want = wanted.get((first[row["study"]], name), [])
            np.testing.assert_allclose(found, want, atol=1e-4)
    assert not any("box" in column for column in rows(hospital / "ct.csv")[0])


def test_a_finding_on_both_sides_has_two_boxes_in_its_cell(tmp_path: Path) -> None:
    visit = patients.visits(0, 0)[0]
    both = replace(draw("pulmonary oedema", np.random.default_rng(0)), grade=0.9)
    settings = studio.Settings(0, SIZE, ("PA",), 0.0, False)
    made = studio.make(replace(visit, findings=(both,)), settings, tmp_path)
    right, left = made["reports"][0]["meta:truth:box pulmonary oedema"].split("; ")  # pyright: ignore
    assert float(right.split()[2]) < float(left.split()[0])  # a film shows the right on the left


def test_questions_and_statements_are_of_these_studies(hospital: Path) -> None:
    names = {row["study"] for row in rows(hospital / "reports.csv")}
    texts = {row["study"]: row["text"] for row in rows(hospital / "reports.csv")}
    for table in ("questions", "statements"):
        assert {row["study"] for row in rows(hospital / f"{table}.csv")} == names
    for row in rows(hospital / "statements.csv"):
        assert row["sentence"] in texts[row["study"]]
        assert row["assertion"] in ("present", "possible", "absent")


def test_ct_is_a_series_with_geometry(hospital: Path) -> None:
    table = rows(hospital / "ct.csv")
    assert table
    slices = [pydicom.dcmread(p) for p in sorted((hospital / table[0]["image"]).glob("*.dcm"))]
    assert len(slices) == 64
    heights = [float(s.ImagePositionPatient[2]) for s in slices]
    np.testing.assert_allclose(np.diff(heights), slices[0].SliceThickness, atol=1e-3)
    hu = slices[30].pixel_array * slices[30].RescaleSlope + slices[30].RescaleIntercept
    assert -1024 <= hu.min() < -900
    assert hu.max() > 30
    assert len({s.SeriesInstanceUID for s in slices}) == 1


def test_again_does_nothing_and_more_adds(hospital: Path, tmp_path: Path) -> None:
    options = {"size": 48, "workers": 0}
    write(tmp_path, 5, 2, **options)
    before = digests(tmp_path, "dicom/**/*.dcm")
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    seen: list[int] = []
    write(tmp_path, 5, 2, progress=seen.append, **options)
    assert seen == [5]
    assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    first = rows(tmp_path / "reports.csv")
    write(tmp_path, 9, 2, **options)
    assert rows(tmp_path / "reports.csv")[: len(first)] == first
    assert before.items() <= digests(tmp_path, "dicom/**/*.dcm").items()
    write(tmp_path, 3, 2, **options)
    assert rows(tmp_path / "reports.csv") == first[:3]


def test_killed_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = {"size": 48, "workers": 0}
    write(whole, 11, 7, **options)
    make, calls = studio.make, []

    def dies(*args: object) -> studio.Rows:
        calls.append(args)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return make(*args)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(studio, "make", dies)
    with pytest.raises(KeyboardInterrupt):
        write(broken, 11, 7, **options)
    assert not (broken / "reports.csv").exists()
    with (broken / "journal.jsonl").open("a") as file:
        file.write('{"study": "PH0000')  # cut off in the middle of a line
    done = len((broken / "journal.jsonl").read_text().splitlines()) - 1
    assert done == 8
    monkeypatch.setattr(studio, "make", make)
    write(broken, 11, 7, **options)
    patterns = ("dicom/**/*.dcm", "*.csv", "hospital.json")
    assert digests(broken, *patterns) == digests(whole, *patterns)
    assert not list(broken.rglob("*.tmp"))


def test_processes_give_the_same_files(tmp_path: Path) -> None:
    write(tmp_path / "one", 12, 4, size=48, workers=0)
    write(tmp_path / "two", 12, 4, size=48, workers=2)
    patterns = ("dicom/**/*.dcm", "*.csv")
    assert digests(tmp_path / "one", *patterns) == digests(tmp_path / "two", *patterns)


def test_other_settings_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 1, 1, size=48, workers=0)
    with pytest.raises(DataError, match="differs in size"):
        write(tmp_path, 1, 1, size=64, workers=0)
    assert json.loads((tmp_path / "hospital.json").read_text())["seed"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"views": ("PA", "OBLIQUE")}, "views must be"),
        ({"size": 8}, "size must be"),
        ({"ct": 1.5}, "ct must be"),
    ],
)
def test_bad_arguments(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        write(tmp_path, 2, 0, **options)
    with pytest.raises(DataError, match="studies must be"):
        write(tmp_path, 0, 0)


def test_foreign_folder_and_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "reports.csv").write_text("mine")
    with pytest.raises(DataError, match="of another origin"):
        write(tmp_path, 1, 0)
    with pytest.raises(ResourceError, match="must be a folder"):
        write(tmp_path / "reports.csv" / "inside", 1, 0)
