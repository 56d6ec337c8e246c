"""A source of studies -> a folder that training reads: every file is decoded once.

    ingest(Table("reports.csv"), "data/chest", Preprocessing(size=(224, 224)))

Order of work: locate the files, reserve the pixel file, decode what the journal lacks, find
identical images, split by patient, write the tables. Killed anywhere and run again, it ends with
the same bytes; when the source grows, only new files are decoded.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asclip.data import atomic, folder, leakage, signals, splits, tables
from asclip.data.dataset import Dataset
from asclip.data.decoding import Work, decode, find, versions
from asclip.data.progress import Track, silent
from asclip.data.pseudonyms import key_of, pseudonym
from asclip.errors import DataError
from asclip.protocols import Source

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing
    from asclip.files.signal_preprocessing import SignalPreprocessing

PACKAGES = ("asclip", "numpy", "pandas", "pydicom", "pillow", "nibabel", "pynrrd")


@dataclass(frozen=True, slots=True)
class Split:
    """How the patients were split: `rule` and `leakage` go into dataset.json as they are."""

    rule: dict[str, Any]
    sides: dict[str, str]
    heads: dict[str, str]
    leakage: dict[str, int]


def ingest(
    source: Source,
    out: str | Path,
    preprocessing: Preprocessing,
    *,
    workers: int | None = None,
    seed: int = 0,
    fractions: Sequence[float] = splits.FRACTIONS,
    progress: Track | None = None,
    on_leak: str = "move",
    limit: int | None = None,
    fresh: bool = False,
    keep_ids: bool = False,
    signal: SignalPreprocessing | None = None,
) -> Dataset:
    """Decode `source` into the folder `out`, split by patient, and open it.

    Files that cannot be read, are missing or lie outside the source's root go to quarantine.csv
    with their reason. A stated split wins; other patients are hashed with `seed` into `fractions`
    (train, val, test). Patients who share an identical image are kept on one side ("move"), or
    refused if they would be on two ("error"). `limit` takes the first studies only, `workers`
    processes (None: one per processor; 0: this one). `progress` is `progress.track` or its like.
    Ids are replaced by pseudonyms unless `keep_ids`. `fresh` decodes everything again. `signal`
    says how the studies' signals are read, where the source names any; None leaves them out.

    Raises:
        DataError: no study can be read; the folder was begun with another preprocessing.
        LeakageError: a patient in two stated splits; with "error", an identical image.
        ResourceError: no space (found before the work), no permission.
    """
    if on_leak not in ("move", "error"):
        raise DataError(f"on_leak must be 'move' or 'error', got {on_leak!r}")
    fractions = splits.check(fractions)
    work = _begin(source, Path(out), limit)
    stated = splits.given(work.studies)
    find(work)
    decode(work, preprocessing, workers, progress or silent, fresh)
    if signal is not None:
        work.signals = signals.decode(work, signal, progress or silent, fresh)
    folder.write_list(
        work.out / folder.QUARANTINE_FILE,
        [{"path": path, "reason": reason} for path, reason in dict.fromkeys(work.quarantine)],
        ("path", "reason"),
    )
    split = _split(work, stated, seed, fractions, on_leak)
    _write(work, _kept(work, split), split, preprocessing, keep_ids, signal)
    return Dataset.open(out)


def _begin(source: Source, out: Path, limit: int | None) -> Work:
    if out.exists() and not out.is_dir():
        raise DataError(f"--out must be a folder, and {out} is a file; choose another")
    with atomic.disk_errors(Path()):
        out.mkdir(parents=True, exist_ok=True)
    root = Path(os.path.realpath(getattr(source, "root", ".")))
    studies = list(islice(source.studies(), limit))
    if not studies:
        raise DataError(
            f"{source.name}: the source must have at least one study with an image and a patient"
        )
    return Work(source, root, out, key_of(out), studies)


def _split(
    work: Work, stated: dict[str, str], seed: int, fractions: Sequence[float], on_leak: str
) -> Split:
    """The side of each patient; patients with an identical image are one group."""
    patients = dict.fromkeys(study.patient for study in work.studies)
    owners = leakage.shared(
        (study.patient, entry.digest) for study in work.studies for entry in work.evidence_of(study)
    )
    assign = partial(splits.assign, stated=stated, seed=seed, fractions=fractions)
    alone = assign({patient: patient for patient in patients})
    if on_leak == "error":
        leakage.refuse(owners, alone)
    heads = leakage.groups(owners, patients, partial(splits.rank, seed=seed))
    sides = assign(heads)
    rule = {
        "method": "BLAKE2b of seed and patient; a stated split wins",
        "seed": seed,
        "fractions": list(fractions),
        "stated_patients": len(stated),
        "on_leak": on_leak,
    }
    counts = leakage.report(owners, alone=alone, sides=sides, heads=heads)
    return Split(rule, sides, heads, counts)


def _kept(work: Work, split: Split) -> list[tables.Kept]:
    """The studies that have a readable image.

    Raises:
        DataError: there is none.
    """
    kept = []
    for study in work.studies:
        entries = work.entries_of(study)
        if not entries:
            continue
        views = dict(zip(study.images, study.views, strict=False))
        seen = {work.found[path].path: views.get(path, "") for path in study.images[::-1]
                if path in work.found}  # fmt: skip
        one = tables.Kept(
            study,
            id=pseudonym(study.id, work.key, "study"),
            patient=pseudonym(study.patient, work.key, "patient"),
            group=pseudonym(split.heads[study.patient], work.key, "patient"),
            split=split.sides[study.patient],
            files=tuple((path, seen[path], entry) for path, entry in entries.items()),
            signal=work.signal_of(study),
        )
        kept.append(one)
    if not kept:
        first = work.quarantine[0][1] if work.quarantine else "none"
        raise DataError(
            f"{work.source.name}: at least one image must be readable; all "
            f"{len(work.quarantine)} are in {folder.QUARANTINE_FILE} (the first: {first}). If the "
            "paths are relative to another folder, pass --root"
        )
    return kept


def _write(
    work: Work,
    kept: list[tables.Kept],
    split: Split,
    preprocessing: Preprocessing,
    keep_ids: bool,
    signal: SignalPreprocessing | None,
) -> None:
    """The tables, then dataset.json."""
    conflicts = leakage.conflicts(tables.rows_for_conflicts(kept))
    folder.write_list(
        work.out / folder.CONFLICTS_FILE, conflicts, ("digest", "label", "study", "value")
    )
    studies, notes = tables.studies_table(kept, keep_ids=keep_ids, signals=signal is not None)
    images = tables.images_table(kept, keep_ids=keep_ids)
    more = _notes(work, split, len(conflicts))
    info = {
        "format": folder.FORMAT,
        "name": work.source.name,
        "counts": _left_out(work, len(kept)) | tables.counts(studies, images),
        "splits": tables.per_split(studies, images),
        "labels": tables.prevalence(studies),
        "notes": [*getattr(work.source, "notes", ()), *notes, *more],
        "split": split.rule,
        "leakage": split.leakage,
        "preprocessing": preprocessing.to_json(),
        "preprocessing_digest": preprocessing.digest,
        "item_shape": list(preprocessing.item_shape),
        "num_slots": work.num_slots,
        "source_digest": getattr(work.source, "digest", ""),
        "mapping": getattr(work.source, "mapping", {}),
        "root": folder.relative(work.root, work.out),
        "software": versions(PACKAGES),
        "tables": folder.write_tables(work.out, {"studies": studies, "images": images}),
    }
    if signal is not None:
        info["signals"] = signals.describe(work.out, studies, signal)
        info["notes"] += signals.notes(studies)
    folder.write_info(work.out, info)


def _left_out(work: Work, num_kept: int) -> dict[str, int]:
    return {
        "files": len(work.entries) + len(set(work.quarantine)),
        "ingested": len(work.entries),
        "quarantined": len(set(work.quarantine)),
        "studies_without_image": len(work.studies) - num_kept,
    }


def _notes(work: Work, split: Split, num_conflicts: int) -> list[str]:
    notes = []
    if work.quarantine:
        reasons = Counter(reason for _, reason in set(work.quarantine)).most_common(3)
        most = "; ".join(f"{count} x {reason}" for reason, count in reasons)
        left_out = len(set(work.quarantine))
        notes.append(
            f"{left_out} files or rows were left out, see {folder.QUARANTINE_FILE}: {most}"
        )
    found = split.leakage
    if found["images_of_several_patients"]:
        notes.append(
            f"{found['images_of_several_patients']} images or signals are identical in several "
            f"patients; these {found['patients_joined']} patients are {found['groups']} groups, "
            f"each on one side of the split ({found['patients_moved']} patients moved)"
        )
    if num_conflicts:
        notes.append(f"identical images have different labels; see {folder.CONFLICTS_FILE}")
    return notes
