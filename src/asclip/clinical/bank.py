"""The catalogues of findings and anatomies: the entries of the JSON files of `data/`, by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from asclip.errors import DataError, nearest

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its wordings, what it looks like, where it lies and what it is a kind of.

    `definition` never holds the name, so that it can stand for a finding that is known by its
    description only. `labels` are names in public label sets, as "CheXpert:Edema". `patterns` are
    regular expressions, in small letters, for wordings that are no fixed phrase.
    """

    name: str
    synonyms: tuple[str, ...]
    definition: str
    anatomy: str
    parent: str | None
    family: str
    labels: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One place of the body; `laterality` is "left", "right" or None, `parent` the larger place."""

    name: str
    synonyms: tuple[str, ...]
    laterality: str | None
    definition: str
    parent: str | None


@cache
def catalogue(name: str) -> dict:
    """The parsed file data/NAME.json."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@cache
def findings() -> dict[str, Finding]:
    """Every finding by its name, in the order of the file."""
    rows = catalogue("findings")["findings"]
    return {row["name"]: Finding(**_tuples(row, "synonyms", "labels", "patterns")) for row in rows}


@cache
def anatomies() -> dict[str, Anatomy]:
    """Every anatomy by its name, in the order of the file."""
    rows = catalogue("anatomies")["anatomies"]
    return {row["name"]: Anatomy(**_tuples(row, "synonyms")) for row in rows}


def _tuples(row: dict, *keys: str) -> dict:
    return {**row, **{key: tuple(row.get(key, ())) for key in keys}}


def version() -> str:
    """The version of the catalogue of findings, for records of a run."""
    return catalogue("findings")["version"]


def reviewed() -> str:
    """Who has checked the catalogue of findings, in the file's own words."""
    return catalogue("findings")["reviewed"]


def plain(name: str) -> str:
    """A name as it is compared: small letters, single blanks, no underscores or hyphens."""
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


@cache
def _names() -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in findings().values():
        labels = [label.partition(":")[2] for label in entry.labels]
        for word in (entry.name, *entry.labels, *labels, *entry.synonyms):
            for spelling in spellings(plain(word)):
                table.setdefault(spelling, entry.name)
    for entry in findings().values():
        table[plain(entry.name)] = entry.name
    return table


def spellings(phrase: str) -> set[str]:
    """British and American spellings of one phrase.

    >>> sorted(spellings("pulmonary oedema"))
    ['pulmonary edema', 'pulmonary oedema']
    """
    pairs = (
        ("oedema", "edema"),
        ("haem", "hem"),
        ("tumour", "tumor"),
        ("naevus", "nevus"),
        ("orrhoeic", "orrheic"),
        ("ischaem", "ischem"),
        ("oeso", "eso"),
        ("orthopaed", "orthoped"),
        ("ization", "isation"),
        ("iber", "ibre"),
    )
    american = phrase
    for british, other in pairs:
        american = american.replace(british, other)
    return {phrase, american}


def canonical(name: str) -> str:
    """The catalogue's name for a finding, a synonym or a label ("Edema", "Pleural_Thickening").

    >>> canonical("NIH:Effusion"), canonical("Edema")
    ('pleural effusion', 'pulmonary oedema')
    """
    found = _names().get(plain(name))
    if found is None:
        raise DataError(_unknown("a finding", name, "findings", list(_names())))
    return found


def canonical_anatomy(name: str) -> str:
    """The catalogue's name for an anatomy or one of its synonyms."""
    found = _anatomy_names().get(plain(name))
    if found is None:
        raise DataError(_unknown("an anatomy", name, "anatomies", list(_anatomy_names())))
    return found


@cache
def _anatomy_names() -> dict[str, str]:
    table: dict[str, str] = {}
    for entry in anatomies().values():
        for word in (entry.name, *entry.synonyms):
            table.setdefault(plain(word), entry.name)
    return table


def _unknown(what: str, name: str, table: str, words: list[str]) -> str:
    """A message with the nearest names, or with the place of all names where none is near."""
    hint = nearest(plain(name), words)
    if hint.startswith("known"):  # hundreds of names help nobody
        hint = f"asclip.clinical.bank.{table}() has them all"
    return f"{what} must be one of the catalogue's; got {name!r}; {hint}"


@cache
def lineage(name: str) -> tuple[str, ...]:
    """The finding's parents, nearest first: what is present too when `name` is present.

    >>> lineage("pneumonia")
    ('consolidation', 'lung opacity')
    """
    parent = findings()[name].parent
    return () if parent is None else (parent, *lineage(parent))
