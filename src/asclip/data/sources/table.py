"""Any table of images and texts (CSV, TSV, Parquet, JSON Lines) as a source of studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from asclip.data.sources.columns import resolve
from asclip.data.sources.merge import Merge
from asclip.data.sources.reading import open_table
from asclip.errors import DataError
from asclip.types import Study


class Table:
    """The studies of a table; rows of one study are merged.

    `mapping` is role -> column(s), see `columns.py`; paths are relative to `root`, which defaults
    to the table's folder. Without a `study` column each row is a study (the same patient and
    images twice: one study). Columns without a role are dropped: one could hold a name.

    `notes` say what was decided, `refused` lists (path, reason) of rows that are no study,
    `labels` the label names, `digest` the sha256 of the file.

    Raises:
        DataError: a column that is missing, an empty table, an unreadable encoding, a label that
            is neither 1, 0 nor not stated, a study of two patients, rows that contradict.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        root: str | Path | None = None,
        mapping: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self.path = Path(path)
        raw = open_table(self.path)
        self.name = name or self.path.stem
        self.root = Path(root) if root is not None else self.path.parent
        if not self.root.is_dir():
            raise DataError(f"--root must be the folder of the images; there is none at {root}")
        self.digest = raw.digest
        columns = resolve(mapping or {}, raw.columns, self.path.name)
        self.mapping = columns.to_json()
        self.notes = list(raw.notes)
        dropped = [column for column in raw.columns if column not in columns.used()]
        if dropped:
            self.notes.append(f"columns without a role were dropped: {', '.join(dropped)}")
        merge = Merge(columns, self.root, self.path.name)
        merge.read(raw.load(columns.used()))
        self._studies = merge.finish()
        self.refused = tuple(merge.refused)
        self.labels = tuple(merge.label_names)
        self.notes += merge.notes()

    def studies(self) -> Iterator[Study]:
        """Every study, in the order of its first row."""
        yield from self._studies

    def __len__(self) -> int:
        return len(self._studies)
