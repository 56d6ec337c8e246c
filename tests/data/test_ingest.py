from __future__ import annotations

import json
import os
import stat
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError, LeakageError
from asclip.files import read


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


def quarantine(out: Path) -> dict[str, str]:
    frame = pd.read_csv(out / "quarantine.csv", keep_default_na=False)
    assert list(frame.columns) == ["path", "reason"]
    return dict(zip(frame["path"], frame["reason"], strict=True))


def test_pixels_are_those_of_the_preprocessing(hospital, small, tmp_path):
    table = hospital(12)
    data = ingest(Table(table), tmp_path / "out", small, workers=2)
    assert len(data) == 12
    assert data.pixels.shape == (12, 16, 16)
    for number, slots in enumerate(data.image_rows()):
        expected = small(read(table.parent / f"film{number:03d}.png"))
        assert np.array_equal(data.pixels[slots[0]], expected)
        assert data.images.digest[number] == sha256(expected.tobytes()).hexdigest()
    raw = (table.parent / "film000.png").read_bytes()
    assert data.images.file_digest[0] == sha256(raw).hexdigest()
    assert data.images["shape"][0].tolist() == [20, 24]


def test_workers_and_this_process_give_the_same_bytes(hospital, small, tmp_path):
    table = hospital(30)
    for name, workers in (("a", 0), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.private").write_text("ab" * 32)
        ingest(Table(table), tmp_path / name, small, workers=workers)
    for name in ("studies.parquet", "images.parquet", "pixels.u8"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_second_run_decodes_nothing_and_a_grown_table_only_the_new(hospital, small, tmp_path):
    out = tmp_path / "out"
    first = ingest(Table(hospital(10)), out, small, workers=0)
    before = (out / "journal.jsonl").read_bytes()
    again = ingest(Table(hospital(10)), out, small, workers=0)
    assert (out / "journal.jsonl").read_bytes() == before
    assert again.hash == first.hash
    # The new rows come first: old files keep their slots all the same.
    rows = [f"film{n:03d}.png,Report number {n}.,PAT-{n // 2:04d}" for n in (11, 10, *range(10))]
    grown = ingest(Table(hospital(12, rows=rows)), out, small, workers=0)
    assert len(lines(out)) == 1 + 12 + 2  # a header, twelve files, two ends
    assert [int(slots[0]) for slots in grown.image_rows()] == [10, 11, *range(10)]
    old = first.studies.set_index("study")["split"]
    assert grown.studies.set_index("study")["split"][old.index].equals(old)


def test_a_changed_file_is_decoded_again_into_its_slot(hospital, small, tmp_path):
    table = hospital(4)
    first = ingest(Table(table), tmp_path / "out", small, workers=0)
    Image.fromarray(np.full((20, 24), 9, np.uint8)).save(table.parent / "film002.png")
    second = ingest(Table(table), tmp_path / "out", small, workers=0)
    assert second.images.slot.tolist() == first.images.slot.tolist()
    assert (second.images.digest != first.images.digest).tolist() == [False, False, True, False]
    assert bool(second.images.blank[2])


def test_another_preprocessing_is_refused_and_fresh_starts_over(hospital, small, tmp_path):
    from asclip.files.preprocessing import Preprocessing

    table = hospital(4)
    ingest(Table(table), tmp_path / "out", small, workers=0)
    other = Preprocessing(size=(8, 8))
    with pytest.raises(DataError, match="--fresh"):
        ingest(Table(table), tmp_path / "out", other, workers=0)
    data = ingest(Table(table), tmp_path / "out", other, workers=0, fresh=True)
    assert data.pixels.shape == (4, 8, 8)
    assert data.preprocessing == other


def bad_files(folder: Path) -> dict[str, str]:
    """Bad file -> a word of its reason."""
    (folder / "empty.png").touch()
    (folder / "text.dcm").write_text("not a picture")
    (folder / "cut.png").write_bytes((folder / "film000.png").read_bytes()[:100])
    (folder.parent / "secret.png").write_bytes((folder / "film000.png").read_bytes())
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    return {
        "empty.png": "empty",
        "text.dcm": "unknown",
        "cut.png": "",
        "missing.png": "no such file",
        "../secret.png": "outside the root",
        "link.png": "outside the root",
        "/etc/hostname": "outside the root",
        "x" * 5000: "too long",
    }


def test_bad_files_go_to_quarantine_and_the_rest_goes_on(hospital, small, tmp_path):
    table = hospital(6)
    bad = bad_files(table.parent)
    inside = table.parent / "film005.png"
    rows = [f"film{n:03d}.png,x {n},P{n}" for n in range(5)] + [f"{inside},absolute,P5"]
    rows += [f"{path},bad,B{number}" for number, path in enumerate(bad)]
    rows += ["film000.png|cut.png,one of two,P0", ",none,P9", "film001.png,nobody,"]
    data = ingest(Table(hospital(6, rows=rows)), tmp_path / "out", small, workers=2)
    assert len(data) == 7
    found = quarantine(tmp_path / "out")
    for path, word in bad.items():
        reason = found[path if len(path) < 300 else path[:300] + "..."]
        assert word in reason, (path, reason)
        assert str(tmp_path) not in reason
    assert found[""] == "data row 16 names no image"
    assert found["film001.png"] == "data row 17 names no patient"
    counts = data.info["counts"]
    assert counts["quarantined"] == len(bad) + 2
    assert counts["ingested"] == 6
    assert counts["studies_without_image"] == len(bad)
    # The same file under two names (relative, absolute) has one slot.
    assert len(data.image_rows()[6]) == 1
    # A second run says the same, from the journal.
    before = (tmp_path / "out" / "quarantine.csv").read_bytes()
    ingest(Table(table), tmp_path / "out", small, workers=0)
    assert (tmp_path / "out" / "quarantine.csv").read_bytes() == before


def test_no_readable_image_is_an_error_that_points_to_root(hospital, small, tmp_path):
    table = hospital(0, rows=["a.png,x,1", "b.png,y,2"])
    with pytest.raises(DataError, match=r"all 2 are in quarantine.csv .*no such file.*--root"):
        ingest(Table(table), tmp_path / "out", small, workers=0)
    assert len(quarantine(tmp_path / "out")) == 2


def test_original_ids_are_nowhere_unless_asked(hospital, small, tmp_path):
    rows = [f"film{n:03d}.png,Report {n}.,MRN-55512{n},ACC-777{n}" for n in range(6)]
    # A folder named by the patient is common; a bad file's name is the only one that is written.
    table = hospital(6, header="image,text,patient,study", rows=rows)
    folder = table.parent / "MRN-555120"
    folder.mkdir()
    (table.parent / "film000.png").rename(folder / "film000.png")
    table.write_text(table.read_text().replace("film000.png", "MRN-555120/film000.png"))
    ingest(Table(table), tmp_path / "out", small, workers=0)
    for path in (tmp_path / "out").iterdir():
        raw = path.read_bytes()
        assert b"MRN-5551" not in raw, path.name
        assert b"ACC-777" not in raw, path.name
        assert str(tmp_path).encode() not in raw, path.name
    for name in ("studies.parquet", "images.parquet"):
        words = pd.read_parquet(tmp_path / "out" / name).to_csv()
        assert "MRN" not in words
        assert "ACC" not in words
    mode = (tmp_path / "out" / "key.private").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    kept = ingest(Table(table), tmp_path / "ids", small, workers=0, keep_ids=True)
    assert kept.studies.source_patient[0] == "MRN-555120"
    assert kept.images.path[0] == "MRN-555120/film000.png"


def test_pseudonyms_depend_on_the_key_and_the_split_does_not(hospital, small, tmp_path):
    table = hospital(40)
    one = ingest(Table(table), tmp_path / "one", small, workers=0)
    two = ingest(Table(table), tmp_path / "two", small, workers=0)
    assert set(one.studies.patient).isdisjoint(two.studies.patient)
    assert one.studies.split.tolist() == two.studies.split.tolist()
    assert one.split_hash == two.split_hash
    other = ingest(Table(table), tmp_path / "two", small, workers=0, seed=1)
    assert other.split_hash != one.split_hash


def copies(hospital, split: str = "") -> Path:
    """Thirty patients of one film each; the last ten have the first film, in another format."""
    table = hospital(20)
    first = Image.open(table.parent / "film000.png")
    rows = [f"film{n:03d}.png,x {n},P{n},{n % 2},{split}" for n in range(20)]
    for n in range(20, 30):
        first.save(table.parent / f"copy{n}.tif")
        rows.append(f"copy{n}.tif,x {n},P{n},1,{split}")
    return hospital(20, header="image,text,patient,label:m,split", rows=rows)


def test_identical_images_are_kept_on_one_side(hospital, small, tmp_path):
    data = ingest(Table(copies(hospital)), tmp_path / "out", small, workers=0)
    same = data.images.digest == data.images.digest[0]
    assert same.sum() == 11
    assert data.studies.split[same].nunique() == 1
    assert data.studies.group[same].nunique() == 1
    assert len(set(data.patient_codes()[same])) == 1
    assert data.studies.patient.nunique() == 30
    report = data.info["leakage"]
    assert report["images_of_several_patients"] == 1
    assert report["patients_joined"] == 11
    assert report["patients_moved"] > 0
    assert any("identical in several patients" in note for note in data.info["notes"])
    conflicts = pd.read_csv(tmp_path / "out" / "conflicts.csv")
    assert len(conflicts) == 11
    assert set(conflicts["value"]) == {0.0, 1.0}
    with pytest.raises(LeakageError, match="1 images of 11 patients"):
        ingest(Table(copies(hospital)), tmp_path / "out", small, workers=0, on_leak="error")


def test_stated_split_wins_and_copies_go_to_the_test_side(hospital, small, tmp_path):
    table = copies(hospital, split="train")
    table.write_text(table.read_text().replace("P25,1,train", "P25,1,test"))
    data = ingest(Table(table), tmp_path / "out", small, workers=0)
    same = data.images.digest == data.images.digest[0]
    assert set(data.studies.split[same]) == {"test"}
    assert set(data.studies.split[~same]) == {"train"}


def test_blank_images_join_no_patients(hospital, small, tmp_path):
    table = hospital(8)
    for number in range(4):
        Image.new("L", (9 + number, 9 + number)).save(table.parent / f"film{number:03d}.png")
    data = ingest(Table(table), tmp_path / "out", small, workers=0)
    assert data.info["counts"]["blank_images"] == 4
    assert data.studies.group.equals(data.studies.patient)


def test_placeholders_and_empty_texts_are_said_and_not_used(hospital, small, tmp_path):
    rows = [f"film{n:03d}.png,CT Image,P{n}" for n in range(22)]
    rows += ["film022.png,Left effusion.,P22", "film023.png,,P23"]
    data = ingest(Table(hospital(24, rows=rows)), tmp_path / "out", small, workers=0)
    assert data.studies.text_is_placeholder.sum() == 22
    assert data.texts() == [""] * 22 + ["Left effusion.", ""]
    assert data.texts(placeholders=True)[0] == "CT Image"
    assert data.info["counts"]["empty_texts"] == 1
    assert any("22 texts are placeholders ('ct image')" in note for note in data.info["notes"])


def test_volume_needed_but_picture_given(hospital, tmp_path):
    from asclip.files.preprocessing import Preprocessing

    with pytest.raises(DataError, match=r"all 3 are in quarantine.csv"):
        ingest(Table(hospital(3)), tmp_path / "out", Preprocessing(size=(4, 8, 8)), workers=0)
    assert len(quarantine(tmp_path / "out")) == 3


def test_limit_out_and_options(hospital, small, tmp_path):
    seen: list[int] = []

    class Track:
        def __init__(self, total: int, description: str) -> None:
            assert total == 5

        def __enter__(self):
            return seen.append

        def __exit__(self, *error: object) -> None:
            pass

    data = ingest(Table(hospital(9)), tmp_path / "o", small, workers=0, limit=5, progress=Track)
    assert len(data) == 5
    assert sum(seen) == 5
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="--out must be a folder"):
        ingest(Table(hospital(9)), tmp_path / "file", small)
    with pytest.raises(DataError, match="'move' or 'error'"):
        ingest(Table(hospital(9)), tmp_path / "o", small, on_leak="maybe")


def test_dataset_json_is_complete_and_has_no_machine_in_it(hospital, small, tmp_path):
    data = ingest(Table(hospital(6), name="chest"), tmp_path / "out", small, workers=0)
    info = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert info["name"] == data.name == "chest"
    assert info["root"] == "../hospital"
    assert (
        info["source_digest"]
        == sha256((tmp_path / "hospital/reports.csv").read_bytes()).hexdigest()
    )
    assert info["split"]["fractions"] == [0.7, 0.1, 0.2]
    assert sum(part["studies"] for part in info["splits"].values()) == 6
    assert info["software"]["numpy"] == np.__version__
    assert os.path.realpath(tmp_path) not in json.dumps(info)
    assert Dataset.open(tmp_path / "out").hash == data.hash
