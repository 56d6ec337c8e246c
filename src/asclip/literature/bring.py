"""Papers from files of reference managers and portals, and whether they are here already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from asclip.errors import DataError, nearest
from asclip.literature import awesome, bibtex, feeds, tagged
from asclip.literature.catalogue import read_papers, taxonomy
from asclip.literature.duplicates import why_same
from asclip.literature.entry import Paper


def read_table(text: str) -> list[Paper]:
    """The papers of a table like the catalogue's own, as `asclip papers add --to` writes it."""
    return list(read_papers(text, "", taxonomy()))


FORMS: dict[str, Callable[[str], list[Paper]]] = {
    "bibtex": bibtex.read,
    "ris": tagged.read_ris,
    "arxiv": feeds.read_atom,
    "json": feeds.read_json,
    "markdown": awesome.read,
    "table": read_table,
}
ENDINGS = {
    ".bib": "bibtex", ".ris": "ris", ".atom": "arxiv", ".xml": "arxiv", ".json": "json",
    ".md": "markdown", ".csv": "table",
}  # fmt: skip


@dataclass(frozen=True)
class Brought:
    """What a file has: `new` papers, and `known` ones as (paper, key of the other, why)."""

    new: tuple[Paper, ...]
    known: tuple[tuple[Paper, str, str], ...]


def read(text: str, form: str) -> list[Paper]:
    """The papers of a text; unreadable text is a `DataError` with line and mend."""
    if form not in FORMS:
        raise DataError(f"no form is called {form!r}; {nearest(form, list(FORMS))}")
    papers = FORMS[form](text.lstrip("\ufeff"))
    if not papers:
        got = repr(text.strip()[:20]) if text.strip() else "an empty file"
        raise DataError(f"line 1: the file must hold papers as {form}; got {got}; choose another")
    return papers


def bring(path: str | Path, existing: Iterable[Paper], *, form: str = "") -> Brought:
    """The papers of a file, apart by whether `existing` or an earlier one in the file has them.

    The form follows from the file's ending unless it is given.
    """
    path = Path(path)
    form = form or ENDINGS.get(path.suffix.lower(), "")
    if not form:
        known = ", ".join(ENDINGS)
        raise DataError(f"{path.name}: the ending must be one of {known}; rename it")
    try:
        papers = read(path.read_text(encoding="utf-8"), form)
    except DataError as problem:
        raise DataError(f"{path.name}, {problem}") from None
    except FileNotFoundError:
        raise DataError(f"{path.name} must exist; it does not; correct its path") from None
    except UnicodeDecodeError as problem:
        must = f"{path.name}: the file must be UTF-8; got byte {problem.start} of another encoding"
        raise DataError(f"{must}; save it as UTF-8") from None
    return sort_out(papers, existing)


def sort_out(papers: Iterable[Paper], existing: Iterable[Paper]) -> Brought:
    """New and known papers."""
    seen, new, known = list(existing), [], []
    for paper in papers:
        reasons = ((other.key, why_same(other, paper)) for other in seen)
        found = next(((key, why) for key, why in reasons if why), None)
        if found:
            known.append((paper, *found))
        else:
            new.append(paper)
            seen.append(paper)
    return Brought(tuple(new), tuple(known))
