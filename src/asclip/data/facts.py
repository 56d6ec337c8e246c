"""What objectives may know of a data set besides its images and texts, computed once.

Learned from the training studies (which findings occur, where; the range of metadata; the words
that matter), then applied to either side: `Knowledge.learn(train, ...)`, `knowledge.of(part, ...)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.clinical import descriptions
from asclip.clinical.bank import anatomies, canonical, findings
from asclip.clinical.extract import location_matrix, report_findings
from asclip.data.change import changed
from asclip.data.concepts import concepts
from asclip.data.dataset import Dataset
from asclip.data.texts import Pieces
from asclip.errors import DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FROM = ("report", "labels", "both")
ASKED = ("change:", "truth:")
SELDOM = 5  # studies of the training split in which a finding or a place must occur
MEANING = 64  # E of `meaning` and `report`
CATEGORIES = 8  # most values of a fact that become columns of their own
CHANGES = {"worse": 1.0, "unchanged": 0.0, "better": -1.0}


@dataclass(frozen=True)
class Knowledge:
    """Which facts there are, and how to compute them for the studies of a part.

    `findings` [F] and `places` [A] are names of the clinical catalogue (or of label columns that it
    does not know). `columns` are the columns of `meta`. `source` is "report", "labels" or "both".
    """

    needs: frozenset[str]
    source: str = "report"
    findings: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    concepts: dict[str, str] = field(default_factory=dict)  # name -> definition without the name
    columns: tuple[tuple[str, str], ...] = ()  # (fact, value); "" is a number
    scale: dict[str, tuple[float, float]] = field(default_factory=dict)
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
        if told or bare.streams("definitions", "places"):
            known["findings"] = _frequent_findings(train, pieces, source)
        if bare.reads("location") or bare.streams("places"):
            known["places"] = _frequent_places(train, pieces, known["findings"])
        if own or bare.streams("names", "meanings"):
            known["concepts"] = concepts(own)
        if bare.reads("meta"):
            known["columns"], known["scale"] = _columns(train)
        if bare.reads("meaning", "report"):
            known["meaning"] = _meaning(pieces)
        return cls(needs, source, **known)

    def reads(self, *names: str) -> bool:
        """True if any of these facts is needed."""
        return any(f"facts.{name}" in self.needs for name in names)

    def streams(self, *names: str) -> bool:
        """True if any of these streams is needed."""
        return any(need.partition(".")[0] in names for need in self.needs)

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """The knowledge streams: a text for each finding, and for each place."""
        found = {}
        if self.streams("definitions"):
            found["definitions"] = [self._defined(name) for name in self.findings]
        if self.streams("names", "meanings"):
            # Denials too: a name that only ever stands alone would not know what "no" does to it.
            found["names"] = [no + name for no in ("", "no ") for name in self.concepts]
            found["meanings"] = [no + text for no in ("", "no ") for text in self.concepts.values()]
        if self.streams("places"):
            found["places"] = descriptions.places(list(self.places))
        return found

    @property
    def names(self) -> dict[str, list[str]]:
        """What the columns of the facts are, for the record; {} where no fact is needed."""
        found = {
            "findings": list(self.findings),
            "places": list(self.places),
            "meta": [f"{name}={value}" if value else name for name, value in self.columns],
        }
        return {name: values for name, values in found.items() if values}

    def of(self, part: Dataset, pieces: Pieces) -> tuple[dict[str, Any], dict[str, Any]]:
        """(facts with a row a study, facts with a row a text of `pieces`), numpy arrays."""
        studies: dict[str, np.ndarray] = {}
        texts: dict[str, np.ndarray] = {}
        told = [pieces.texts[w] if w >= 0 else "" for w in pieces.whole]
        if self.reads("findings"):
            studies["findings"] = self._findings(part, told)
        if self.reads("location"):
            studies["location"] = self._location(told)
        if self.reads("change"):
            studies["change"] = self._change(part, told)
        if self.reads("meta"):
            studies["meta"] = self._meta(part)
        if self.reads("stated"):
            texts["stated"] = self._stated(pieces.texts)
        if self.meaning is not None:
            if self.reads("meaning"):
                texts["meaning"] = _directions(self.meaning, pieces.texts)
            if self.reads("report"):
                studies["report"] = _directions(self.meaning, told)
        return studies, texts

    def _defined(self, name: str) -> str:
        if name in self.concepts:
            return f"{name}: {self.concepts[name]}"
        return descriptions.definitions([name])[0] if name in findings() else name

    def _stated(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([_said(text, self.findings) for text in texts] or [np.zeros(0)])

    def _findings(self, part: Dataset, told: list[str]) -> np.ndarray:
        shape = (len(part), len(self.findings))
        result = np.full(shape, np.nan, np.float32)
        if self.source != "labels":
            result = self._stated(told).reshape(shape)
        if self.source != "report":
            matrix = part.label_matrix()
            names = [_catalogued(name) for name in part.labels]
            for column, name in enumerate(self.findings):
                if name in names:
                    known = matrix[:, names.index(name)]
                    result[:, column] = np.where(np.isnan(known), result[:, column], known)
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
        named = {_catalogued(name.removeprefix(prefix)): name for name in given}
        columns = []
        for name in self.findings:
            if name in named:
                columns.append(part.meta(named[name]).replace(CHANGES).to_numpy(np.float32))
            else:
                columns.append(np.array([changed(text, name) for text in told], np.float32))
        return np.stack(columns, 1)

    def _meta(self, part: Dataset) -> np.ndarray:
        result = np.full((len(part), len(self.columns)), np.nan, np.float32)
        for column, (name, value) in enumerate(self.columns):
            facts = part.meta(name)
            if value:
                known = facts.notna().to_numpy()
                result[known, column] = (facts[known].astype(str) == value).to_numpy(np.float32)
            else:
                middle, spread = self.scale[name]
                result[:, column] = (facts.to_numpy(np.float64) - middle) / spread
        return result


def _catalogued(name: str) -> str:
    """The catalogue's name of a label, or the label itself."""
    try:
        return canonical(name)
    except DataError:
        return name


