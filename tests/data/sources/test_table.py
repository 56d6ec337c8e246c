from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from asclip.data.sources.table import Table
from asclip.errors import DataError


def write(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def studies(path: Path, **options):
    return list(Table(path, **options).studies())


def test_plain_table_needs_no_map(tmp_path):
    path = write(
        tmp_path,
        "image,text,patient,view,label:mass,label:oedema,meta:age,text:impression,name\n"
        'a.png,"Line one,\nline two",1,PA,1,,40,Mass.,Smith\n',
    )
    table = Table(path)
    (one,) = table.studies()
    assert one.patient == "1"
    assert one.images == ("a.png",)
    assert one.views == ("PA",)
    assert one.texts == {"text": "Line one,\nline two", "impression": "Mass."}
    assert one.labels["mass"] == 1.0
    assert math.isnan(one.labels["oedema"])
    assert one.meta == {"age": "40"}
    assert table.mapping["label:mass"] == "label:mass"
    # A column without a role is dropped, and said: it could hold a name.
    assert any("dropped: name" in note for note in table.notes)
    assert "Smith" not in repr(one)


def test_same_studies_each_time_and_from_every_format(tmp_path):
    frame = pd.DataFrame(
        {"image": ["a.png", "b.png"], "text": ["x", None], "patient": [7, 8], "label:m": [1, None]}
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "c.csv", index=False, sep=";")
    frame.to_parquet(tmp_path / "d.parquet")
    lines = [
        json.dumps({k: v for k, v in row.items() if v == v}) for row in frame.to_dict("records")
    ]
    (tmp_path / "e.jsonl").write_text("\n".join(lines))
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    names = ["a.csv", "b.tsv", "c.csv", "d.parquet", "e.jsonl", "f.csv.gz"]
    found = [repr(studies(tmp_path / name)) for name in names]
    assert set(found) == {found[0]}
    table = Table(tmp_path / "a.csv")
    assert repr(list(table.studies())) == repr(list(table.studies()))
    assert len(table.digest) == 64


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("cp1252", True),
        ("utf-16", True),
        ("utf-16-le", True),
    ],
)
def test_encodings(tmp_path, encoding, said):
    text = "image,text,patient\na.png,Œdème pulmonaire à gauche,1\n"
    table = Table(write(tmp_path, text.encode(encoding)))
    assert next(table.studies()).texts["text"] == "Œdème pulmonaire à gauche"
    assert any("not UTF-8" in note for note in table.notes) == said


def test_latin_1_bytes_that_windows_1252_lacks(tmp_path):
    table = Table(write(tmp_path, b"image,text,patient\na.png,\x81\xe9,1\n"))
    assert any("latin-1" in note for note in table.notes)


def test_ten_megabyte_cell_and_nul_bytes(tmp_path):
    long = "word " * 2_400_000
    path = write(tmp_path, f'image,text,patient\na.png,"{long}",1\nb.png,x\0y,2\n')
    table = Table(path)
    first, second = table.studies()
    assert len(first.texts["text"]) == len(long.strip()) > 10_000_000
    assert second.texts["text"] == "xy"
    assert any("NUL" in note for note in table.notes)


