"""A small data set of drawn pictures, and a run trained on it once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.recipes import pretrain
from drawn import draw


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    how = Preprocessing(size=(32, 32), mean=(0.5,), std=(0.25,))
    return ingest(Table(draw(folder)), folder / "data", how, workers=0).root


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = {"steps": 60, "batch": 32, "lr": 2e-3, "average": 0.0, "evaluations": 2, "width": 32}
    return pretrain(data, "gloria", tmp_path_factory.mktemp("runs") / "gloria", given)


@pytest.fixture(scope="session")
def bound(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = {"steps": 25, "batch": 32, "lr": 2e-3, "average": 0.0, "evaluations": 2, "width": 32}
    return pretrain(data, "supervised", tmp_path_factory.mktemp("runs") / "bound", given)
