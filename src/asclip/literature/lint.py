"""Defects of the sources, each with what was done about it.

Two kinds: those on record (`data/defects.csv`: what a reader found and checked, mostly mended
already) and those that can be computed from any list of papers, the catalogue or one that is
brought in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlparse

from asclip.literature.catalogue import Catalogue, kind_of, rows, text_of
from asclip.literature.duplicates import alike, arxiv_of, pairs
from asclip.literature.entry import Paper

REDIRECTS = re.compile(r"^(www\.)?google\.[a-z.]+$|^t\.co$|^bit\.ly$|^goo\.gl$|^tinyurl\.com$")
Defect = dict[str, str]


def defect(key: str, kind: str, found: str, done: str = "", detail: str = "") -> Defect:
    """One line of the report; `done` is "" where nothing was."""
    return {"key": key, "kind": kind, "found": found, "done": done, "detail": detail}


def recorded() -> list[Defect]:
    """The defects on record."""
    return [dict(row) for _, row in rows(text_of("defects.csv"), "defects.csv")]


def missing(papers: Iterable[Paper]) -> list[Defect]:
    """Papers without title, authors, venue, year or link."""
    wanted = ("title", "authors", "venue", "year", "link")
    return [
        defect(paper.key, "missing field", f"no {name}")
        for paper in papers
        for name in wanted
        if not getattr(paper, name)
    ]


def redirects(papers: Iterable[Paper]) -> list[Defect]:
    """Links that lead elsewhere through a third party."""
    return [
        defect(paper.key, "redirect link", f"the link is a redirect by {urlparse(link).netloc}")
        for paper in papers
        for link in (paper.link, paper.code)
        if REDIRECTS.match(urlparse(link).netloc.lower())
    ]


def repeated(papers: Iterable[Paper]) -> list[Defect]:
    """Papers that are there twice, and different papers with one link or one list of authors."""
    found = []
    for earlier, later, why in pairs(papers):
        settled = earlier.key in (later.same_as,) or later.key == earlier.same_as
        done = "marked" if settled else ""
        if why in ("same link", "same DOI", "same arXiv number") and alike(earlier, later) < 0.5:
            found.append(defect(later.key, "wrong link", f"{why} as {earlier.key}, another title"))
        else:
            found.append(defect(later.key, "duplicate", f"{why} as {earlier.key}", done))
    return found


def borrowed(papers: Iterable[Paper]) -> list[Defect]:
    """Different papers with the same authors in the same order: one list may be the other's."""
    first: dict[tuple[str, ...], Paper] = {}
    found = []
    for paper in papers:
        if len(paper.authors) < 2:
            continue
        earlier = first.setdefault(paper.authors, paper)
        same = paper.same_as == earlier.key or alike(earlier, paper) >= 0.5
        if earlier is not paper and not same:
            text = f"the authors are those of {earlier.key}; one list may be the other's"
            found.append(defect(paper.key, "same authors", text))
    return found


def shared_code(papers: Iterable[Paper]) -> list[Defect]:
    """Code links that several papers have."""
    first: dict[str, Paper] = {}
    found = []
    for paper in papers:
        link = paper.code.lower().rstrip("/")
        if not link:
            continue
        earlier = first.setdefault(link, paper)
        if earlier is not paper and paper.same_as != earlier.key:
            found.append(defect(paper.key, "code link", f"the code link is that of {earlier.key}"))
    return found


def dates(papers: Iterable[Paper]) -> list[Defect]:
    """Years that the arXiv number contradicts, and preprints whose link is not arXiv's."""
    found = []
    for paper in papers:
        number = arxiv_of(paper)
        seen = 2000 + int(number[:2]) if number else None
        if seen and paper.year and paper.venue == "arXiv" and paper.year != seen:
            text = f"year {paper.year}, but the arXiv number {number} is of {seen}"
            found.append(defect(paper.key, "year", text))
        elif seen and paper.year and paper.year < seen:
            text = f"year {paper.year} is before that of the arXiv number {number}"
            found.append(defect(paper.key, "year", text))
        host = urlparse(paper.link).netloc
        if kind_of(paper) == "preprint" and host and not host.endswith("arxiv.org"):
            text = f"the venue is {paper.venue or 'not given'}, the link is at {host}"
            found.append(defect(paper.key, "venue", text))
    return found


def computed(papers: Iterable[Paper]) -> list[Defect]:
    """The defects that can be seen in any list of papers, in the list's order."""
    every = list(papers)
    checks = (missing, redirects, repeated, borrowed, shared_code, dates)
    found = [line for check in checks for line in check(every)]
    order = {paper.key: place for place, paper in enumerate(every)}
    return sorted(found, key=lambda line: order[line["key"]])


def lint(catalogue: Catalogue) -> list[Defect]:
    """The defects on record, then those computed that no record of the paper and kind covers."""
    known = recorded()
    covered = {(line["key"], line["kind"]) for line in known}
    fresh = [
        line for line in computed(catalogue.papers) if (line["key"], line["kind"]) not in covered
    ]
    return known + fresh
