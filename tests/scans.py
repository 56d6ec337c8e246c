"""Small chest CT of phantom patients with their reports, for tests that go the whole way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from asclip.phantom import dicom, patients, report
from asclip.phantom.body import Body
from asclip.phantom.ct import scan
from asclip.phantom.findings import Finding
from asclip.phantom.solids import ADDED
from asclip.phantom.studio import body_of

SHAPE, SPACING = (16, 32, 32), (18.0, 12.0, 12.0)
KINDS = ("pleural effusion", "cardiomegaly", "mass")


def scans(folder: Path, studies: int = 24) -> Path:
    """A table of DICOM series [16, 32, 32]; bodies without ribs and vessels, which take long."""
    rows = []
    for number in range(studies):
        rng = np.random.default_rng([7, number])
        side = ("left", "right")[number % 2]
        places = {"pleural effusion": (side, ""), "cardiomegaly": ("", ""), "mass": (side, "mid")}
        kinds = [kind for kind in KINDS if rng.random() < 0.5]
        findings = tuple(Finding(kind, *places[kind], 0.9, number) for kind in kinds)
        visit = patients.visits(7, number)[0]
        visit = replace(visit, findings=findings, resolved=(), prior="")
        whole = body_of(visit, arms_up=True)
        body = Body(whole.layout, whole.solids.take(whole.solids.level != ADDED))
        volume = scan(body, findings, shape=SHAPE, spacing=SPACING, rng=rng)
        dicom.write_ct(folder / visit.study, volume, visit)
        row = {"image": visit.study, "text": report.write(visit, rng).text}
        row |= {"patient": visit.patient, "study": visit.study, "meta:side": side}
        rows.append(row | {f"label:{kind}": int(kind in kinds) for kind in KINDS})
    pd.DataFrame(rows).to_csv(folder / "ct.csv", index=False)
    return folder / "ct.csv"
