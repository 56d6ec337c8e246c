from __future__ import annotations

import json

import numpy as np
import pytest

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError

HEADER = "image,text,patient,study,view,split,label:mass,label:oedema,meta:age,meta:site,text:title"


@pytest.fixture
def data(hospital, small, tmp_path) -> Dataset:
    sides = ["train", "test", "val", "train", "test", "train"]
    rows = [
        f"film{n:03d}.png,Text {n},P{n},S{n},PA,{sides[n]},{n % 2},,{40 + n},00{n},T{n}"
        for n in range(6)
    ]
    rows.append("film006.png,Text 1,P1,S1,LL,test,,1,,,")
    return ingest(Table(hospital(7, header=HEADER, rows=rows)), tmp_path / "out", small, workers=0)


def test_what_it_gives(data):
    assert data.labels == ("mass", "oedema")
    expected = np.array([[0, 1, 0, 1, 0, 1], [np.nan, 1] + [np.nan] * 4], np.float32).T
    np.testing.assert_array_equal(data.label_matrix(), expected)
    assert data.label_matrix().dtype == np.float32
    assert [len(slots) for slots in data.image_rows()] == [1, 2, 1, 1, 1, 1]
    assert data.images["view"].tolist() == ["PA", "PA", "LL", "PA", "PA", "PA", "PA"]
    assert data.texts("title")[2] == "T2"
    assert data.meta("age").tolist() == [40.0, 41.0, 42.0, 43.0, 44.0, 45.0]
    assert data.meta("site")[1] == "001"  # a code keeps its zeros
    assert data.patient_codes().dtype == np.int64
    assert len(set(data.patient_codes())) == 6


def test_split_is_a_view_that_shares_pixels(data):
    test = data.split("test")
    assert len(test) == 2
    assert test.pixels is data.pixels
    assert test.texts() == ["Text 1", "Text 4"]
    assert test.images["study"].tolist() == [0, 0, 1]
    rows = data.image_rows()
    assert [slots.tolist() for slots in test.image_rows()] == [rows[1].tolist(), rows[4].tolist()]
    assert test.split_hash != data.split_hash
    assert test.hash == data.hash
    assert len(data.split("all")) == 6
    with pytest.raises(DataError, match="did you mean 'train'"):
        data.split("trian")


def test_take_keeps_the_order_asked_for(data):
    part = data.take(np.array([4, 1]))
    assert part.texts() == ["Text 4", "Text 1"]
    rows = data.image_rows()
    assert [slots.tolist() for slots in part.image_rows()] == [rows[4].tolist(), rows[1].tolist()]
    none = data.take(np.zeros(6, bool))
    assert len(none) == 0
    assert none.image_rows() == []
    assert none.label_matrix().shape == (0, 2)


def test_describe_for_a_card(data):
    found = data.describe()
    assert found["splits"]["train"] == {"studies": 3, "patients": 3, "images": 3}
    assert found["labels"]["mass"] == {
        "positive": 3,
        "negative": 3,
        "not_stated": 0,
        "prevalence": 0.5,
    }
    assert found["views"] == {"PA": 6, "LL": 1}
    assert found["texts"]["distinct"] == 6
    json.dumps(found)


def test_unknown_names_are_hinted(data):
    with pytest.raises(DataError, match="did you mean 'title'"):
        data.texts("titel")
    with pytest.raises(DataError, match="did you mean 'age'"):
        data.meta("agee")


def test_open_refuses_what_does_not_belong_together(data):
    root = data.root
    with pytest.raises(DataError, match="asclip ingest TABLE"):
        Dataset.open(root / "none")
    info = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(DataError, match="format 1, got 99"):
        Dataset.open(root)
    (root / "dataset.json").write_text(json.dumps(info))
    tail = (root / "pixels.u8").read_bytes()[:-1]
    (root / "pixels.u8").write_bytes(tail)
    with pytest.raises(DataError, match="1,792 bytes, got 1,791"):
        Dataset.open(root)
    (root / "studies.parquet").write_bytes(b"other")
    with pytest.raises(DataError, match="run the same asclip ingest again"):
        Dataset.open(root)
