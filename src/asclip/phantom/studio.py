"""One study from start to end: body, films, CT, ECG and report, and its rows of the tables."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asclip.phantom import dicom, ecg, questions, report, xray
from asclip.phantom.body import Body
from asclip.phantom.ct import scan
from asclip.phantom.findings import NAMES
from asclip.phantom.patients import Visit
from asclip.phantom.rays import Beam
from asclip.phantom.structures import ill
from asclip.phantom.truth import Region, regions

Row = dict[str, object]
Rows = dict[str, list[Row]]
TABLES = ("reports", "ct", "boxes", "questions", "statements")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a hospital's files depend on, besides its seed: changing one makes other files."""

    seed: int
    size: int
    views: tuple[str, ...]
    ct: float
    masks: bool
    ecg: float = 0.0


def make(visit: Visit, settings: Settings, out: Path) -> Rows:
    """Write all files of `visit` under `out`; the rows of each table."""
    rows: Rows = {name: [] for name in TABLES}
    signal = _record(visit, settings, out) if settings.ecg else {}
    text = report.write(visit, np.random.default_rng([*visit.seed, 1]))
    bodies: dict[bool, Body] = {}
    places: Row = {}
    for number, view in enumerate(_views(visit, settings.views)):
        arms_up = view == "LATERAL"
        if arms_up not in bodies:
            bodies[arms_up] = body_of(visit, arms_up)
        image = f"dicom/{visit.patient}/{visit.study}/{view}.dcm"
        beam = shoot(bodies[arms_up], visit, view, settings.size, out / image)
        found = regions(bodies[arms_up], beam, visit.findings)
        if number == 0:
            places = _places(found, settings.size)
            rows["questions"] = _questions(visit, view, image)
        rows["reports"].append(_row(visit, text, image, view) | places | signal)
        rows["boxes"] += [_box(region, image, settings, out) for region in found]
    rows["statements"] = _statements(visit, text)
    if np.random.default_rng([*visit.seed, 4]).random() < settings.ct:
        image = f"dicom/{visit.patient}/{visit.study}/CT"
        _scan(visit, image, settings, out)
        rows["ct"].append(_row(visit, text, image, "CT") | signal)
    return rows


def _views(visit: Visit, asked: tuple[str, ...]) -> list[str]:
    """The views taken: at the bedside PA becomes AP, and there is no lateral."""
    if not visit.bedside:
        return list(dict.fromkeys(asked))
    taken = ["AP" if view == "PA" else view for view in asked if view != "LATERAL"]
    return list(dict.fromkeys(taken)) or ["AP"]


def body_of(visit: Visit, arms_up: bool) -> Body:
    """The patient's body on the day of `visit`, with what was found."""
    return ill(visit.person, replace(visit.pose, arms_up=arms_up), visit.findings)


def shoot(
    body: Body, visit: Visit, view: str, size: int, path: Path, mark: np.ndarray | None = None
) -> Beam:
    """Take and store one film, with a white `mark` [H, W] bool burnt in; the beam that took it."""
    rng = np.random.default_rng([*visit.seed, 2, xray.VIEWS.index(view)])
    beam = xray.aim(view, size, body=body, device=visit.device)
    film = xray.film(body, beam, visit.device, rng)
    if mark is not None:
        film[mark] = 0 if visit.device.inverted else 2**visit.device.bits - 1
    path.parent.mkdir(parents=True, exist_ok=True)
    dicom.write_film(path, film, visit, view=view, pitch=beam.pitch, burnt=mark is not None)
    return beam


def _scan(visit: Visit, image: str, settings: Settings, out: Path) -> None:
    volume = scan(body_of(visit, True), visit.findings, rng=np.random.default_rng([*visit.seed, 5]))
    dicom.write_ct(out / image, volume, visit)
    if settings.masks:
        folder = out / "masks" / visit.patient / visit.study
        folder.mkdir(parents=True, exist_ok=True)
        for finding, mask in zip(visit.findings, volume.masks, strict=True):
            _nifti(folder / f"CT-{_slug(finding.name)}.nii.gz", mask, volume.affine)


