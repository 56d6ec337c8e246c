"""A challenge on disk: an ordinary hospital folder, its prompt sets and challenge.json."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import DataError, ResourceError
from asclip.phantom import dicom, studio
from asclip.phantom.challenges import shortcut
from asclip.phantom.challenges.bounds import bounds, counting
from asclip.phantom.challenges.case import Case, Challenge
from asclip.phantom.challenges.coronal import coronal
from asclip.phantom.hospital import as_csv
from asclip.phantom.pool import produce
from asclip.phantom.truth import regions

VERSION = 3
"""Raised whenever the same seed gives other files."""


def write(
    challenge: Challenge,
    folder: Path,
    studies: int,
    seed: int,
    size: int,
    progress: Callable[[int], object],
    workers: int | None,
) -> Path:
    """Write what is missing of the challenge into `folder`; the path of its reports.csv."""
    if studies < 1 or seed < 0 or not 32 <= size <= 4096:
        raise DataError(
            "a challenge needs studies >= 1, seed >= 0 and size 32 to 4096, got "
            f"{studies}, {seed} and {size}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _claim(
            folder, {"challenge": challenge.name, "version": VERSION, "seed": seed, "size": size}
        )
        plan = challenge.cases(seed, studies)
        _images(plan, folder, size, progress, workers)
        _tables(challenge, plan, folder, {"studies": studies, "seed": seed, "size": size})
    except OSError as error:
        raise ResourceError(
            f"{folder} must be a folder with space and write permission: {error.strerror}; free "
            "some space or choose another folder. What is done is kept: the same call continues"
        ) from None
    return folder / "reports.csv"


def _claim(folder: Path, wanted: dict[str, object]) -> None:
    """Claim the folder for these settings, or refuse if it holds others."""
    path = folder / "settings.json"
    if not path.exists():
        if (folder / "reports.csv").exists():
            raise DataError(
                f"{folder} must be empty or hold this challenge, it has a reports.csv of another "
                "origin; choose another folder"
            )
        dicom.put(path, json.dumps(wanted).encode())
        return
    found = json.loads(path.read_text("utf-8"))
    differing = sorted(k for k in wanted if found.get(k) != wanted[k])
    if differing:
        raise DataError(
            f"{folder} must hold this challenge with the same settings, it differs in "
            f"{', '.join(differing)}; choose another folder or delete this one"
        )


def image_of(case: Case, view: str) -> str:
    """Path of an image in the folder."""
    name = "CT.png" if view == "CT" else f"{view}.dcm"
    return f"dicom/{case.visit.patient}/{case.visit.study}/{name}"


def _images(
    plan: Sequence[Case],
    folder: Path,
    size: int,
    progress: Callable[[int], object],
    workers: int | None,
) -> None:
    """Make the images that are not there; a file is absent or complete."""
    todo = [c for c in plan if not all(path.exists() for path in _files(c, folder))]
    if len(plan) > len(todo):
        progress(len(plan) - len(todo))
    for _ in produce(todo, partial(make, folder=folder, size=size), workers):
        progress(1)


def _files(case: Case, folder: Path) -> list[Path]:
    images = [folder / image_of(case, view) for view in case.views]
    return images + [boxes_of(image) for image in images if case.boxed and image.suffix == ".dcm"]


def boxes_of(image: Path) -> Path:
    """Where the boxes of a film are until the table is written."""
    return image.with_suffix(".boxes.json")


def make(case: Case, folder: Path, size: int) -> str:
    """Write the images of one study; its id."""
    body = studio.body_of(case.visit, False)
    for view in case.views:
        path = folder / image_of(case, view)
        path.parent.mkdir(parents=True, exist_ok=True)
        if view == "CT":
            rng = np.random.default_rng([*case.visit.seed, 5])
            dicom.put(path, _png(coronal(body, size, rng=rng)))
        else:
            mark = shortcut.mark(size) if case.marked else None
            beam = studio.shoot(body, case.visit, view, size, path, mark)
            if case.boxed:
                found = [
                    (region.finding.name, *(edge / size for edge in region.box))
                    for region in regions(body, beam, case.visit.findings)
                ]
                dicom.put(boxes_of(path), json.dumps(found).encode())
    return case.visit.study


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _tables(
    challenge: Challenge, plan: Sequence[Case], folder: Path, settings: dict[str, Any]
) -> None:
    """reports.csv, the prompt sets and challenge.json, which is written last."""
    plan = [_with_boxes(case, folder) for case in plan]
    rows = [row(case, view) for case in plan for view in case.views]
    _put(folder / "reports.csv", as_csv(list(rows[0]), rows))
    (folder / "prompts").mkdir(exist_ok=True)
    for name, content in challenge.prompts.items():
        _put(folder / "prompts" / f"{name}.json", _json(content))
    for name, content in challenge.extras.items():
        _put(folder / f"{name}.json", _json(content))
    limits = {m.name: bounds(m, plan) for m in challenge.measures}
    about = describe(challenge) | {
        "ceiling": {name: limit[0] for name, limit in limits.items()},
        "chance": {name: limit[1] for name, limit in limits.items()},
        "counting": {m.name: counting(m, plan) for m in challenge.measures},
        "counts": dict(Counter(case.split for case in plan)),
        "columns": list(rows[0]),
        **settings,
        "version": VERSION,
    }
    _put(folder / "challenge.json", _json(about))


def _with_boxes(case: Case, folder: Path) -> Case:
    """The case with a fact `truth:box NAME` for each finding: its box on the first film.

    x_min y_min x_max y_max, x to the right, y down, as shares of the film's sides.
    """
    if not case.boxed:
        return case
    found = json.loads(boxes_of(folder / image_of(case, case.views[0])).read_bytes())
    boxes = {f"truth:box {name}": "" for name in case.labels} | {
        f"truth:box {name}": " ".join(f"{edge:.4f}" for edge in box) for name, *box in found
    }
    return replace(case, meta=dict(case.meta) | boxes)


def row(case: Case, view: str) -> studio.Row:
    """One row of reports.csv."""
    visit = case.visit
    found: studio.Row = {
        "image": image_of(case, view),
        "text": case.text,
        "patient": visit.patient,
        "study": visit.study,
        "view": view,
        "split": case.split,
    }
    meta: dict[str, object] = {
        "age": visit.person.age,
        "sex": visit.person.sex,
        "site": visit.site,
        "device": visit.device.name,
        "date": visit.day.isoformat(),
        "prior": visit.prior,
    }
    found |= {f"text:{name}": text for name, text in case.further.items()}
    found |= {f"label:{name}": value for name, value in case.labels.items()}
    return found | {f"meta:{name}": value for name, value in (meta | dict(case.meta)).items()}


def describe(challenge: Challenge) -> dict[str, Any]:
    """What challenge.json says before any study is drawn."""
    return {
        "name": challenge.name,
        "question": challenge.question,
        "family": challenge.family,
        "measures": [_measure(asdict(m)) for m in challenge.measures],
        "notes": list(challenge.notes),
        "given": dict(challenge.given),
    }


def _measure(fields: dict[str, Any]) -> dict[str, Any]:
    lists = {k: list(v) for k, v in fields.items() if isinstance(v, tuple)}
    return fields | lists


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _put(path: Path, data: bytes) -> None:
    """Write `path` unless it holds the same already."""
    if not path.exists() or path.read_bytes() != data:
        dicom.put(path, data)
