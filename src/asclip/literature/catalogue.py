"""The tables of `data/`, read and checked."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from io import StringIO
from typing import Any

from asclip.errors import DataError, nearest
from asclip.literature.entry import EVIDENCE, STATUSES, Citation, DataSet, Paper, many, paper_of


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Papers, data sets, citations, and the taxonomy {stage: {family: [leaf]}}."""

    papers: tuple[Paper, ...]
    datasets: tuple[DataSet, ...] = ()
    citations: tuple[Citation, ...] = ()
    taxonomy: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    @cached_property
    def keys(self) -> dict[str, Paper]:
        """The papers by key."""
        return {paper.key: paper for paper in self.papers}

    def paper(self, key: str) -> Paper:
        """The paper of that key; a typo lists near keys."""
        if key not in self.keys:
            hint = nearest(key, list(self.keys)) if len(key) > 3 else "see `asclip papers list`"
            if hint.startswith("known:"):
                hint = "see `asclip papers list`"
            raise DataError(f"a key must be one of the catalogue; got {key!r}; {hint}")
        return self.keys[key]


def text_of(name: str) -> str:
    """The text of a file in `data/`."""
    return files("asclip.literature").joinpath("data", name).read_text(encoding="utf-8")


def rows(text: str, name: str) -> Iterable[tuple[str, dict[str, str]]]:
    """(where, row) of a CSV; a row with too few or many cells is a `DataError`."""
    reader = csv.DictReader(StringIO(text))
    for row in reader:
        where = f"{name}, line {reader.line_num}".removeprefix(", ")
        if None in row or None in row.values():
            wanted = len(reader.fieldnames or ())
            raise DataError(f"{where}: a row must have {wanted} cells; count its commas and quotes")
        yield where, row


def check_place(paper: Paper, taxonomy: dict[str, dict[str, list[str]]], where: str) -> None:
    """A `DataError` unless stage, family and leaf are a branch (an empty leaf is allowed)."""
    families = taxonomy.get(paper.stage)
    if families is None:
        raise DataError(
            f"{where}: unknown stage {paper.stage!r}; {nearest_of(paper.stage, taxonomy)}"
        )
    leaves = families.get(paper.family)
    if leaves is None:
        hint = nearest_of(paper.family, families)
        raise DataError(f"{where}: stage {paper.stage!r} has no family {paper.family!r}; {hint}")
    if paper.leaf and paper.leaf not in leaves:
        hint = nearest_of(paper.leaf, leaves)
        raise DataError(f"{where}: family {paper.family!r} has no leaf {paper.leaf!r}; {hint}")


def nearest_of(word: str, known: Iterable[str]) -> str:
    """The hint of `nearest` for any collection of names."""
    return nearest(word, list(known)) if known else "it has none: leave it empty"


def read_papers(
    text: str, name: str, taxonomy: dict[str, dict[str, list[str]]]
) -> tuple[Paper, ...]:
    """The papers of a table; keys must be unique, places and statuses known."""
    found: dict[str, Paper] = {}
    for where, row in rows(text, name):
        paper = paper_of(row, where)
        if paper.key in found:
            raise DataError(f"{where}: a key must be unique; {paper.key!r} was used before; rename")
        if paper.status not in STATUSES:
            hint = nearest(paper.status, list(STATUSES))
            raise DataError(f"{where}: unknown status {paper.status!r}; {hint}")
        check_place(paper, taxonomy, where)
        found[paper.key] = paper
    return tuple(found.values())


def read_citations(text: str, name: str, known: Iterable[str]) -> tuple[Citation, ...]:
    """The citations of a table: both ends must be papers, each pair once, with its evidence."""
    papers = set(known)
    found: dict[tuple[str, str], Citation] = {}
    for where, row in rows(text, name):
        pair = row["citing"], row["cited"]
        for key in pair:
            if key not in papers:
                raise DataError(f"{where}: {key!r} must be a paper's key; correct or remove it")
        if pair in found or pair[0] == pair[1]:
            must = "a citation must join two papers, and once"
            raise DataError(f"{where}: {must}; got {' -> '.join(pair)}; remove the line")
        unknown = set(many(row["evidence"])) - set(EVIDENCE)
        if unknown or not row["evidence"] or not row["source"]:
            must = f"a citation must have a source and evidence of: {', '.join(EVIDENCE)}"
            raise DataError(f"{where}: {must}; got {row['evidence']!r}; complete the line")
        found[pair] = Citation(**row)
    return tuple(found.values())


def read_datasets(text: str, name: str) -> tuple[DataSet, ...]:
    """The data sets of a table."""
    numbers: dict[str, Callable[[str], Any]] = {"images": int, "texts": int, "models": many}
    return tuple(
        DataSet(**{k: numbers.get(k, str)(v) for k, v in row.items()})
        for _, row in rows(text, name)
    )


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """The catalogue of this version, read once."""
    tree = taxonomy()
    papers = read_papers(text_of("papers.csv"), "papers.csv", tree)
    keys = [paper.key for paper in papers]
    return Catalogue(
        papers=papers,
        datasets=read_datasets(text_of("datasets.csv"), "datasets.csv"),
        citations=read_citations(text_of("citations.csv"), "citations.csv", keys),
        taxonomy=tree,
        about=json.loads(text_of("about.json")),
    )


def taxonomy() -> dict[str, dict[str, list[str]]]:
    """{stage: {family: [leaf]}} in the order of the survey's figure."""
    return json.loads(text_of("taxonomy.json"))["tree"]


@lru_cache(maxsize=1)
def venues() -> dict[str, str]:
    """{venue: journal, conference or preprint}."""
    return {row["venue"]: row["kind"] for _, row in rows(text_of("venues.csv"), "venues.csv")}


def kind_of(paper: Paper) -> str:
    """What a paper is: journal, conference or preprint; an unknown venue with words is a journal.

    >>> kind_of(Paper("k", "t", venue="MICCAI")), kind_of(Paper("k", "t", venue="arXiv"))
    ('conference', 'preprint')
    """
    if not paper.venue:
        return "preprint"
    guess = "conference" if "onference" in paper.venue or "orkshop" in paper.venue else "journal"
    return venues().get(paper.venue, guess)
