"""What objectives may know of a data set besides its images and texts, computed once.

Learned from the training studies (which findings occur, where; the range of metadata; the words
that matter), then applied to either side: `Knowledge.learn(train, ...)`, `knowledge.of(part, ...)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.clinical import descriptions
from asclip.clinical.bank import findings
from asclip.clinical.extract import location_matrix, report_findings
from asclip.data import groups
from asclip.data.change import changed
from asclip.data.concepts import concepts
from asclip.data.dataset import Dataset
from asclip.data.meaning import directions, fitted
from asclip.data.metadata import columns, table
from asclip.data.queries import (
    answerable,
    catalogued,
    defined,
    frequent_findings,
    frequent_places,
    wordings,
)
from asclip.data.texts import Pieces
from asclip.errors import DataError

if TYPE_CHECKING:
    from pandas import Series
    from sklearn.pipeline import Pipeline

FROM = ("report", "labels", "both")
CHANGES = {"worse": 1.0, "unchanged": 0.0, "better": -1.0}


@dataclass(frozen=True)
class Knowledge:
    """Which facts there are, and how to compute them for the studies of a part.

    `findings` [F] and `places` [A] are names of the clinical catalogue (or of label columns that it
    does not know). `columns` are the columns of `meta`. `source` is "report", "labels" or "both".
    `undenied` are findings of a query network that are absent where they are not stated, see
    `queries.answerable`.
    """

    needs: frozenset[str]
    source: str = "report"
    findings: tuple[str, ...] = ()
    undenied: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    concepts: dict[str, str] = field(default_factory=dict)  # name -> definition without the name
    columns: tuple[tuple[str, str], ...] = ()  # (fact, value); "" is a number
    scale: dict[str, tuple[float, float]] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)  # fact -> names of groups
    meaning: Pipeline | None = None

    @classmethod
    def learn(
        cls,
        train: Dataset,
        pieces: Pieces,
        needs: frozenset[str],
        *,
        source: str = "report",
        own: str = "",
    ) -> Knowledge:
        """What the training studies offer of what `needs` names; `own` is a file of concepts.

        Raises:
            DataError: findings are needed and none occurs, or facts are needed and there are none.
        """
        if source not in FROM:
            raise DataError(f"facts must be one of {', '.join(FROM)}; got {source!r}")
        bare = cls(needs, source)
        known: dict[str, Any] = {}
        told = bare.reads("findings", "stated", "location", "change")
        if told or bare.streams("definitions", "queries", "places"):
            known["findings"] = frequent_findings(train, pieces, source)
        if bare.streams("queries"):
            known |= _asked(cls(needs, source, **known), train, pieces)
        if bare.reads("location") or bare.streams("places"):
            known["places"] = frequent_places(train, pieces, known["findings"])
        if own or bare.streams("names", "meanings"):
            known["concepts"] = concepts(own)
        if bare.reads("meta"):
            known["columns"], known["scale"] = columns(train)
        known["groups"] = {fact: groups.learn(train, fact) for fact in groups.asked(needs)}
        if bare.reads("meaning", "report"):
            known["meaning"] = fitted(pieces)
        return cls(needs, source, **known)

    def reads(self, *names: str) -> bool:
        """True if any of these facts is needed."""
        return any(f"facts.{name}" in self.needs for name in names)

    def streams(self, *names: str) -> bool:
        """True if any of these streams is needed."""
        return any(need.partition(".")[0] in names for need in self.needs)

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """The knowledge streams: a text for each finding, and for each place.

        The "queries" are all wordings of the first finding, then those of the second, ...
        """
        found = {}
        if self.streams("queries"):
            found["queries"] = [text for texts in self.wordings for text in texts]
        if self.streams("definitions"):
            found["definitions"] = [defined(name, self.concepts) for name in self.findings]
        if self.streams("names", "meanings"):
            # Denials too: a name that only ever stands alone would not know what "no" does to it.
            found["names"] = [no + name for no in ("", "no ") for name in self.concepts]
            found["meanings"] = [no + text for no in ("", "no ") for text in self.concepts.values()]
        if self.streams("places"):
            found["places"] = descriptions.places(list(self.places))
        return found

    @cached_property
    def wordings(self) -> tuple[tuple[str, ...], ...]:
        """In what words each finding can be asked for."""
        return tuple(wordings(name, self.concepts) for name in self.findings)

    @property
    def names(self) -> dict[str, list[str]]:
        """What the columns of the facts are, for the record; {} where no fact is needed."""
        found = {
            "findings": list(self.findings),
            "undenied": list(self.undenied),
            "places": list(self.places),
            "meta": [f"{name}={value}" if value else name for name, value in self.columns],
        } | {fact: list(names) for fact, names in self.groups.items()}
        return {name: values for name, values in found.items() if values}

    def of(self, part: Dataset, pieces: Pieces) -> tuple[dict[str, Any], dict[str, Any]]:
        """(facts with a row a study, facts with a row a text of `pieces`), numpy arrays."""
        studies: dict[str, np.ndarray] = {}
        texts: dict[str, np.ndarray] = {}
        told = [pieces.texts[w] if w >= 0 else "" for w in pieces.whole]
        if self.reads("findings"):
            studies["findings"] = self._findings(part, told)
        if self.reads("normal"):
            studies["normal"] = self._normal(part, told)
        if self.reads("location"):
            studies["location"] = self._location(told)
        if self.reads("change"):
            studies["change"] = self._change(part, told)
        if self.reads("meta"):
            studies["meta"] = table(part, self.columns, self.scale)
        for fact, names in self.groups.items():
            studies[fact] = groups.codes(part, fact, names)
        if self.reads("stated"):
            # One sentence may be silent of what is there, so it never denies by silence.
            texts["stated"] = _said(pieces.texts, self.findings)
            texts["stated"][:, self._undenied()] = np.nan
        if self.meaning is not None:
            if self.reads("meaning"):
                texts["meaning"] = directions(self.meaning, pieces.texts)
            if self.reads("report"):
                studies["report"] = directions(self.meaning, told)
        return studies, texts

    def _undenied(self) -> np.ndarray:
        return np.array([name in self.undenied for name in self.findings], bool)

    def _findings(self, part: Dataset, told: list[str]) -> np.ndarray:
        result = np.full((len(part), len(self.findings)), np.nan, np.float32)
        silent = np.zeros(result.shape, bool)
        if self.source != "labels":
            result = _said(told, self.findings)
            if self.undenied:
                unsaid = np.isnan(_said(told, self.findings, uncertain="present"))
                silent = unsaid & np.array([bool(text) for text in told])[:, None]
        if self.source != "report":
            matrix = part.label_matrix()
            names = [catalogued(name) for name in part.labels]
            for column, name in enumerate(self.findings):
                if name in names:
                    known = matrix[:, names.index(name)]
                    result[:, column] = np.where(np.isnan(known), result[:, column], known)
            if self.source == "labels":
                silent[:] = ~np.isnan(matrix).all(axis=1, keepdims=True)
        return np.where(silent & self._undenied() & np.isnan(result), np.float32(0), result)

    def _normal(self, part: Dataset, told: list[str]) -> np.ndarray:
        """Which studies are called normal, whatever is stated of single findings, [n] bool."""
        result = np.zeros(len(part), bool)
        if self.source != "labels":
            result |= _said(told, ["no finding"])[:, 0] == 1
        if self.source != "report":
            named = np.array([catalogued(name) == "no finding" for name in part.labels], bool)
            result |= (part.label_matrix()[:, named] == 1).any(1)
        return result

    def _location(self, told: list[str]) -> np.ndarray:
        known = [name for name in self.findings if name in findings()]
        columns = [self.findings.index(name) for name in known]
        result = np.zeros((len(told), len(self.findings), len(self.places)), np.float32)
        for row, text in enumerate(told):
            result[row, columns] = location_matrix(text, known, self.places)
        return result

    def _change(self, part: Dataset, told: list[str]) -> np.ndarray:
        prefix = "change:"
        given = [name for name in part.meta_names if name.startswith(prefix)]
        named = {catalogued(name.removeprefix(prefix)): name for name in given}
        columns = []
        for name in self.findings:
            if name in named:
                columns.append(_compared(named[name], part.meta(named[name])))
            else:
                columns.append(np.array([changed(text, name) for text in told], np.float32))
        return np.stack(columns, 1)


def _compared(name: str, values: Series) -> np.ndarray:
    """A column of changes as 1, 0, -1 and NaN.

    Raises:
        DataError: it holds anything else.
    """
    known = {**CHANGES, **dict.fromkeys(("1", "1.0"), 1.0), **dict.fromkeys(("0", "0.0"), 0.0)}
    known |= dict.fromkeys(("-1", "-1.0"), -1.0) | {"nan": np.nan, "None": np.nan}
    words = [str(value) for value in values.tolist()]
    if wrong := [word for word in words if word not in known]:
        raise DataError(
            f"column {name!r} must hold {', '.join(CHANGES)} (or 1, 0, -1) and nothing where the "
            f"change is not known; got {wrong[0]!r}; correct it in the table, or leave it out and "
            "the report is read"
        )
    return np.array([known[word] for word in words], np.float32)


def _said(texts: Sequence[str], names: Sequence[str], uncertain: str = "nan") -> np.ndarray:
    """What each text says of each finding [n, F]; NaN for what the catalogue does not know."""
    columns = [column for column, name in enumerate(names) if name in findings()]
    known = [names[column] for column in columns]
    values = np.full((len(texts), len(names)), np.nan, np.float32)
    for row, text in enumerate(texts):
        if text:
            values[row, columns] = report_findings(text, known, uncertain=uncertain)
    return values


def _asked(known: Knowledge, train: Dataset, pieces: Pieces) -> dict[str, tuple[str, ...]]:
    """The findings that a query network is asked for, and those of them that nobody denies."""
    told = [pieces.texts[w] if w >= 0 else "" for w in pieces.whole]
    asked, undenied = answerable(known._findings(train, told))
    names = np.array(known.findings)
    chosen = {"findings": names[asked], "undenied": names[asked & undenied]}
    return {key: tuple(found.tolist()) for key, found in chosen.items()}
