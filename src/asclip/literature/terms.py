"""Key terms of a paper: the 1-2-grams that weigh most by TF-IDF within the catalogue."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from asclip.literature.catalogue import Catalogue
from asclip.literature.entry import Paper
from asclip.literature.words import Vector, frequencies, grams, text_of, weigh


@lru_cache(maxsize=4)
def vectors(catalogue: Catalogue) -> dict[str, Vector]:
    """{key: TF-IDF vector of unit length} of every paper."""
    texts = {paper.key: text_of(paper) for paper in catalogue.papers}
    counts, number = frequencies(texts.values())
    return {key: weigh(text, counts, number) for key, text in texts.items()}


def vector_of(paper: Paper, catalogue: Catalogue) -> Vector:
    """The vector of any paper against the catalogue's frequencies, with or without an abstract."""
    counts, number = document_frequencies(catalogue)
    return weigh(text_of(paper), counts, number)


@lru_cache(maxsize=4)
def document_frequencies(catalogue: Catalogue) -> tuple[Counter[str], int]:
    """In how many papers each gram occurs, and the number of papers."""
    return frequencies(text_of(paper) for paper in catalogue.papers)


def key_terms(
    paper: Paper, catalogue: Catalogue, *, abstract: str = "", number: int = 20
) -> list[tuple[str, float]]:
    """At most `number` (term, weight), the heaviest first; a short title may have fewer.

    A pair of words that no other paper has, or a word said once that no other has, is rather an
    accident of the sentence than a term: it is taken only where room is left. The weights are
    parts of a vector of unit length over all 1-2-grams. `abstract` is read, never stored.
    """
    given = replace(paper, abstract=abstract or paper.abstract)
    weights = vector_of(given, catalogue)
    counts, _ = document_frequencies(catalogue)
    said = Counter(grams(text_of(given)))
    own = set(grams(text_of(paper))) if paper.key in catalogue.keys else set()

    def order(term: str) -> tuple[bool, float, str]:
        unknown = counts[term] - (term in own) < 1
        return unknown and (" " in term or said[term] == 1), -weights[term], term

    chosen = sorted(sorted(weights, key=order)[:number], key=lambda term: (-weights[term], term))
    return [(term, round(weights[term], 4)) for term in chosen]
