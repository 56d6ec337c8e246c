"""Rows of a table -> studies: images united, distinct texts joined, labels that must agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from asclip.data.sources import labels as label_cells
from asclip.data.sources.columns import Columns
from asclip.data.sources.reading import Cell
from asclip.data.splits import side_named
from asclip.errors import DataError
from asclip.types import Study


@dataclass(slots=True)
class Draft:
    """A study while its rows are read; `row` is its first."""

    patient: str
    row: int
    images: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, float] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    split: str | None = None
    signal: str | None = None


class Merge:
    """Rows -> studies, with what was refused and what is worth a note."""

    def __init__(self, columns: Columns, root: Path, table: str) -> None:
        self.columns = columns
        self.root = root
        self.table = table
        self.drafts: dict[str, Draft] = {}
        self.refused: list[tuple[str, str]] = []
        self.label_names: list[str] = []
        self.separator = "|"
        self.rows = self.merged = self.differing = 0

    def read(self, cells: dict[str, list[Cell]]) -> None:
        """Take in every row; rows are counted from 1, the header is not one."""
        columns = self.columns
        self.label_names = list(columns.label)
        if columns.labels:
            listed = cells[columns.labels]
            self.separator = label_cells.separator(listed)
            found = {name for cell in listed for name in label_cells.names(cell, self.separator)}
            self.label_names += sorted(found - set(columns.label))
        names = list(cells)
        for row, values in enumerate(zip(*cells.values(), strict=True), start=1):
            self._row(row, dict(zip(names, values, strict=True)))
            self.rows = row
        if not self.rows:
            raise DataError(f"{self.table}: the table must have rows, got only a header")

    def _row(self, row: int, cells: dict[str, Cell]) -> None:
        images = self._images(cells)
        patient = _text(cells[self.columns.patient])
        shown = next(iter(images), "")
        if not images:
            self.refused.append((shown, f"data row {row} names no image"))
            return
        if not patient:
            self.refused.append((shown, f"data row {row} names no patient"))
            return
        study = _text(cells[self.columns.study]) if self.columns.study else ""
        study = study or "\0".join((patient, *images))
        draft = self.drafts.get(study)
        if draft is None:
            draft = self.drafts[study] = Draft(patient, row)
        else:
            self.merged += 1
            if draft.patient != patient:
                raise DataError(
                    f"{self.table}: a study id must belong to one patient; data rows {draft.row} "
                    f"and {row} share a study id under two patients. Map another column to study, "
                    "or make the ids unique"
                )
        for image, view in images.items():
            draft.images[image] = draft.images.get(image) or view
        self._facts(draft, row, cells)

    def _images(self, cells: dict[str, Cell]) -> dict[str, str]:
        """Path -> view of one row."""
        result: dict[str, str] = {}
        view = cells[self.columns.view] if self.columns.view else ""
        for column in self.columns.image:
            paths = self._paths(cells[column])
            views = view if isinstance(view, list) else [view] * len(paths)
            if isinstance(view, str) and len(paths) > 1:
                parts = [part.strip() for part in view.split(label_cells.separator([view]))]
                views = parts if len(parts) == len(paths) else views
            if not self.columns.view and len(self.columns.image) > 1:
                views = [column] * len(paths)
            views = views if len(views) == len(paths) else [""] * len(paths)
            for path, name in zip(paths, views, strict=True):
                result.setdefault(path, name)
        return result

    def _paths(self, cell: Cell) -> list[str]:
        if isinstance(cell, list):
            return cell
        for sign in ("|", ";"):
            # A file's own name may hold the sign; only a cell that is no file is a list.
            if sign in cell and len(cell) < 100_000 and not _exists(self.root, cell):
                return [part for part in (p.strip() for p in cell.split(sign)) if part]
        return [cell] if cell else []

    def _facts(self, draft: Draft, row: int, cells: dict[str, Cell]) -> None:
        columns = self.columns
        for name, parts in columns.texts.items():
            text = "\n".join(filter(None, (_text(cells[part]) for part in parts)))
            if text and text not in draft.texts.setdefault(name, []):
                draft.texts[name].append(text)
        for name, value in self._labels(row, cells).items():
            agreed = label_cells.agree(draft.labels.get(name, label_cells.NAN), value)
            if agreed is None:
                raise DataError(
                    f"{self.table}: rows of one study must agree on its labels; data rows "
                    f"{draft.row} and {row} differ on {name!r}. Correct one, or leave it blank"
                )
            draft.labels[name] = agreed
        for name, column in columns.meta.items():
            value = _text(cells[column])
            kept = draft.meta.setdefault(name, value) or value
            self.differing += bool(value) and kept != value
            draft.meta[name] = kept
        self._split(draft, row, cells)
        self._signal(draft, row, cells)

    def _signal(self, draft: Draft, row: int, cells: dict[str, Cell]) -> None:
        path = _text(cells[self.columns.signal]) if self.columns.signal else ""
        if path and draft.signal and path != draft.signal:
            raise DataError(
                f"{self.table}: a study has one signal; data rows {draft.row} and {row} of one "
                "study name two. Keep one of them, or leave the other cell blank"
            )
        draft.signal = draft.signal or path or None

    def _split(self, draft: Draft, row: int, cells: dict[str, Cell]) -> None:
        if not self.columns.split:
            return
        word = _text(cells[self.columns.split])
        split = side_named(word, where=f"{self.table}, data row {row}") if word else None
        if split and draft.split and split != draft.split:
            raise DataError(
                f"{self.table}: rows of one study must be in one split; data rows {draft.row} and "
                f"{row} are in {draft.split} and {split}"
            )
        draft.split = draft.split or split

    def _labels(self, row: int, cells: dict[str, Cell]) -> dict[str, float]:
        columns = self.columns
        result = {
            name: label_cells.parse(cells[column], row=row, column=column)
            for name, column in columns.label.items()
        }
        if columns.labels:
            found = label_cells.names(cells[columns.labels], self.separator)
            for name in self.label_names:
                if name not in columns.label:
                    stated = 1.0 if name in found else 0.0
                    result[name] = stated if found else label_cells.NAN
        return result

    def finish(self) -> list[Study]:
        """The studies, in the order of their first row."""
        texts, facts = self.columns.texts, self.columns.meta
        return [
            Study(
                id=key,
                patient=draft.patient,
                images=tuple(draft.images),
                views=tuple(draft.images.values()),
                texts={name: "\n".join(draft.texts.get(name, [])) for name in texts},
                labels=dict(draft.labels),
                meta={name: draft.meta.get(name) or None for name in facts},
                split=draft.split,
                signal=draft.signal,
            )
            for key, draft in self.drafts.items()
        ]

    def notes(self) -> list[str]:
        """What a user should know about the merge."""
        result = []
        if self.merged:
            result.append(f"{self.merged} rows were merged into the study they belong to")
        if self.differing:
            result.append(f"{self.differing} metadata cells differ within a study; the first holds")
        if self.refused:
            result.append(f"{len(self.refused)} rows name no image or no patient and are refused")
        if self.columns.labels:
            result.append(
                f"the names in column {self.columns.labels!r} are separated by {self.separator!r}; "
                "a name that is absent from a filled cell counts as 0"
            )
        if "text" not in self.columns.texts:
            result.append("no column is mapped to text: the studies have labels only")
        return result


def _exists(root: Path, path: str) -> bool:
    try:
        return (root / path).exists()
    except (OSError, ValueError):
        return False


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else ", ".join(cell)