def _record(visit: Visit, settings: Settings, out: Path) -> Row:
    """The ECG of a share of the studies, and the cell of the table that names it."""
    rng = np.random.default_rng([*visit.seed, 6])
    if rng.random() >= settings.ecg:
        return {"signal": ""}
    name = f"ecg/{visit.patient}/{visit.study}.npy"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.save(stream, ecg.record(visit, rng))
    dicom.put(out / name, stream.getvalue())
    return {"signal": name}


def _nifti(path: Path, mask: np.ndarray, affine: np.ndarray) -> None:
    import nibabel

    image = nibabel.Nifti1Image(mask.transpose(2, 1, 0).astype(np.uint8), affine)
    temporary = path.with_name("." + path.name)
    nibabel.save(image, temporary)
    temporary.replace(path)


def _row(visit: Visit, text: report.Report, image: str, view: str) -> Row:
    """One row of reports.csv."""
    present = {f.name for f in visit.findings}
    row: Row = {
        "image": image,
        "text": text.text,
        "patient": visit.patient,
        "study": visit.study,
        "view": view,
    }
    row |= {f"label:{name}": int(name in present) for name in NAMES}
    return row | {
        "meta:age": visit.person.age,
        "meta:sex": visit.person.sex,
        "meta:site": visit.site,
        "meta:device": visit.device.name,
        "meta:date": visit.day.isoformat(),
        "meta:prior": visit.prior,
        "meta:truth:normal": int(not present),
        "meta:truth:mentioned": ";".join(text.mentioned),
    }


def _places(found: list[Region], size: int) -> Row:
    """A cell for each finding: its boxes on a study's first film, "" where it does not show.

    "x_min y_min x_max y_max", several with ";" between, x to the right, y down, as shares of the
    film's sides: what travels with a data set, for maps to be scored against.
    """
    cells: dict[str, list[str]] = {name: [] for name in NAMES}
    for region in found:
        cells[region.finding.name].append(" ".join(f"{edge / size:.4f}" for edge in region.box))
    return {f"meta:truth:box {name}": "; ".join(boxes) for name, boxes in cells.items()}


def _box(region: Region, image: str, settings: Settings, out: Path) -> Row:
    """One row of boxes.csv, and the mask beside it where masks are wanted."""
    name = ""
    if settings.masks:
        from PIL import Image

        stem = Path(image).with_suffix("")
        tail = f"-{region.side}" if region.side else ""
        name = f"masks/{stem.relative_to('dicom')}-{_slug(region.finding.name)}{tail}.png"
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        temporary = (out / name).with_name("." + Path(name).name)
        Image.fromarray(region.mask.astype(np.uint8) * 255).save(temporary)
        temporary.replace(out / name)
    x_min, y_min, x_max, y_max = region.box
    size = region.finding.size
    return {
        "image": image,
        "label": region.finding.name,
        "x_min": x_min,
        "y_min": y_min,
        "x_max": x_max,
        "y_max": y_max,
        "laterality": region.side,
        "zone": region.finding.zone,
        "severity": "" if region.finding.kind.device else region.finding.severity,
        "size_mm": "" if np.isnan(size) else round(size, 1),
        "mask": name,
    }


def _questions(visit: Visit, view: str, image: str) -> list[Row]:
    asked = questions.ask(visit, view, np.random.default_rng([*visit.seed, 3]))
    return [
        {
            "study": visit.study,
            "image": image,
            "question": q.question,
            "answer": q.answer,
            "kind": q.kind,
            "finding": q.finding,
        }
        for q in asked
    ]


def _statements(visit: Visit, text: report.Report) -> list[Row]:
    return [
        {
            "study": visit.study,
            "sentence": s.sentence,
            "finding": s.finding,
            "assertion": s.assertion,
            "laterality": s.laterality,
            "zone": s.zone,
            "severity": s.severity,
            "section": s.section,
        }
        for s in text.statements
    ]


def _slug(name: str) -> str:
    return name.replace(" ", "-")
