"""A paper, a data set and a citation: the rows of the tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from asclip.errors import DataError

MANY = ("authors", "organ", "modality", "keywords", "implemented_in", "recipe")
STATUSES = ("noted", "implemented", "reproduced")
ARTICLES = ("a", "an", "the")
# What shows that a paper names another: the last is a documented use, not its list of references.
EVIDENCE = ("paper text", "abstract names it", "title names it", "official repository names it")


@dataclass(frozen=True)
class Paper:
    """One paper. Unknown text is "", an unknown year None, several values are a tuple.

    `status` is what Asclip has of it: noted, implemented (`implemented_in` names modules, `recipe`
    what trains it) or reproduced. `listed` is true for entries of the survey's list; `same_as` is
    the key of the entry that a repeated one repeats. `abstract` is never stored, only given.
    """

    key: str
    title: str
    authors: tuple[str, ...] = ()
    venue: str = ""
    year: int | None = None
    stage: str = ""
    family: str = ""
    leaf: str = ""
    organ: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    link: str = ""
    arxiv_id: str = ""
    doi: str = ""
    code: str = ""
    licence: str = ""
    keywords: tuple[str, ...] = ()
    status: str = "noted"
    implemented_in: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    same_as: str = ""
    listed: bool = False
    abstract: str = ""

    def row(self) -> dict[str, str]:
        """The paper as a row of papers.csv: all text, several values joined by "; "."""
        row = {name: getattr(self, name) for name in COLUMNS}
        row |= {name: "; ".join(row[name]) for name in MANY}
        row |= {"year": "" if self.year is None else str(self.year)}
        return row | {"listed": "yes" if self.listed else "no"}


COLUMNS = tuple(field.name for field in fields(Paper) if field.name != "abstract")


@dataclass(frozen=True)
class DataSet:
    """A data set of image-text pairs; `images` and `texts` are the rounded numbers of the source.

    `models` are published CLIPs trained on it; `access` and `licence` are "" where not known.
    """

    key: str
    name: str
    domain: str
    images: int
    texts: int
    source: str
    language: str
    models: tuple[str, ...]
    link: str
    access: str
    licence: str


@dataclass(frozen=True)
class Citation:
    """`citing` names `cited`; `evidence` says what kind of proof, `source` where it was seen."""

    citing: str
    cited: str
    evidence: str
    source: str


def many(text: str) -> tuple[str, ...]:
    """The values of a cell.

    >>> many("chest; lung")
    ('chest', 'lung')
    """
    return tuple(part.strip() for part in text.split(";") if part.strip())


def year_of(text: str, where: str) -> int | None:
    """A year as a number, None where there is none; anything else is a `DataError`."""
    if not text.strip():
        return None
    if not re.fullmatch(r"(19|20)\d\d", text.strip()):
        raise DataError(f"{where}: a year must be four digits; got {text!r}; correct it")
    return int(text)


def paper_of(row: Mapping[str, str], where: str) -> Paper:
    """The paper of a row; `where` begins the message of a `DataError`."""
    unknown = set(row) - set(COLUMNS)
    if unknown or not row.get("key") or not row.get("title"):
        raise DataError(
            f"{where}: a paper must have a key, a title and no other columns than "
            f"{', '.join(COLUMNS)}; got {', '.join(sorted(map(str, row)))}; correct the row"
        )
    values: dict[str, Any] = {k: many(v) if k in MANY else v.strip() for k, v in row.items()}
    values["year"] = year_of(row.get("year", ""), where)
    values["listed"] = row.get("listed", "no") == "yes"
    return Paper(**values)


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Text for comparison: no accents, case or punctuation.

    >>> plain("MITER: Médical  Image–Text")
    'miter medical image text'
    """
    bare = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", bare.casefold()))


def key_for(authors: Iterable[str], year: int | None, title: str, taken: Iterable[str]) -> str:
    """A key by the rule of the list: last name, year, first word of the title.

    >>> key_for(["Geeticka Chauhan"], 2020, "Joint Modeling", ["chauhan2020joint"])
    'chauhan2020joint-2'
    """
    first = next(iter(authors), "")
    name = plain(first).split()[-1:] or ["anonymous"]
    words = [w.replace("-", "") for w in plain(title.replace("-", "")).split()]
    word = next((word for word in words if word not in ARTICLES), "untitled")
    base, known = f"{name[0]}{year or ''}{word}", set(taken)
    number = 2
    key = base
    while key in known:
        key, number = f"{base}-{number}", number + 1
    return key
