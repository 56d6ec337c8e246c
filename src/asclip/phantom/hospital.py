"""A whole hospital on disk: DICOM files, reports.csv and the tables of its truth.

What lies in the folder OUT:

OUT/reports.csv      one row per film: image, text, patient, study, view, label:*, meta:*; the boxes
                     of the study's first film as shares of its sides are meta:truth:box NAME
OUT/boxes.csv        where each finding is on each film, in pixels (far ends exclusive)
OUT/questions.csv    questions and answers by truth
OUT/statements.csv   what each sentence of each report states
OUT/ct.csv           as reports.csv, one row per CT (a folder of slices); if any
OUT/dicom/<patient>/<study>/<view>.dcm
OUT/ecg/<patient>/<study>.npy   float32 [12, 2500] in mV at 250 Hz, see ecg.py; if any
OUT/hospital.json    seed, settings, versions; written last
OUT/journal.jsonl    one line per finished study: an interrupted run goes on from it
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from asclip.errors import DataError, ResourceError
from asclip.phantom import dicom, patients, studio
from asclip.phantom.findings import NAMES
from asclip.phantom.pool import produce
from asclip.phantom.xray import VIEWS

VERSION = 2
"""Raised whenever the same seed gives other files."""
COLUMNS: dict[str, list[str]] = {
    "boxes": [
        "image",
        "label",
        "x_min",
        "y_min",
        "x_max",
        "y_max",
        "laterality",
        "zone",
        "severity",
        "size_mm",
        "mask",
    ],
    "questions": ["study", "image", "question", "answer", "kind", "finding"],
    "statements": [
        "study",
        "sentence",
        "finding",
        "assertion",
        "laterality",
        "zone",
        "severity",
        "section",
    ],
}
"""Columns of the tables that may be empty."""


def write(
    out: str | Path,
    studies: int,
    seed: int = 0,
    *,
    size: int = 256,
    views: tuple[str, ...] = ("PA",),
    ct: float = 0.0,
    masks: bool = False,
    ecg: float = 0.0,
    progress: Callable[[int], object] | None = None,
    workers: int | None = None,
) -> Path:
    """Write a hospital of `studies` studies into the folder `out`; the path of its reports.csv.

    Films have `size` x `size` pixels; "PA" in `views` means frontal, and is AP at the bedside.
    `ct` and `ecg` are the shares of studies that also have a CT, an ECG (its path is in the column
    `signal`). `progress` is called with the number of studies just done. `workers` processes work
    (default: one per processor, 0: this one alone). Run again with the same arguments it does
    nothing, after an interruption it goes on, and with more `studies` it adds to the same first
    ones.

    Raises:
        DataError: an argument out of range, or `out` holds a hospital of other settings.
        ResourceError: no space or no permission.
    """
    settings = studio.Settings(seed, size, tuple(views), float(ct), masks, float(ecg))
    _check(settings, studies)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _continue(folder, studies, settings, progress or (lambda count: None), workers)
    except OSError as error:
        raise ResourceError(
            f"{folder} must be a folder with space and write permission: {error.strerror}; free "
            "some space or choose another folder. What is done is kept: the same call continues"
        ) from None


def _continue(
    folder: Path,
    studies: int,
    settings: studio.Settings,
    progress: Callable[[int], object],
    workers: int | None,
) -> Path:
    """Make the studies that are not in the journal, then write the tables."""
    _same_settings(folder, settings)
    plan = [v for found in patients.studies(settings.seed, studies) for v in found]
    done = _journal(folder)
    todo = [v for v in plan if v.study not in done]
    if len(plan) > len(todo):
        progress(len(plan) - len(todo))
    table = folder / "reports.csv"
    if not todo and _finished(folder, studies):
        return table
    with (folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        make = partial(_make, settings=settings, folder=folder)
        for study, rows in produce(todo, make, workers):
            done[study] = rows
            journal.write(json.dumps({"study": study, "rows": rows}) + "\n")
            journal.flush()
            progress(1)
    _tables(folder, [done[v.study] for v in plan])
    about = {"version": VERSION, "studies": studies, **_stated(settings), "labels": NAMES}
    dicom.put(folder / "hospital.json", json.dumps(about, indent=1).encode())
    return table


def _make(
    visit: patients.Visit, settings: studio.Settings, folder: Path
) -> tuple[str, studio.Rows]:
    return visit.study, studio.make(visit, settings, folder)


def _check(settings: studio.Settings, studies: int) -> None:
    unknown = [view for view in settings.views if view not in VIEWS]
    if unknown or not settings.views:
        raise DataError(f"views must be out of {VIEWS}, got {settings.views}")
    if studies < 1 or settings.seed < 0:
        raise DataError(f"studies must be >= 1 and seed >= 0, got {studies} and {settings.seed}")
    if not 32 <= settings.size <= 4096:
        raise DataError(f"size must be 32 to 4096 pixels, got {settings.size}")
    for name, share in (("ct", settings.ct), ("ecg", settings.ecg)):
        if not 0 <= share <= 1:
            raise DataError(f"{name} must be a share from 0 to 1, got {share}")


def _stated(settings: studio.Settings) -> dict[str, Any]:
    """The settings as files have them; without ECGs there is no word of them."""
    return {k: v for k, v in asdict(settings).items() if k != "ecg" or v}


def _same_settings(folder: Path, settings: studio.Settings) -> None:
    """Claim the folder for `settings`, or refuse if it holds others."""
    path = folder / "settings.json"
    wanted = {"version": VERSION, **json.loads(json.dumps(_stated(settings)))}
    if not path.exists():
        if (folder / "reports.csv").exists():
            raise DataError(
                f"{folder} must be empty or a phantom hospital, it has a reports.csv of another "
                "origin; choose another folder"
            )
        dicom.put(path, json.dumps(wanted).encode())
        return
    found = json.loads(path.read_text("utf-8"))
    differing = sorted(k for k in wanted | found if found.get(k) != wanted.get(k))
    if differing:
        raise DataError(
            f"{folder} must hold a hospital of the same settings, it differs in "
            f"{', '.join(differing)}; choose another folder or delete this one"
        )


def _journal(folder: Path) -> dict[str, studio.Rows]:
    """Rows of finished studies; a last line that was cut off is dropped from the file."""
    path = folder / "journal.jsonl"
    done: dict[str, studio.Rows] = {}
    if not path.exists():
        return done
    data = path.read_bytes()
    good = 0
    for line in data.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        entry = json.loads(line)
        done[entry["study"]] = entry["rows"]
        good += len(line)
    if good < len(data):
        with path.open("r+b") as file:
            file.truncate(good)
    return done


def _finished(folder: Path, studies: int) -> bool:
    about = folder / "hospital.json"
    if not (about.exists() and (folder / "reports.csv").exists()):
        return False
    return json.loads(about.read_text("utf-8"))["studies"] == studies


def _tables(folder: Path, rows: list[studio.Rows]) -> None:
    for name in studio.TABLES:
        content = [row for study in rows for row in study[name]]
        columns = COLUMNS.get(name) or (list(content[0]) if content else [])
        if columns:
            dicom.put(folder / f"{name}.csv", as_csv(columns, content))


def as_csv(columns: list[str], rows: Iterable[studio.Row]) -> bytes:
    """A table with a header, in UTF-8."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8")