def _said(text: str, names: Sequence[str]) -> np.ndarray:
    """What a text says of each finding; NaN for what the catalogue does not know."""
    known = [name for name in names if name in findings()]
    values = dict(zip(known, report_findings(text, known), strict=True)) if text else {}
    return np.array([values.get(name, np.nan) for name in names], np.float32)


def _frequent_findings(train: Dataset, pieces: Pieces, source: str) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    if source != "labels":
        everything = list(findings())
        told = [pieces.texts[w] for w in pieces.whole if w >= 0]
        present = sum((np.nan_to_num(report_findings(t)) for t in told), np.zeros(len(everything)))
        families = findings()
        for name, count in zip(everything, present, strict=True):
            if families[name].family != "normal" and name != "no finding":
                counts[name] = int(count)
    if source != "report":
        for name, column in zip(train.labels, train.label_matrix().T, strict=True):
            known = _catalogued(name)
            counts[known] = max(counts.get(known, 0), int((column == 1).sum()))
    names = tuple(name for name, count in counts.items() if count >= SELDOM)
    if not names:
        raise DataError(
            f"this recipe learns from findings; none occurs in {SELDOM} training studies (from "
            f"{source}); use --facts labels with label columns, or a recipe without findings"
        )
    return names


def _frequent_places(train: Dataset, pieces: Pieces, names: tuple[str, ...]) -> tuple[str, ...]:
    places = list(anatomies())
    told = [pieces.texts[w] for w in pieces.whole if w >= 0]
    known = [name for name in names if name in findings()]
    counts = np.zeros(len(places))
    for text in told:
        counts += location_matrix(text, known, places).any(0)
    chosen = tuple(p for p, count in zip(places, counts, strict=True) if count >= SELDOM)
    # A method that asks where findings lie must be able to run where reports seldom say it.
    return chosen or tuple(dict.fromkeys(findings()[name].anatomy for name in known))


def _columns(
    train: Dataset,
) -> tuple[tuple[tuple[str, str], ...], dict[str, tuple[float, float]]]:
    """Numbers as they are; of words a column for each value that `SELDOM` patients have.

    Facts called `change:...` or `truth:...` are what a model will be asked: not for training.
    """
    columns: list[tuple[str, str]] = []
    scale: dict[str, tuple[float, float]] = {}
    patient = train.patient_codes()
    for name in train.meta_names:
        facts = train.meta(name)
        known = facts.dropna()
        if len(known) < SELDOM or known.nunique() < 2 or name.startswith(ASKED):
            continue
        if known.dtype.kind in "fiub":
            values = known.to_numpy(np.float64)
            scale[name] = (float(values.mean()), float(values.std()))
            columns.append((name, ""))
            continue
        # By patient: a name stands in all of one patient's studies, and values go into the record.
        seen = set(zip(patient[facts.notna()].tolist(), map(str, known), strict=True))
        counts = Counter(word for _, word in seen).most_common()
        if len(counts) <= len(seen) / 2:  # a fact that is different each time is a name
            columns += [(name, word) for word, count in counts[:CATEGORIES] if count >= SELDOM]
    if not columns:
        raise DataError(
            "this recipe learns from metadata; the data set has no fact with two known values; "
            "ingest the table with --map meta=AGE,SEX,..., or use another recipe"
        )
    return tuple(columns), scale


def _meaning(pieces: Pieces) -> Pipeline:
    """Latent semantic analysis of the training texts: TF-IDF of 1-2-grams, truncated SVD."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    try:
        width = words.fit_transform(pieces.texts).shape[1]
    except ValueError:
        raise DataError(
            "this recipe compares texts; no word occurs in two training texts; add texts"
        ) from None
    return make_pipeline(words, TruncatedSVD(max(1, min(MEANING, width - 1)), random_state=0)).fit(
        pieces.texts
    )


def _directions(meaning: Pipeline, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors [n, E] float32; a text without a known word is the zero vector."""
    vectors = np.asarray(meaning.transform(list(texts)), np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
