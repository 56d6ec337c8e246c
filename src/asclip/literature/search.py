"""Search by words and facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from asclip.errors import DataError, nearest
from asclip.literature.entry import Paper, plain

FACETS = (
    "year", "venue", "stage", "family", "leaf", "organ", "modality", "status", "listed", "code",
)  # fmt: skip
FIELDS = {"title": 4.0, "key": 3.0, "keywords": 2.0, "authors": 2.0, "venue": 1.0, "leaf": 1.0}


def values(paper: Paper, facet: str) -> tuple[str, ...]:
    """The values of a facet of a paper; `code` and `listed` are yes or no.

    >>> values(Paper("k", "t", organ=("chest", "lung")), "organ")
    ('chest', 'lung')
    """
    value = getattr(paper, facet)
    if facet in ("code", "listed"):
        return ("yes" if value else "no",)
    if isinstance(value, tuple):
        return value
    return () if value in ("", None) else (str(value),)


def narrow(papers: Iterable[Paper], facets: Mapping[str, Any]) -> list[Paper]:
    """The papers that have, for each facet, one of the asked values; "" asks for papers without.

    An unknown facet, or a value that no paper has, is a `DataError` with near names.
    """
    kept = list(papers)
    every = list(kept)
    for facet, asked in facets.items():
        if asked is None:
            continue
        if facet not in FACETS:
            raise DataError(f"no facet is called {facet!r}; {nearest(facet, list(FACETS))}")
        wanted = [asked] if isinstance(asked, str | int) else list(asked)
        known = {plain(value): value for paper in every for value in values(paper, facet)}
        for value in map(str, wanted):
            if value and plain(value) not in known:
                hint = nearest(value, list(known.values()))
                raise DataError(f"no paper has {facet} {value!r}; {hint}")
        asks = {plain(str(value)) for value in wanted}
        kept = [p for p in kept if asks & ({plain(v) for v in values(p, facet)} or {""})]
    return kept


def counts(papers: Iterable[Paper], facet: str) -> dict[str, int]:
    """How many papers have each value, the most frequent first; years in order."""
    found = Counter(value for paper in papers for value in values(paper, facet))
    by_year = facet == "year"
    return dict(sorted(found.items(), key=lambda item: item[0] if by_year else (-item[1], item[0])))


def score(paper: Paper, words: Iterable[str]) -> float:
    """How well a paper fits: 0 unless every word begins a word of one of its fields."""
    total = 0.0
    for word in words:
        best = 0.0
        for field, weight in FIELDS.items():
            value = getattr(paper, field)
            text = plain(" ".join(value) if isinstance(value, tuple) else value).split()
            whole = word in text
            if whole or any(other.startswith(word) for other in text):
                best = max(best, weight * (1.0 if whole else 0.6))
        if not best:
            return 0.0
        total += best
    return total


def search(papers: Iterable[Paper], words: str, facets: Mapping[str, Any]) -> list[Paper]:
    """The papers that have all the words and facets, the best first, then the newest.

    >>> one = Paper("b", "MGCA: alignment", year=2022), Paper("a", "Masked alignment", year=2023)
    >>> [paper.key for paper in search(one, "align", {})]
    ['a', 'b']
    """
    asked = plain(words).split()
    kept = narrow(papers, facets)
    ranked = [(score(paper, asked), paper) for paper in kept]
    ranked = [item for item in ranked if item[0] or not asked]
    return [
        p for _, p in sorted(ranked, key=lambda item: (-item[0], -(item[1].year or 0), item[1].key))
    ]
