"""What a decoding process does: file -> `Image` -> item -> its slot -> a journal entry."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data.atomic import FULL
from asclip.data.journal import Entry
from asclip.errors import AsclipError, FileError

if TYPE_CHECKING:
    from asclip.files.preprocessing import Preprocessing
    from asclip.types import Image

DISK_FULL = "disk full"


@dataclass(frozen=True, slots=True)
class Setup:
    """What every worker needs: where files lie, where pixels go, how a file becomes an item."""

    root: Path
    pixels: Path
    preprocessing: Preprocessing
    software: str


@dataclass(frozen=True, slots=True)
class Task:
    """One file to decode: its path relative to the root, and the entry to complete."""

    path: str
    entry: Entry


_setup: Setup | None = None
_pixels = -1


def start(setup: Setup, alone: bool = False) -> None:
    """Prepare this process; `alone` if it is the main one."""
    global _setup, _pixels
    _setup = setup
    _pixels = os.open(setup.pixels, os.O_WRONLY)
    if alone:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # a file's oddities go to quarantine.csv or nowhere
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: Any) -> None:
    """A killed ingest must not leave workers that wait for ever."""
    parent.join()
    os._exit(1)


def stop() -> None:
    """Close what `start(alone=True)` opened."""
    global _pixels
    if _pixels >= 0:
        os.close(_pixels)
    _pixels = -1


def decode(tasks: Sequence[Task]) -> list[Entry]:
    """The completed entries of some files; their pixels are in their slots."""
    return [_decode(task) for task in tasks]


def _decode(task: Task) -> Entry:
    assert _setup is not None
    path = _setup.root / task.path
    from asclip.files import read

    try:
        image = read(path, coarser=_setup.preprocessing.coarser)
        item = _setup.preprocessing(image)
        _check(item, _setup.preprocessing.item_shape)
        file_hash = _hash(path)
    except OSError as error:
        return _failed(task, f"cannot be read: {error.strerror or type(error).__name__}", False)
    except MemoryError:
        return _failed(task, "needs more memory than there is", False)
    except AsclipError as error:
        return _failed(task, _clean(str(error), path, task.path), True)
    except Exception as error:
        # The message of a foreign error may quote the file's header, and so a patient.
        return _failed(task, f"cannot be decoded ({type(error).__name__})", True)
    data = np.ascontiguousarray(item)
    try:
        _write(data, task.entry.slot)
    except OSError as error:
        if error.errno in FULL:
            return _failed(task, DISK_FULL, False)
        raise
    return _done(task.entry, image, data, file_hash)


def _done(entry: Entry, image: Image, item: np.ndarray, file_hash: str) -> Entry:
    spacing = image.spacing
    return replace(
        entry,
        digest=sha256(item.data).hexdigest(),
        file_digest=file_hash,
        shape=tuple(int(count) for count in image.shape),
        spacing=None if spacing is None else tuple(float(mm) for mm in spacing),
        view=image.view,
        modality=image.modality,
        blank=is_blank(item),
    )


def is_blank(item: np.ndarray) -> bool:
    """True for a picture of one value, or of one value and its border (in each channel)."""
    channels = item.reshape(-1, 3).T if item.shape[-1] == 3 else [item.reshape(-1)]
    return all(np.count_nonzero(np.bincount(one, minlength=256)) <= 2 for one in channels)


def _failed(task: Task, reason: str, lasting: bool) -> Entry:
    software = _setup.software if _setup else ""
    return replace(task.entry, reason=reason, lasting=lasting, software=software)


def _check(item: np.ndarray, shape: tuple[int, ...]) -> None:
    if item.shape != tuple(shape) or item.dtype != np.uint8:
        raise FileError(
            f"must become uint8 {tuple(shape)} by the preprocessing, became {item.dtype} "
            f"{item.shape}; give volumes a size of three numbers"
        )


def _write(item: np.ndarray, slot: int) -> None:
    view = item.data.cast("B")
    place = slot * len(view)
    while view:
        # pwrite, not the memory map: a full disk is then an error and not a bus error.
        count = os.pwrite(_pixels, view, place)
        view, place = view[count:], place + count


def _hash(path: Path) -> str:
    if not path.is_dir():
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    total = sha256()
    for part in sorted(entry for entry in path.iterdir() if entry.is_file()):
        with part.open("rb") as file:
            total.update(file_digest(file, "sha256").digest())
    return total.hexdigest()


def _clean(reason: str, path: Path, shown: str) -> str:
    """The reason without the path, which may hold a patient's number and the machine's folders."""
    for name in (str(path), shown, path.name):
        reason = reason.replace(name, "the file")
    return " ".join(reason.split())
