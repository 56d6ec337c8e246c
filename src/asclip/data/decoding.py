"""Paths of a source -> decoded pixels in their slots, through the journal."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asclip.data import atomic, locate, pixels, pool, workers
from asclip.data.folder import FORMAT, remove
from asclip.data.journal import Entry, Journal
from asclip.data.progress import Track
from asclip.data.pseudonyms import pseudonym
from asclip.protocols import Source
from asclip.types import Study

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing

DECODERS = ("pydicom", "pillow", "nibabel", "pynrrd", "pylibjpeg-openjpeg", "pyjpegls")


@dataclass(slots=True)
class Work:
    """What one ingest knows.

    `found` maps a path of the source to its file, `entries` a readable file to its journal entry;
    `quarantine` has (path, reason); `signals` the journal entry of a signal by its path in the
    source, None where none are asked for.
    """

    source: Source
    root: Path
    out: Path
    key: str
    studies: list[Study]
    found: dict[str, locate.Found] = field(default_factory=dict)
    quarantine: list[tuple[str, str]] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    num_slots: int = 0
    signals: dict[str, Entry] | None = None

    def signal_of(self, study: Study) -> Entry | None:
        """The readable signal of a study."""
        return (self.signals or {}).get(study.signal or "")

    def evidence_of(self, study: Study) -> list[Entry]:
        """What tells whose study it is: images and signal, none of them blank.

        A blank picture is equal to every other blank one, which says nothing about the patients.
        """
        found = [*self.entries_of(study).values(), self.signal_of(study)]
        return [entry for entry in found if entry and not entry.blank]

    def entries_of(self, study: Study) -> dict[str, Entry]:
        """The readable files of a study, in its order."""
        places = (self.found.get(path) for path in study.images)
        return {at.path: self.entries[at.path] for at in places if at and at.path in self.entries}


def find(work: Work) -> None:
    """Fill `found`; what is missing or outside the root goes to quarantine."""
    work.quarantine += getattr(work.source, "refused", ())
    for path in dict.fromkeys(path for study in work.studies for path in study.images):
        place = locate.locate(work.root, path)
        if isinstance(place, locate.Lost):
            work.quarantine.append((place.path, place.reason))
        else:
            work.found[path] = place


def decode(
    work: Work,
    preprocessing: Preprocessing,
    num_workers: int | None,
    progress: Track,
    fresh: bool,
) -> None:
    """Fill `entries` for every found file, from the journal or by decoding."""
    software = hashlib.sha256(json.dumps(versions(DECODERS)).encode()).hexdigest()[:12]
    header = {
        "format": str(FORMAT),
        "preprocessing": preprocessing.digest,
        "key": pseudonym("", work.key, "journal"),
    }
    files = {pseudonym(at.path, work.key, "file"): at for at in work.found.values()}
    setup = workers.Setup(work.root, work.out / pixels.PIXEL_FILE, preprocessing, software)
    shape = tuple(preprocessing.item_shape)
    with Journal(work.out, header, fresh=fresh) as journal:
        if fresh:
            remove(work.out)
        slots = locate.assign_slots(
            files, {name: entry.slot for name, entry in journal.entries.items()}
        )
        used = [*slots.values(), *(entry.slot for entry in journal.entries.values())]
        work.num_slots = max(used, default=-1) + 1
        ready = _ready(journal, files, setup, shape)
        tasks = [
            workers.Task(at.path, Entry(name, at.size, at.mtime_ns, slots[name]))
            for name, at in files.items()
            if name not in ready
        ]
        pixels.reserve(setup.pixels, work.num_slots, shape)
        done = ready | _run(tasks, setup, journal, pool.count(num_workers), progress)
        _sync(setup.pixels)
        journal.finish()
    for name, at in files.items():
        if done[name].reason:
            work.quarantine.append((at.path, done[name].reason))
        else:
            work.entries[at.path] = done[name]


def _ready(
    journal: Journal,
    files: dict[str, locate.Found],
    setup: workers.Setup,
    shape: tuple[int, ...],
) -> dict[str, Entry]:
    """The entries that still hold: the file is unchanged, and its pixels are what they were."""
    ready = {
        name: entry
        for name, entry in journal.entries.items()
        if name in files
        and (entry.size, entry.mtime_ns) == (files[name].size, files[name].mtime_ns)
        and (not entry.reason or (entry.lasting and entry.software == setup.software))
    }
    if not journal.finished:
        digests = {entry.slot: entry.digest for entry in ready.values() if not entry.reason}
        bad = pixels.damaged(setup.pixels, shape, digests)
        ready = {name: entry for name, entry in ready.items() if entry.slot not in bad}
    return ready


def _run(
    tasks: list[workers.Task],
    setup: workers.Setup,
    journal: Journal,
    num_workers: int,
    progress: Track,
) -> dict[str, Entry]:
    """Decode `tasks`; a line goes to the journal once the pixels are in their slot."""
    result: dict[str, Entry] = {}
    if not tasks:
        return result
    with progress(len(tasks), "decoding") as advance:
        decoding = pool.decode_all(tasks, setup, min(num_workers, len(tasks)))
        try:
            for entries in decoding:
                full = [entry for entry in entries if entry.reason == workers.DISK_FULL]
                written = [entry for entry in entries if entry not in full]
                journal.append(entry for entry in written if entry.lasting)
                result.update({entry.file: entry for entry in written})
                if full:
                    raise atomic.full_disk(setup.pixels.parent, setup.pixels.stat().st_size)
                advance(len(entries))
        finally:
            decoding.close()
    return result


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        with atomic.disk_errors(path.parent):
            os.fsync(handle)
    finally:
        os.close(handle)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package; '' where it is not installed."""
    from importlib import metadata

    result = {}
    for package in packages:
        try:
            result[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            result[package] = ""
    return result


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
