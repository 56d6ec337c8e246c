"""Signals beside the pixels: read once, resumed, quarantined, kept with their patients."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from asclip.data import signals
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError
from asclip.files.preprocessing import Preprocessing
from asclip.files.signal_preprocessing import SignalPreprocessing
from asclip.types import Signal

HOW = SignalPreprocessing(leads=2, samples=64, rate=50.0, file_rate=100.0)
HEADER = "image,text,patient,ecg"
FILES = ("studies.parquet", "images.parquet", "signals/signals.f32", "quarantine.csv")


def wave(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    return (np.cumsum(rng.normal(size=(2, 200)), 1) / 10).astype(np.float32)


@pytest.fixture
def table(hospital) -> Path:
    """Twelve studies: two name no signal, one an absent, one an empty and one a pickled file."""
    named = [f"ecg{k}.npy" for k in range(12)]
    named[3] = named[8] = ""
    rows = [f"film{k:03d}.png,Report {k}.,PAT-{k},{named[k]}" for k in range(12)]
    path = hospital(12, rows=rows, header=HEADER)
    for k in range(12):
        np.save(path.parent / f"ecg{k}.npy", wave(k))
    (path.parent / "ecg4.npy").unlink()
    (path.parent / "ecg5.npy").write_bytes(b"")
    np.save(path.parent / "ecg6.npy", np.array([{}], object), allow_pickle=True)
    return path


def source(table: Path) -> Table:
    return Table(table, mapping={"signal": "ecg"})


def load(table: Path, out: Path, **options) -> Dataset:
    how = Preprocessing(size=(16, 16))
    return ingest(source(table), out, how, signal=HOW, workers=0, **options)


def found(data: Dataset) -> signals.Signals:
    assert data.signals is not None
    return data.signals


def test_each_study_has_its_own_signal_or_none(table: Path, tmp_path: Path) -> None:
    data = load(table, tmp_path / "data")
    rows = found(data).rows
    assert (rows < 0).nonzero()[0].tolist() == [3, 4, 5, 6, 8]
    values, has = found(data).of(np.arange(12))
    assert has.tolist() == (rows >= 0).tolist()
    for k in range(12):
        if rows[k] < 0:
            assert values[k].isnan().all()
            continue
        np.testing.assert_array_equal(values[k].numpy(), HOW(Signal(wave(k))))
    assert len(data) == 12
    with (tmp_path / "data" / "quarantine.csv").open() as file:
        bad = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert set(bad) == {"ecg4.npy", "ecg5.npy", "ecg6.npy"}
    assert bad["ecg4.npy"] == "no such file"
    assert "0 bytes" in bad["ecg5.npy"]
    assert "a pickle, which is never opened" in bad["ecg6.npy"]
    assert any("signal: 5 of 12 studies have none" in note for note in data.info["notes"])
    part = data.take(np.array([7, 3, 0]))
    np.testing.assert_array_equal(found(part).of(np.array([0]))[0], values[7:8])
    assert found(part).rows[1] == -1


def test_the_scale_is_that_of_training_studies_and_stays_with_the_data(
    table: Path, tmp_path: Path
) -> None:
    load(table, tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    train = found(data.split("train"))
    kept = train.rows[train.rows >= 0]
    assert found(data).how == HOW.measured(train.items[np.sort(kept)])
    assert min(found(data).how.scale) > 0


def test_no_identifier_is_kept(table: Path, tmp_path: Path) -> None:
    data = load(table, tmp_path / "data")
    text = (tmp_path / "data" / "signals" / "journal.jsonl").read_text()
    text += (tmp_path / "data" / "dataset.json").read_text() + data.studies.to_csv()
    assert "PAT-" not in text
    assert "ecg1" not in text


def test_without_a_map_nothing_of_signals_is_written(table: Path, tmp_path: Path) -> None:
    data = ingest(Table(table), tmp_path / "data", Preprocessing(size=(16, 16)), workers=0)
    assert data.signals is None
    assert "signal" not in data.studies
    assert not (tmp_path / "data" / "signals").exists()
    assert "signals" not in data.info


def test_killed_and_continued_equals_unbroken(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key.private").write_text("ab" * 32)
    load(table, tmp_path / "whole")
    one, calls = signals._one, []

    def dies(*args):
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return one(*args)

    monkeypatch.setattr(signals, "_one", dies)
    with pytest.raises(KeyboardInterrupt):
        load(table, tmp_path / "broken")
    load(table, tmp_path / "broken")
    assert len(calls) == 11  # nine files that exist, the bad one and the interrupted one twice
    for name in FILES:
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    calls.clear()
    load(table, tmp_path / "broken")
    assert len(calls) == 2  # only what could not be read is tried again
    calls.clear()
    np.save(table.parent / "ecg0.npy", wave(99)[:, :150])
    data = load(table, tmp_path / "broken")
    assert len(calls) == 3
    assert found(data).rows[0] == 0
    np.testing.assert_array_equal(found(data).items[0], HOW(Signal(wave(99)[:, :150])))


def test_other_signals_in_the_same_folder_are_refused(table: Path, tmp_path: Path) -> None:
    load(table, tmp_path / "data")
    other = SignalPreprocessing(2, 64, 25.0, 100.0)
    how = Preprocessing(size=(16, 16))
    with pytest.raises(DataError, match="another signal preprocessing"):
        ingest(source(table), tmp_path / "data", how, signal=other, workers=0)
    data = ingest(source(table), tmp_path / "data", how, signal=other, workers=0, fresh=True)
    assert found(data).how.rate == 25.0


def test_patients_with_one_signal_are_on_one_side(table: Path, tmp_path: Path) -> None:
    np.save(table.parent / "ecg7.npy", wave(0))
    data = load(table, tmp_path / "data")
    group = data.studies["group"]
    assert group[0] == group[7]
    assert group.nunique() == 11


def test_a_study_has_one_signal(hospital) -> None:
    rows = [f"film{k:03d}.png,Report.,P,S,ecg{k}.npy" for k in range(2)]
    table = hospital(2, rows=rows, header="image,text,patient,study,ecg")
    with pytest.raises(DataError, match="a study has one signal; data rows 1 and 2"):
        source(table)


def test_a_cut_file_is_said(table: Path, tmp_path: Path) -> None:
    data = load(table, tmp_path / "data")
    (tmp_path / "data" / "signals" / "signals.f32").write_bytes(b"123")
    with pytest.raises(DataError, match=r"must have .* bytes, got 3"):
        assert data.signals
