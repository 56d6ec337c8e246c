"""What was decoded, one line of JSON per file, so that a killed ingest continues.

A line is written only after the file's pixels are in their slot. A file is named by a keyed
pseudonym of its path, because paths often hold patient numbers.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from asclip.data.atomic import disk_errors
from asclip.errors import DataError, ResourceError

JOURNAL_FILE = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: where its pixels lie, or the `reason` why there are none.

    `file` is the pseudonym of its path; `size` and `mtime_ns` tell whether it has changed.
    `digest` is the sha256 of the cached pixels, `file_digest` of the file's bytes; `shape` and
    `spacing` (mm, NaN unknown) are the original's. `blank`: one grey value, perhaps in a border.
    `lasting`: the same file will fail again; `software` names the decoders that said so.
    """

    file: str
    size: int
    mtime_ns: int
    slot: int
    digest: str = ""
    file_digest: str = ""
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] | None = None
    view: str = ""
    modality: str = ""
    blank: bool = False
    reason: str = ""
    lasting: bool = True
    software: str = ""

    def to_line(self) -> bytes:
        """The entry as a line; unknown millimetres are null."""
        fields = {name: value for name, value in asdict(self).items() if value not in ("", None)}
        if self.spacing is not None:
            fields["spacing"] = [None if math.isnan(mm) else mm for mm in self.spacing]
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Entry:
        """The entry of a parsed line.

        Raises:
            TypeError: fields that no entry has.
        """
        values = dict(fields)
        if values.get("spacing") is not None:
            values["spacing"] = tuple(math.nan if mm is None else mm for mm in values["spacing"])
        values["shape"] = tuple(values.get("shape", ()))
        return cls(**values)


class Journal:
    """The open journal of one data set; one process at a time may hold it.

    `entries` maps a file's pseudonym to its last entry; `finished` is True if the last run came to
    its end (its pixels are then known to be on the disk).

    Raises:
        DataError: another process holds it, or it was begun with other settings.
    """

    def __init__(self, folder: Path, header: Mapping[str, str], *, fresh: bool = False) -> None:
        self.folder = folder
        with disk_errors(folder):
            # No buffer: what a full disk refused must not be written by a later call.
            self._file = (folder / JOURNAL_FILE).open("a+b", buffering=0)
        try:
            self._lock()
            if fresh:
                self._file.truncate(0)
            self.entries, self.finished = self._read(header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries whose pixels are written.

        Raises:
            ResourceError: the disk is full; what was added before stays valid.
        """
        found = list(entries)
        self._write(b"".join(entry.to_line() for entry in found))
        self.entries.update({entry.file: entry for entry in found})

    def finish(self) -> None:
        """Note that everything before this line is on the disk."""
        if not self.finished:
            os.fsync(self._file.fileno())
            self._write(b'{"finished":true}\n')
            self.finished = True

    def _write(self, data: bytes) -> None:
        end = os.fstat(self._file.fileno()).st_size
        with disk_errors(self.folder, len(data)):
            try:
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) :]
            except OSError:
                self._file.truncate(end)
                raise
        self.finished = False

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on this system; two ingests at once are then the user's care
            return
        try:
            # A record lock: workers that are forked from here do not inherit it.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another ingest is writing to {self.folder}; wait for it, or choose another --out"
            ) from None
        except OSError as error:
            raise ResourceError(f"{JOURNAL_FILE} cannot be locked: {error.strerror}") from None

    def _read(self, header: Mapping[str, str]) -> tuple[dict[str, Entry], bool]:
        self._file.seek(0)
        data = self._file.read()
        end = data.rfind(b"\n") + 1
        if end < len(data):  # a line that a kill or a full disk cut short
            self._file.truncate(end)
        lines = data[:end].splitlines()
        if not lines:
            self._write(json.dumps({"header": dict(header)}).encode() + b"\n")
            return {}, False
        self._check(lines[0], header)
        entries: dict[str, Entry] = {}
        finished = False
        for line in lines[1:]:
            try:
                fields = json.loads(line)
                finished = bool(fields.get("finished"))
                if not finished:
                    entry = Entry.from_fields(fields)
                    entries[entry.file] = entry
            except (ValueError, TypeError, AttributeError):
                finished = False  # a damaged line: its file is decoded again
        return entries, finished

    def _check(self, line: bytes, header: Mapping[str, str]) -> None:
        try:
            found = json.loads(line)["header"]
        except (ValueError, KeyError, TypeError):
            found = {}
        for name, value in header.items():
            if found.get(name) != value:
                raise DataError(
                    f"{self.folder} was begun with another {name} ({found.get(name)}, now {value}) "
                    "and one data set has one; pass --fresh to start over, or another --out"
                )
