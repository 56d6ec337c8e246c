"""Adding a paper to a table, after checks."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from asclip.errors import DataError, nearest
from asclip.literature.catalogue import Catalogue, check_place, read_papers
from asclip.literature.duplicates import why_same
from asclip.literature.entry import COLUMNS, MANY, Paper, key_for, paper_of
from asclip.literature.lint import missing

NEEDED = ("title", "authors", "year", "venue", "link", "stage", "family")


def form(fields: Mapping[str, Any]) -> Paper:
    """The paper of what was filled in; texts may be lists. An unknown field is a `DataError`."""
    for name in fields:
        if name not in COLUMNS:
            raise DataError(f"a paper has no field {name!r}; {nearest(name, list(COLUMNS))}")
    row = {
        name: "; ".join(value) if isinstance(value, list | tuple) else str(value or "")
        for name, value in fields.items()
    }
    for name in MANY:
        row[name] = row.get(name, "")
    empty = [name for name in NEEDED if not row.get(name, "").strip()]
    if empty:
        raise DataError(f"a new paper must have {', '.join(NEEDED)}; missing: {', '.join(empty)}")
    return paper_of({"key": "new", **row}, "the new paper")


def checked(fields: Mapping[str, Any], catalogue: Catalogue) -> Paper:
    """The new paper with a key of its own; a repeated one or an unknown place is a `DataError`."""
    paper = form(fields)
    check_place(paper, catalogue.taxonomy, "the new paper")
    if paper.key == "new":
        key = key_for(paper.authors, paper.year, paper.title, catalogue.keys)
        paper = replace(paper, key=key)
    elif paper.key in catalogue.keys:
        raise DataError(f"a key must be unique; {paper.key!r} is in the catalogue; choose another")
    for other in catalogue.papers:
        if (why := why_same(other, paper)) and paper.same_as != other.key:
            mend = f"set same_as={other.key} if it shall be listed twice"
            raise DataError(f"the paper must be new; {other.key} has the {why}; {mend}")
    faults = missing([paper])
    if faults:
        raise DataError(f"the new paper has {', '.join(fault['found'] for fault in faults)}")
    return paper


def line(paper: Paper, *, header: bool = False) -> str:
    """The line of papers.csv for a paper, with its line end."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerow(paper.row())
    return text.getvalue()


def append(papers: Iterable[Paper], path: str | Path, catalogue: Catalogue) -> None:
    """Adds papers to a table, which is made if there is none; all of them or, on a fault, none."""
    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"the folder of {path.name} must exist; it does not; make it first")
    new = path.read_text(encoding="utf-8") if path.exists() else ""
    new += "" if not new or new.endswith("\n") else "\n"
    for paper in papers:
        new += line(paper, header=not new)
    read_papers(new, path.name, catalogue.taxonomy)
    path.write_text(new, encoding="utf-8")
