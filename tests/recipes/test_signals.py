"""An ECG the whole way: from a phantom hospital over the command line to a model and its scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from asclip import cli
from asclip.data.dataset import Dataset
from asclip.errors import DataError
from asclip.phantom.hospital import write
from asclip.recipes import load, pretrain
from asclip.recipes.evaluation import evaluate
from asclip.tasks.crossmodal.signals import SignalRetrieval

INGEST = ["--size", "64", "--fractions", "0.6,0.1,0.3", "--workers", "0"]
MAPPED = ["--map", "signal=signal", "--signal", "12x500@100", "--signal-rate", "250"]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("hospital"), 120, 1, size=64, ecg=0.7, workers=0)


@pytest.fixture(scope="module")
def data(hospital: Path) -> Path:
    out = hospital.parent / "data"
    assert cli.main(["ingest", str(hospital), "--out", str(out), *INGEST, *MAPPED]) == 0
    return out


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    out = data.parent / "run"
    words = "--recipe modalities --streams signal --steps 3 --batch 16 --width 32 --image-tower"
    words += f" micro --out {out}"
    assert cli.main(["pretrain", str(data), *words.split()]) == 0
    return out


def test_the_command_line_trains_scores_and_loads(run: Path, data: Path) -> None:
    found = evaluate(run)
    named = {one.metric: one for one in found if one.task == "signal-retrieval"}
    assert set(named) >= {"image_to_signal_R@5", "signal_to_image_R@5"}
    part = Dataset.open(data).split("test")
    assert part.signals is not None
    assert named["image_to_signal_R@5"].pool == (part.signals.rows >= 0).sum() > 5
    assert "signal" in next(run.glob("card*.html")).read_text()
    model = load(run)
    assert model.encoder.signal is not None
    assert model.encoder.signal.how == part.signals.how
    encoded = model.encode_signals(part).pooled
    assert encoded.shape == (len(part), 32)
    assert encoded.isnan().any(1).tolist() == (part.signals.rows < 0).tolist()
    record = json.loads((run / "run.json").read_text())
    assert record["parameters"]["streams"] == "signal"


def test_going_on_gives_the_same_weights(run: Path, data: Path, tmp_path: Path) -> None:
    given = {"streams": "signal", "steps": 3, "batch": 16, "width": 32, "image_tower": "micro"}
    again = load(pretrain(data, "modalities", tmp_path / "again", given))
    one, two = load(run).encoder.state_dict(), again.encoder.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in two)


def test_a_data_set_without_signals_is_refused(hospital: Path, tmp_path: Path) -> None:
    words = ["ingest", str(hospital), "--out", str(tmp_path / "data"), *INGEST, "--limit", "20"]
    assert cli.main(words) == 0
    with pytest.raises(DataError, match="--map signal=COLUMN"):
        pretrain(tmp_path / "data", "modalities", tmp_path / "run", {"streams": "view,signal"})


@pytest.mark.parametrize("spec", ["12x500", "12", "0x500@100", "12x500@0", "12x500@x"])
def test_a_wrong_spec_is_said(spec: str, hospital: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["ingest", str(hospital), "--out", "unused", "--signal", spec]) == 2
    assert "12x1000@100" in capsys.readouterr().err
    assert not Path("unused").exists()


@pytest.mark.slow
def test_a_trained_model_finds_the_ecg_of_a_film(data: Path, tmp_path: Path) -> None:
    """On the training studies: 35 others are too few for a number that is sure."""
    given = {"streams": "signal", "pairs": "image", "steps": 60, "batch": 32, "width": 64}
    given |= {"image_tower": "micro", "text_tower": "words", "lr": 2e-3, "average": 0.0}
    model = load(pretrain(data, "modalities", tmp_path / "run", {**given, "evaluations": 1}))
    task = SignalRetrieval(resamples=50)
    found = task.evaluate(task.predict(model, Dataset.open(data).split("train")))
    scores = {one.metric: one for one in found}
    for way in ("image_to_signal", "signal_to_image"):
        one = scores[f"{way}_R@5"]
        assert one.chance is not None
        assert one.value > 4 * one.chance
