"""Related papers: by their words, their place in the taxonomy, and who cites whom."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.entry import Paper
from asclip.literature.terms import vector_of, vectors
from asclip.literature.words import cosine

WEIGHTS = {"text": 1.0, "taxonomy": 0.5, "citations": 0.5}
NEIGHBOURS = 7


def place(one: Paper, other: Paper) -> float:
    """1 for the same leaf, 1/2 for the same family, 1/8 for the same stage, else 0."""
    if one.leaf and one.leaf == other.leaf:
        return 1.0
    if one.family == other.family:
        return 0.5
    return 0.125 if one.stage == other.stage else 0.0


@lru_cache(maxsize=4)
def links(catalogue: Catalogue) -> dict[str, set[str]]:
    """{key: papers that it cites or that cite it}."""
    found: dict[str, set[str]] = defaultdict(set)
    for citation in catalogue.citations:
        found[citation.citing].add(citation.cited)
        found[citation.cited].add(citation.citing)
    return found


def linked(one: str, other: str, catalogue: Catalogue) -> float:
    """1 if one cites the other, else the sum over common neighbours of 1 / their links, 1 at most.

    To cite what nearly all cite says little, to cite what hardly any other does says much.
    """
    mine, theirs = links(catalogue).get(one, set()), links(catalogue).get(other, set())
    if other in mine:
        return 1.0
    return min(1.0, sum(1 / len(links(catalogue)[key]) for key in mine & theirs))


def guessed(text: dict[str, float], catalogue: Catalogue) -> list[tuple[Paper, float]]:
    """The nearest papers by words and their shares (sum 1): whose place an unplaced paper takes."""
    near = sorted(text.items(), key=lambda item: (-item[1], item[0]))[:NEIGHBOURS]
    total = sum(score for _, score in near)
    return [(catalogue.keys[key], score / total) for key, score in near if total > 0]


def scores(
    paper: Paper, catalogue: Catalogue, *, placed: bool = True, cited: bool = True
) -> list[dict[str, Any]]:
    """Every other paper with its score and the three parts, the nearest first.

    `placed=False` hides the paper's own place: the places of its nearest papers by words stand in
    for it. That is how a new paper is treated, and how the leave-one-out test measures.
    """
    others = [
        other
        for other in catalogue.papers
        if paper.key not in (other.key, other.same_as) and paper.same_as != other.key
    ]
    mine = vector_of(paper, catalogue)
    text = {other.key: cosine(mine, vectors(catalogue)[other.key]) for other in others}
    stand = [(paper, 1.0)] if placed and paper.stage else guessed(text, catalogue)
    found = []
    for other in others:
        parts = {
            "text": text[other.key],
            "taxonomy": sum(share * place(one, other) for one, share in stand),
            "citations": linked(paper.key, other.key, catalogue) if cited else 0.0,
        }
        score = sum(WEIGHTS[name] * value for name, value in parts.items())
        found.append({"key": other.key, "score": score, **parts})
    return sorted(found, key=lambda item: (-item["score"], item["key"]))


def related(paper: Paper, catalogue: Catalogue, *, number: int = 5) -> list[dict[str, Any]]:
    """The nearest papers: key, title, score and its parts; a repeated entry counts once."""
    kept = [found for found in scores(paper, catalogue) if not catalogue.keys[found["key"]].same_as]
    return [
        {
            "key": found["key"],
            "title": catalogue.keys[found["key"]].title,
            **{name: round(found[name], 4) for name in ("score", *WEIGHTS)},
        }
        for found in kept[:number]
    ]


def guess_leaf(paper: Paper, catalogue: Catalogue) -> str:
    """The leaf, within its family if it has one, of most of a paper's nearest papers by words.

    "" if none shares a word with it.
    """
    mine = vector_of(paper, catalogue)
    text = {
        other.key: cosine(mine, vectors(catalogue)[other.key])
        for other in catalogue.papers
        if other.leaf and other.key != paper.key and paper.family in ("", other.family)
    }
    votes: dict[str, float] = defaultdict(float)
    for other, share in guessed(text, catalogue):
        votes[other.leaf] += share
    return max(votes, key=lambda leaf: votes[leaf]) if votes else ""


def leave_one_out(catalogue: Catalogue, *, top: int = 5, placed: bool = False) -> dict[str, float]:
    """How often papers of the same leaf are among the `top` nearest, each paper's place hidden.

    `hits` is the mean share of same-leaf papers in the top, `chance` what a random order gives,
    `ratio` the first by the second. Repeated entries are left out.
    """
    asked = [paper for paper in catalogue.papers if paper.leaf and not paper.same_as]
    hits, chance = [], []
    for paper in asked:
        same = {o.key for o in asked if o.leaf == paper.leaf and o.key != paper.key}
        pool = [f["key"] for f in scores(paper, catalogue, placed=placed)]
        pool = [key for key in pool if catalogue.keys[key] in asked]
        hits.append(len(same.intersection(pool[:top])) / top)
        chance.append(len(same) / len(pool))
    hit, random = sum(hits) / len(hits), sum(chance) / len(chance)
    return {"hits": hit, "chance": random, "ratio": hit / random, "papers": float(len(asked))}
