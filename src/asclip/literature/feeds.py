"""Files of arXiv (Atom), Semantic Scholar, OpenAlex and CSL (JSON)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from asclip.errors import DataError
from asclip.literature.entry import Paper, key_for, many, year_of

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"


def bare_doi(text: str | None) -> str:
    """A DOI without its address."""
    return re.sub(r"^https?://(dx\.)?doi\.org/", "", text or "")


def read_atom(text: str) -> list[Paper]:
    """The papers of an answer of arXiv's API; broken XML is a `DataError` with its line."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        line = problem.position[0]
        raise DataError(f"line {line}: the file must be XML; {problem}; save it again") from None
    papers: dict[str, Paper] = {}
    for number, item in enumerate(root.iter(f"{ATOM}entry"), 1):

        def said(name: str, item: ElementTree.Element = item) -> str:
            return " ".join((item.findtext(name) or "").split())

        names = [" ".join((n.text or "").split()) for n in item.iter(f"{ATOM}name")]
        found = re.search(r"\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7}", said(f"{ATOM}id"))
        arxiv, title = found.group() if found else "", said(f"{ATOM}title")
        if not title:
            raise DataError(f"entry {number}: an entry must have a title; got none; remove it")
        year = year_of(said(f"{ATOM}published")[:4], f"entry {number}")
        key = key_for(names, year, title, papers)
        papers[key] = Paper(
            key=key,
            title=title,
            authors=tuple(names),
            venue=said(f"{ARXIV}journal_ref") or "arXiv",
            year=year,
            link=f"https://arxiv.org/abs/{arxiv}" if arxiv else said(f"{ATOM}id"),
            arxiv_id=arxiv,
            doi=said(f"{ARXIV}doi"),
            abstract=said(f"{ATOM}summary"),
        )
    return list(papers.values())


def read_json(text: str) -> list[Paper]:
    """The papers of JSON of Semantic Scholar, OpenAlex or CSL; broken JSON names its line."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as problem:
        must = f"line {problem.lineno}, column {problem.colno}: the file must be JSON"
        raise DataError(f"{must}; {problem.msg}; correct it there or save it again") from None
    if isinstance(found, dict):
        found = next((found[k] for k in ("data", "results") if k in found), [found])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise DataError(
            "the JSON must be a paper or a list of papers; got something else; see help"
        )
    papers: dict[str, Paper] = {}
    for number, item in enumerate(found, 1):
        item = item.get("citedPaper") or item.get("citingPaper") or item.get("paper") or item
        make = open_alex if "authorships" in item else semantic_scholar
        make = csl if "issued" in item or "container-title" in item else make
        try:
            paper = make(item, papers)
        except (AttributeError, TypeError, KeyError, IndexError) as problem:
            where = f"item {number}"
            raise DataError(f"{where}: a field has another form than known ({problem})") from None
        if not paper.title:
            raise DataError(f"item {number}: a paper must have a title; got none; remove it")
        if paper.key in papers:
            must = f"item {number}: an id must be unique; {paper.key!r} was used before"
            raise DataError(f"{must}; rename one")
        papers[paper.key] = paper
    return list(papers.values())


def semantic_scholar(item: dict[str, Any], taken: Iterable[str]) -> Paper:
    """The paper of an item of Semantic Scholar's API."""
    names = tuple(author["name"] for author in item.get("authors") or ())
    numbers = item.get("externalIds") or {}
    title, year = " ".join((item.get("title") or "").split()), item.get("year")
    return Paper(
        key=key_for(names, year, title, taken),
        title=title,
        authors=names,
        venue=item.get("venue") or "",
        year=year,
        link=item.get("url") or "",
        arxiv_id=numbers.get("ArXiv") or "",
        doi=bare_doi(numbers.get("DOI")),
        abstract=item.get("abstract") or "",
    )


def open_alex(item: dict[str, Any], taken: Iterable[str]) -> Paper:
    """The paper of an item of OpenAlex's API."""
    names = tuple(author["author"]["display_name"] for author in item.get("authorships") or ())
    place = item.get("primary_location") or {}
    title = " ".join((item.get("title") or item.get("display_name") or "").split())
    year, link = item.get("publication_year"), place.get("landing_page_url") or item.get("id") or ""
    found = re.search(r"arxiv\.org/abs/(\d{4}\.\d{4,5})", link)
    return Paper(
        key=key_for(names, year, title, taken),
        title=title,
        authors=names,
        venue=(place.get("source") or {}).get("display_name") or "",
        year=year,
        link=link,
        arxiv_id=found.group(1) if found else "",
        doi=bare_doi(item.get("doi")),
        keywords=tuple(word["display_name"] for word in item.get("keywords") or ()),
    )


def csl(item: dict[str, Any], taken: Iterable[str]) -> Paper:
    """The paper of an item of CSL-JSON, as Zotero and `cite` write it."""
    people = item.get("author") or ()
    names = tuple(
        one.get("literal") or f"{one.get('given', '')} {one['family']}".strip() for one in people
    )
    title = " ".join((item.get("title") or "").split())
    dates = (item.get("issued") or {}).get("date-parts")
    year = int(dates[0][0]) if dates else None
    in_arxiv = str(item.get("archive", "")).casefold() == "arxiv"
    words = item.get("keyword") or ""
    return Paper(
        key=str(item.get("id") or key_for(names, year, title, taken)),
        title=title,
        authors=names,
        venue=item.get("container-title") or "",
        year=year,
        link=item.get("URL") or "",
        arxiv_id=item.get("archive_location") or "" if in_arxiv else "",
        doi=bare_doi(item.get("DOI")),
        keywords=many(words if ";" in words else words.replace(",", ";")),
        abstract=item.get("abstract") or "",
    )
