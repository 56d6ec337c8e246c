"""Where a path of a table leads: into the root, or into quarantine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = "outside the root"


@dataclass(frozen=True, slots=True)
class Found:
    """A file (or a folder with a DICOM series) inside the root.

    `path` is relative to the root, with links and '..' resolved; of a folder, `size` is the sum
    and `mtime_ns` the latest of its files.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A path that is not read: as the table has it, and why."""

    path: str
    reason: str


def locate(root: Path, path: str) -> Found | Lost:
    """The file that `path` (relative to `root`, or absolute inside it) stands for.

    `root` must be resolved. A backslash counts as a separator where nothing else is found.
    """
    shown = path if len(path) <= 300 else path[:300] + "..."
    try:
        place = Path(os.path.realpath(root / path))
        if not place.exists() and "\\" in path:
            place = Path(os.path.realpath(root / path.replace("\\", "/")))
        if not place.is_relative_to(root):
            return Lost(shown, OUTSIDE)
        size, mtime_ns = _stamp(place)
    except FileNotFoundError:
        return Lost(shown, "no such file")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a valid path"
        return Lost(shown, str(reason))
    return Found(place.relative_to(root).as_posix(), size, mtime_ns)


def _stamp(place: Path) -> tuple[int, int]:
    if not place.is_dir():
        found = place.stat()
        return found.st_size, found.st_mtime_ns
    with os.scandir(place) as entries:
        stats = [entry.stat() for entry in entries if entry.is_file()]
    newest = max((found.st_mtime_ns for found in stats), default=0)
    return sum(found.st_size for found in stats), newest


def assign_slots(files: Iterable[str], known: dict[str, int]) -> dict[str, int]:
    """File -> slot: a known file keeps its own, the others take the lowest free ones in order.

    The order of the files, not the moment at which each was done, decides: a killed and continued
    ingest puts every file where an unbroken one does.

    >>> assign_slots(["a", "b", "c"], {"b": 0, "old": 2})
    {'a': 1, 'b': 0, 'c': 3}
    """
    taken = set(known.values())
    result: dict[str, int] = {}
    free = 0
    for file in files:
        if file in known:
            result[file] = known[file]
            continue
        while free in taken:
            free += 1
        taken.add(free)
        result[file] = free
    return result
