from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asclip.errors import DataError
from asclip.phantom import ecg, patients
from asclip.phantom.findings import draw
from asclip.phantom.hospital import write

VISIT = replace(patients.visits(0, 3)[0], findings=())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digests(folder: Path, *patterns: str) -> dict[str, bytes]:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def told(*names: str) -> patients.Visit:
    """The same person on the same day with these findings of middle grade."""
    rng = np.random.default_rng(0)
    return replace(VISIT, findings=tuple(draw(name, rng, grade=0.5) for name in names))


def of(visit: patients.Visit) -> dict[str, np.ndarray]:
    found = ecg.record(visit, np.random.default_rng(1))
    assert found.shape == (12, 2500)
    assert found.dtype == np.float32
    return dict(zip(ecg.LEADS, found, strict=True))


def beats(lead: np.ndarray) -> np.ndarray:
    """Samples of the R waves: the highest of 0.25 s, above half of the highest."""
    near = np.array([lead[max(0, k - 31) : k + 32].max() for k in range(len(lead))])
    return np.flatnonzero((lead == near) & (lead > 0.5 * lead.max()))


def net(lead: np.ndarray, at: np.ndarray) -> float:
    """Mean net deflection of QRS in mV."""
    inside = at[(at > 50) & (at < len(lead) - 50)]
    return float(
        np.mean([lead[k - 12 : k + 13].max() + lead[k - 12 : k + 13].min() for k in inside])
    )


def test_it_can_be_measured_as_it_was_made() -> None:
    for visit in (told(), told("pulmonary oedema"), told("consolidation")):
        lead = of(visit)
        rate, axis, _ = ecg.traits(visit)
        at = beats(lead["II"])
        assert 60 * ecg.RATE / np.diff(at).mean() == pytest.approx(rate, rel=0.04)
        measured = np.arctan2(net(lead["aVF"], at) / np.sqrt(0.75), net(lead["I"], at))
        assert np.rad2deg(measured) == pytest.approx(axis, abs=20)
        assert 0.3 < lead["II"].max() < 2.5


def test_leads_obey_einthoven_and_v1_to_v6_turn_up() -> None:
    lead = of(told())
    smooth = {k: np.convolve(v, np.ones(9) / 9, "same") for k, v in lead.items()}
    # The slow drift of each electrode is its own.
    assert np.abs(smooth["II"] - smooth["I"] - smooth["III"]).max() < 0.2
    at = beats(lead["II"])
    assert net(lead["V1"], at) < -0.1
    assert net(lead["V6"], at) > 0.3
    assert net(lead["aVR"], at) < -0.3


def test_findings_are_seen() -> None:
    plain, low, high = (
        max(np.ptp(of(told(*names))[lead]) for lead in ecg.LEADS[:6])
        for names in ((), ("pleural effusion",), ("cardiomegaly",))
    )
    assert low < 0.75 * plain
    assert high > 1.3 * plain
    large = of(told("cardiomegaly"))
    at = beats(large["I"])
    assert net(large["I"], at) > 0 > net(large["aVF"], at)  # left axis
    assert ecg.traits(told("pulmonary oedema"))[0] > ecg.traits(told())[0] + 20


def test_a_person_keeps_the_own_heart() -> None:
    later = replace(VISIT, study="other", seed=(0, 3, 9))
    assert ecg.traits(later) == ecg.traits(VISIT)
    assert ecg.traits(replace(VISIT, person=replace(VISIT.person, seed=5))) != ecg.traits(VISIT)


def test_a_hospital_with_ecgs_is_the_same_one_with_a_column_more(tmp_path: Path) -> None:
    plain, more, again = tmp_path / "plain", tmp_path / "more", tmp_path / "again"
    write(plain, 12, 5, size=48, workers=0)
    write(more, 12, 5, size=48, ecg=0.6, workers=0)
    write(again, 12, 5, size=48, ecg=0.6, workers=2)
    assert digests(plain, "dicom/**/*.dcm") == digests(more, "dicom/**/*.dcm")
    assert digests(more, "**/*.npy", "*.csv") == digests(again, "**/*.npy", "*.csv")
    table = rows(more / "reports.csv")
    assert [{k: v for k, v in r.items() if k != "signal"} for r in table] == rows(
        plain / "reports.csv"
    )
    named = [row["signal"] for row in table]
    assert 4 <= sum(map(bool, named)) <= 10
    assert {name for name in named if name} == set(digests(more, "ecg/**/*.npy"))
    assert all(np.load(more / name).shape == (12, 2500) for name in named if name)
    assert (
        "ecg" not in (plain / "settings.json").read_text() + (plain / "hospital.json").read_text()
    )
    for folder, share in ((plain, 0.6), (more, 0.0), (more, 0.5)):
        with pytest.raises(DataError, match="differs in ecg"):
            write(folder, 12, 5, size=48, ecg=share, workers=0)
    with pytest.raises(DataError, match="ecg must be a share"):
        write(tmp_path / "bad", 2, 0, ecg=1.5)
