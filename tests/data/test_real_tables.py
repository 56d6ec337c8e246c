from __future__ import annotations

import os

import numpy as np
import pytest

from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing

pytestmark = pytest.mark.realdata
MEDPIX = {
    "image": "image",
    "text": "text",
    "patient": "patient_id",
    "text:title": "title",
    "text:findings": "findings",
    "view": "view",
    "meta": "modality,body_part,age,sex",
}


@pytest.fixture
def real(shared_data):
    def find(name: str):
        if not (shared_data / name / "manifest.csv").is_file():
            pytest.skip(f"shared/data/{name} not beside the project")
        return shared_data / name / "manifest.csv"

    return find


def test_medpix(real, tmp_path):
    source = Table(real("medpix2"), mapping=MEDPIX, name="medpix2")
    assert len(source) == 2050
    data = ingest(source, tmp_path / "out", Preprocessing(size=(64, 64)), limit=150, workers=1)
    assert len(data) == 150
    assert data.info["counts"]["quarantined"] == 0
    assert data.text_names == ("text", "title", "findings")
    assert set(data.meta("modality")) <= {"CT", "MR"}
    per_patient = data.studies.groupby("patient")["split"].nunique()
    assert per_patient.max() == 1
    assert b"MPX1009" not in (tmp_path / "out" / "journal.jsonl").read_bytes()


def test_covid_chestxray_has_one_film_under_two_patients(real, tmp_path):
    mapping = {"patient": "patient_id", "labels": "labels", "meta": "age,sex,modality"}
    source = Table(real("covid_chestxray"), mapping=mapping)
    assert len(source.labels) == 15
    data = ingest(source, tmp_path / "out", Preprocessing(size=(32, 32)), workers=os.cpu_count())
    assert len(data) == 633
    assert data.info["leakage"]["images_of_several_patients"] == 1
    shared = data.images[data.images.duplicated("digest", keep=False)]
    assert data.studies.iloc[shared["study"]]["split"].nunique() == 1
    matrix = data.label_matrix()
    # Counted in the table itself: rows whose labels cell holds the name.
    assert np.nansum(matrix, axis=0)[data.labels.index("COVID-19")] == 510