def test_missing_column_names_the_present_ones_and_the_map_to_use(tmp_path):
    path = write(tmp_path, "image,text,patient_id\na.png,x,1\n")
    with pytest.raises(
        DataError, match=r"no column 'patient'.*patient_id.*--map patient=patient_id"
    ):
        Table(path)
    with pytest.raises(DataError, match=r"did you mean 'text'\?"):
        Table(path, mapping={"text": "txt", "patient": "patient_id"})
    with pytest.raises(DataError, match=r"no role 'pateint'.*patient"):
        Table(path, mapping={"pateint": "patient_id"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty file"),
        ("image,text,patient\n", "only a header"),
        ("image,text,text,patient\na,b,c,d\n", "'text' more than once"),
        ('image,text,patient\na.png,"x,1\nb.png,y,2\n', "quote must close"),
        ("image,text,patient\na.png,x,1\nb.png,y,z,2\n", "3 fields of the header"),
        (
            "image,text,patient,label:m\na.png,x,1,maybe\n",
            "data row 1, column 'label:m' has a text",
        ),
        ("image,text,patient,label:m\na.png,x,1,0.5\n", "another number"),
        ("image,text,patient,split\na.png,x,1,holdout\n", "train, val or test"),
        ("image,text,patient,study\na.png,x,1,S\nb.png,x,2,S\n", "data rows 1 and 2 share a study"),
        ("image,text,patient,study,label:m\na,x,1,S,1\nb,x,1,S,0\n", "must agree"),
    ],
)
def test_refused_tables(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as caught:
        Table(write(tmp_path, text))
    assert "maybe" not in str(caught.value)  # a wrong map could put a name there


def test_no_patient_in_a_message(tmp_path):
    path = write(tmp_path, "image,text,patient,study\na.png,x,Jane Roe,S9\nb.png,x,John Doe,S9\n")
    with pytest.raises(DataError) as caught:
        Table(path)
    assert not any(word in str(caught.value) for word in ("Roe", "Doe", "S9"))


def test_spreadsheet_and_missing_file(tmp_path):
    with pytest.raises(DataError, match="export a spreadsheet as CSV"):
        Table(write(tmp_path, b"PK", "t.xlsx"))
    with pytest.raises(DataError, match="there is none"):
        Table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", 1.0), ("1.0", 1.0), ("TRUE", 1.0), ("present", 1.0), ("0", 0.0), ("No", 0.0)]
    + [(word, math.nan) for word in ("", "nan", "NaN", "-1", "-1.0", "uncertain")],
)
def test_label_values(tmp_path, word, value):
    (one,) = studies(write(tmp_path, f"image,text,patient,label:m\na.png,x,1,{word}\n"))
    assert one.labels["m"] == pytest.approx(value, nan_ok=True)


def test_multi_label_cell(tmp_path):
    rows = 'image,text,patient,f\na.png,x,1,"Mass|Effusion, left"\nb.png,x,2,Mass\nc.png,x,3,\n'
    table = Table(write(tmp_path, rows), mapping={"labels": "f"})
    assert table.labels == ("Effusion, left", "Mass")
    first, second, third = table.studies()
    assert first.labels == {"Effusion, left": 1.0, "Mass": 1.0}
    assert second.labels == {"Effusion, left": 0.0, "Mass": 1.0}
    assert all(math.isnan(value) for value in third.labels.values())


def test_rows_of_a_study_are_merged(tmp_path):
    path = write(
        tmp_path,
        "image,text,patient,study,view,label:m\n"
        "a.png,Clear.,1,S1,PA,\nc.png,Mass.,2,S2,PA,1\nb.png,Clear.,1,S1,LL,0\n"
        "b.png,Addendum.,1,S1,LL,\n",
    )
    first, second = studies(path)
    assert first.images == ("a.png", "b.png")
    assert first.views == ("PA", "LL")
    assert first.texts["text"] == "Clear.\nAddendum."
    assert first.labels == {"m": 0.0}
    assert second.images == ("c.png",)


def test_several_images_in_a_row(tmp_path):
    (tmp_path / "odd;name.png").touch()
    path = write(
        tmp_path,
        "frontal,lateral,findings,impression,pid\na.png,b.png,F.,I.,1\nodd;name.png,,F.,,2\n"
        '"x.png|y.png",,,I.,3\n',
    )
    mapping = {"image": "frontal,lateral", "text": "findings,impression", "patient": "pid"}
    first, second, third = studies(path, mapping=mapping)
    assert first.images == ("a.png", "b.png")
    assert first.views == ("frontal", "lateral")
    assert first.texts["text"] == "F.\nI."
    assert second.images == ("odd;name.png",)
    assert third.images == ("x.png", "y.png")


def test_list_cells_of_parquet(tmp_path):
    frame = pd.DataFrame(
        {"image": [["a", "b"]], "text": ["x"], "patient": ["1"], "f": [["m", "n"]]}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    (one,) = studies(tmp_path / "t.parquet", mapping={"labels": "f"})
    assert one.images == ("a", "b")
    assert one.labels == {"m": 1.0, "n": 1.0}


def test_rows_without_image_or_patient_are_refused_and_listed(tmp_path):
    table = Table(write(tmp_path, "image,text,patient\n,x,1\na.png,y,\nb.png,z,3\n"))
    assert len(table) == 1
    assert table.refused == (
        ("", "data row 1 names no image"),
        ("a.png", "data row 2 names no patient"),
    )


def test_labels_without_texts(tmp_path):
    table = Table(write(tmp_path, "image,patient,label:m\na.png,1,1\n"))
    assert any("labels only" in note for note in table.notes)
    with pytest.raises(DataError, match="--map text=COLUMN"):
        Table(write(tmp_path, "image,patient\na.png,1\n"))
