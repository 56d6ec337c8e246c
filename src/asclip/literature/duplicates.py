"""Papers that are there twice: by number, by link, by title."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from asclip.literature.entry import Paper, plain

NEAR = 0.8


def arxiv_of(paper: Paper) -> str:
    """The arXiv number without a version, from the field or the link.

    >>> arxiv_of(Paper("k", "t", link="https://arxiv.org/pdf/2210.06044v2.pdf"))
    '2210.06044'
    """
    found = re.search(r"\d{4}\.\d{4,5}", paper.arxiv_id) or re.search(
        r"arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{4,5})", paper.link
    )
    return found.group(found.lastindex or 0) if found else ""


def doi_of(paper: Paper) -> str:
    """The DOI in lower case, from the field or the link; arXiv's own DOIs do not count."""
    found = re.search(r"10\.\d{4,9}/[^\s?#]+", paper.doi or paper.link)
    doi = found.group().lower().rstrip(".") if found else ""
    return "" if doi.startswith("10.48550/") else doi


def link_of(paper: Paper) -> str:
    """The link without what differs between writings of the same address."""
    return re.sub(r"^https?://(www\.)?|/$", "", paper.link.strip()).lower()


def alike(one: Paper, other: Paper) -> float:
    """Jaccard similarity of the words of two titles."""
    mine, theirs = set(plain(one.title).split()), set(plain(other.title).split())
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0


SAME: dict[str, Callable[[Paper], str]] = {
    "DOI": doi_of,
    "arXiv number": arxiv_of,
    "title": lambda paper: plain(paper.title),
    "link": link_of,
}


def why_same(one: Paper, other: Paper) -> str:
    """Why two papers are, or may be, one; "" if nothing says so.

    >>> why_same(Paper("a", "The X-ray"), Paper("b", "the X ray"))
    'same title'
    """
    for name, value in SAME.items():
        if value(one) and value(one) == value(other):
            return f"same {name}"
    first = [plain(p.authors[0]).split()[-1:] if p.authors else [] for p in (one, other)]
    if first[0] and first[0] == first[1] and alike(one, other) >= NEAR:
        return "same first author and nearly the same title"
    return ""


def pairs(papers: Iterable[Paper]) -> list[tuple[Paper, Paper, str]]:
    """(earlier paper, later paper, why) for all that may be one."""
    every = list(papers)
    found = []
    for number, later in enumerate(every):
        for earlier in every[:number]:
            if why := why_same(earlier, later):
                found.append((earlier, later, why))
    return found
