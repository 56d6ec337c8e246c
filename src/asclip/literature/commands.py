"""What `asclip papers` calls: functions that take and give plain values.

Every mistake of the user is a `DataError` with what must hold, what was got and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asclip.errors import DataError
from asclip.literature import adding, cache, online, results
from asclip.literature import bring as bringing
from asclip.literature import cite as citing
from asclip.literature import links as linking
from asclip.literature import lint as linting
from asclip.literature import network as networking
from asclip.literature import related as relating
from asclip.literature import search as searching
from asclip.literature import stats as counting
from asclip.literature.catalogue import load
from asclip.literature.entry import Paper
from asclip.literature.page import listing, page
from asclip.literature.terms import key_terms
from asclip.literature.web import Web


def list_papers(filters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The papers that pass the filters (facet: value or values), one dict each, in table order."""
    return [listing(paper) for paper in searching.narrow(load().papers, filters or {})]


def list_datasets() -> list[dict[str, Any]]:
    """The data sets, one dict each."""
    return [{**vars(one), "models": list(one.models)} for one in load().datasets]


def show(key: str, abstract: str = "") -> dict[str, Any]:
    """The page of a paper; `abstract` sharpens its key terms and is not kept."""
    return page(load().paper(key), load(), abstract=abstract, results=results.load())


def text_of(path: str | Path) -> str:
    """The text of a file; one that is not there, or is not UTF-8, is a `DataError`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        what = type(problem).__name__
        raise DataError(
            f"{path} must be a text file in UTF-8; got {what}; correct its path or save it again"
        ) from None


def related(key: str, number: int = 5) -> list[dict[str, Any]]:
    """The nearest papers with their scores."""
    return relating.related(load().paper(key), load(), number=number)


def terms(key: str, abstract: str = "", number: int = 20) -> list[tuple[str, float]]:
    """The key terms of a paper with their weights."""
    return key_terms(load().paper(key), load(), abstract=abstract, number=number)


def network(keys: Iterable[str] = (), steps: int = 1, limit: int = 1000) -> dict[str, Any]:
    """Nodes and edges of the citation graph around papers."""
    return networking.network(load(), keys, steps=steps, limit=limit)


def search(words: str, facets: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """{"papers": the best first, "facets": {facet: {value: count among them}}}."""
    found = searching.search(load().papers, words, facets or {})
    tables = {facet: searching.counts(found, facet) for facet in searching.FACETS}
    return {"papers": [listing(paper) for paper in found], "facets": tables}


def cite(keys: Iterable[str] | str = (), format: str = "bibtex") -> str:
    """The text of a file with these papers, or with all if no key is given."""
    chosen = [keys] if isinstance(keys, str) else list(keys)
    papers = [load().paper(key) for key in chosen] if chosen else load().papers
    return citing.cite(papers, format)


def stats() -> dict[str, Any]:
    """Counts of the catalogue."""
    return counting.stats(load())


def lint(path: str | Path = "", form: str = "") -> list[dict[str, str]]:
    """The defects of the sources; with a path those that can be seen in that file of papers."""
    if not path:
        return linting.lint(load())
    return linting.computed(read(path, form))


def check_links(path: str | Path = "", form: str = "", web: Web | None = None) -> list[dict]:
    """Links of the catalogue, or of a file of papers, that are dead or could not be checked."""
    papers = read(path, form) if path else load().papers
    return linking.check(papers, web or Web(), cache.folder("links") / "answers.json")


def read(path: str | Path, form: str = "") -> list[Paper]:
    """Every paper of a file, repeated ones too."""
    found = bringing.bring(path, (), form=form)
    return [*found.new, *(paper for paper, _, _ in found.known)]


Told = dict[str, list[dict[str, Any]]]


def bring(
    path: str | Path,
    form: str = "",
    *,
    fields: Mapping[str, Any] | None = None,
    to: str | Path = "",
) -> Told:
    """{"new": papers, "known": papers with `same` (a key) and `why`} of a file.

    With `fields` (laid over each new paper) or `to` (a table) the new ones are added as by `add`.
    """
    return taken(bringing.bring(path, load().papers, form=form), fields, to)


def fetch(
    word: str,
    web: Web | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    to: str | Path = "",
) -> Told:
    """The same of a paper that a service knows by its number, such as `arxiv:2103.00020`."""
    papers = online.fetch(word, web or Web(), cache.folder("papers"))
    return taken(bringing.sort_out(papers, load().papers), fields, to)


def taken(found: bringing.Brought, fields: Mapping[str, Any] | None, to: str | Path) -> Told:
    """New and known papers as plain values; the new ones checked and written where asked for."""
    known = [listing(paper) | {"same": key, "why": why} for paper, key, why in found.known]
    if not fields and not to:
        return {"new": [listing(one) | hint(one) for one in found.new], "known": known}
    new = []
    for paper in found.new:
        try:
            new.append(adding.checked(paper.row() | dict(fields or {}), load()))
        except DataError as problem:
            raise DataError(f"{paper.key}: {problem}") from None
    if to:
        adding.append(new, to, load())
    return {"new": [added(paper) for paper in new], "known": known}


def add(fields: Mapping[str, Any], to: str | Path = "") -> dict[str, Any]:
    """The checked paper of a form, its CSV `line` and a `leaf_hint`; written if `to` is given.

    `to` is a table of papers (the project's `papers.csv`, or one of the user's own).
    """
    paper = adding.checked(fields, load())
    if to:
        adding.append([paper], to, load())
    return added(paper)


def added(paper: Paper) -> dict[str, Any]:
    """A checked paper as plain values, with its line of a table."""
    return listing(paper) | hint(paper) | {"line": adding.line(paper)}


def hint(paper: Paper) -> dict[str, str]:
    """The leaf of a paper, or where papers with its words are."""
    return {"leaf_hint": paper.leaf or relating.guess_leaf(paper, load())}
