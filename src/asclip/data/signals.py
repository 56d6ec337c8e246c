"""Signals over time (an ECG) beside the pixels: each file is decoded once, as images are.

OUT/signals/signals.f32     float32 [slots, leads, samples], as in the file, NaN not known
OUT/signals/journal.jsonl   what was decoded: a killed ingest goes on from it

The table of studies has `signal`, the row of a study's signal (-1: it has none), and
`signal_digest`; dataset.json has how they were made and the constants of their scale.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data import atomic, locate, pixels
from asclip.data.folder import FORMAT
from asclip.data.journal import Entry, Journal
from asclip.data.progress import Track
from asclip.data.pseudonyms import pseudonym
from asclip.errors import DataError, FileError

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import Tensor

    from asclip.data.decoding import Work
    from asclip.files.signal_preprocessing import SignalPreprocessing

FOLDER, FILE = "signals", "signals.f32"
NONE = "the data set must have signals and has none; ingest the table with --map signal=COLUMN"


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of some studies: `items` [slots, L, T] float32, a read-only memory map.

    `rows` [n] int64 is the slot of each study, -1 where it has none; `how` has made the items.
    """

    items: np.ndarray
    rows: np.ndarray
    how: SignalPreprocessing

    def of(self, studies: np.ndarray) -> tuple[Tensor, Tensor]:
        """Signals [B, L, T] float32 of the studies at these places, NaN without; [B] bool: has."""
        import torch

        slots = self.rows[studies]
        found = np.full((len(slots), *self.how.item_shape), np.nan, np.float32)
        found[slots >= 0] = self.items[slots[slots >= 0]]
        return torch.from_numpy(found), torch.from_numpy(slots >= 0)


def decode(work: Work, how: SignalPreprocessing, progress: Track, fresh: bool) -> dict[str, Entry]:
    """Entry of each study's signal that can be read, by the path in the table.

    What cannot goes to the quarantine of `work` with its reason; the study stays, without it.
    """
    folder = work.out / FOLDER
    folder.mkdir(exist_ok=True)
    found: dict[str, locate.Found] = {}
    for path in dict.fromkeys(study.signal for study in work.studies if study.signal):
        place = locate.locate(work.root, path)
        if isinstance(place, locate.Lost):
            work.quarantine.append((place.path, place.reason))
        else:
            found[path] = place
    header = {
        "format": str(FORMAT),
        "signal preprocessing": how.digest,
        "key": pseudonym("", work.key, "journal"),
    }
    files = {pseudonym(at.path, work.key, "file"): at for at in found.values()}
    with Journal(folder, header, fresh=fresh) as journal:
        if fresh:
            (folder / FILE).unlink(missing_ok=True)
        done = _all(files, journal, how, work.root, folder / FILE, progress)
        journal.finish()
    entries = {path: done[pseudonym(at.path, work.key, "file")] for path, at in found.items()}
    for path, entry in entries.items():
        if entry.reason:
            work.quarantine.append((found[path].path, entry.reason))
    return {path: entry for path, entry in entries.items() if not entry.reason}


def _all(
    files: Mapping[str, locate.Found],
    journal: Journal,
    how: SignalPreprocessing,
    root: Path,
    target: Path,
    progress: Track,
) -> dict[str, Entry]:
    """Entry of every file: of the journal where it still holds, else decoded now."""
    size = (4 * math.prod(how.item_shape),)
    known = journal.entries
    slots = locate.assign_slots(files, {name: entry.slot for name, entry in known.items()})
    done = {
        name: known[name]
        for name, at in files.items()
        if name in known and (known[name].size, known[name].mtime_ns) == (at.size, at.mtime_ns)
    }
    if not journal.finished:
        bad = pixels.damaged(target, size, {entry.slot: entry.digest for entry in done.values()})
        done = {name: entry for name, entry in done.items() if entry.slot not in bad}
    used = [*slots.values(), *(entry.slot for entry in known.values())]
    pixels.reserve(target, max(used, default=-1) + 1, size)
    todo = [name for name in files if name not in done]
    with progress(len(todo), "signals") as advance, target.open("r+b") as file:
        for name in todo:
            at = files[name]
            entry, item = _one(root, at, Entry(name, at.size, at.mtime_ns, slots[name]), how)
            with atomic.disk_errors(target.parent):
                file.seek(entry.slot * size[0])
                file.write(item)
                file.flush()
            if not entry.reason:  # what could not be read is tried again
                journal.append([entry])
            done[name] = entry
            advance(1)
        os.fsync(file.fileno())
    return done


def _one(
    root: Path, at: locate.Found, entry: Entry, how: SignalPreprocessing
) -> tuple[Entry, bytes]:
    """The completed entry of a file and the bytes of its item; none where it cannot be read."""
    from asclip.files.signal import read_signal

    path = root / at.path
    try:
        signal = read_signal(path)
        item = how(signal).astype("<f4").tobytes()
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except FileError as error:
        return replace(entry, reason=str(error)), b""
    except (OSError, MemoryError) as error:
        return replace(entry, reason=f"cannot be read ({type(error).__name__})"), b""
    return replace(
        entry,
        digest=sha256(item).hexdigest(),
        file_digest=digest,
        shape=tuple(signal.values.shape),
        modality=signal.unit,
        blank=bool(np.ptp(signal.values[~np.isnan(signal.values)]) == 0),
    ), item


def describe(root: Path, studies: DataFrame, how: SignalPreprocessing) -> dict[str, Any]:
    """What dataset.json says about the signals; the constants are those of training studies."""
    rows = studies["signal"].to_numpy(np.int64)
    path, slots = root / FOLDER / FILE, int(rows.max(initial=-1)) + 1
    items = _map(path, slots, how)
    train = rows[(studies["split"] == "train").to_numpy() & (rows >= 0)]
    how = how.measured(items[np.sort(train)])
    return {"slots": slots, "preprocessing": how.to_json(), "digest": how.digest}


def notes(studies: DataFrame) -> list[str]:
    """What a user should know about the signals."""
    lacking = int((studies["signal"].to_numpy(np.int64) < 0).sum())
    return [f"signal: {lacking} of {len(studies)} studies have none and are kept"] * bool(lacking)


def open_signals(root: Path, info: Mapping[str, Any], studies: DataFrame) -> Signals | None:
    """The signals of a data set whose dataset.json is `info`; None if none were mapped.

    Raises:
        DataError: the file is not there or too short.
    """
    from asclip.files.signal_preprocessing import SignalPreprocessing

    about = info.get("signals")
    if about is None:
        return None
    how = SignalPreprocessing.from_json(about["preprocessing"])
    path = root / FOLDER / FILE
    needed = 4 * about["slots"] * math.prod(how.item_shape)
    size = path.stat().st_size if path.is_file() else 0
    if size < needed:
        raise DataError(
            f"{path} must have {needed:,} bytes, got {size:,}; copy it again, or run the same "
            "asclip ingest again"
        )
    return Signals(_map(path, about["slots"], how), studies["signal"].to_numpy(np.int64), how)


def _map(path: Path, slots: int, how: SignalPreprocessing) -> np.ndarray:
    if not slots:
        return np.zeros((0, *how.item_shape), np.float32)
    return np.memmap(path, "<f4", mode="r", shape=(slots, *how.item_shape))
