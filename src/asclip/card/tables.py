"""Scores -> the tables of the page: one per task, none of the scores lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from asclip.card.names import (
    PER_LABEL,
    SINGLE_LABEL,
    base,
    direction,
    heading,
    metric,
    recall_depth,
)
from asclip.types import Predictions, Score


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label of a zero-shot task; counts are None where no predictions were given."""

    label: str
    auroc: Score | None
    precision: Score | None
    bound: Score | None
    positives: int | None
    n: int
    others: dict[str, Score] = field(default_factory=dict)

    @property
    def prevalence(self) -> float:
        """Share of positives among the scored; NaN when unknown."""
        if self.positives is not None and self.n:
            return self.positives / self.n
        known = self.precision is not None and self.precision.chance is not None
        return float(self.precision.chance or 0) if known and self.precision else math.nan


@dataclass(frozen=True, slots=True)
class LabelTable:
    """AUROC and average precision per label of one task; `macro` is the mean over labels."""

    title: str
    rows: tuple[LabelRow, ...]
    macro: LabelRow | None
    single_label: bool

    @property
    def has_bound(self) -> bool:
        """True where a supervised score stands beside at least one row."""
        return any(row.bound for row in (*self.rows, *([self.macro] if self.macro else [])))

    @property
    def has_precision(self) -> bool:
        """True where average precision was computed for at least one row."""
        return any(row.precision for row in (*self.rows, *([self.macro] if self.macro else [])))

    @property
    def has_undefined(self) -> bool:
        """True where a label has no AUROC."""
        return any(row.auroc is None or math.isnan(row.auroc.value) for row in self.rows)

    @property
    def has_prevalence(self) -> bool:
        """True where the share of positives is known for at least one label."""
        return any(not math.isnan(row.prevalence) for row in self.rows)


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores of one task, one row each."""

    title: str
    rows: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class RetrievalTable:
    """Ranking scores of one direction, R@k in order of k, then the other metrics.

    `texts` is the number of distinct texts in the pool, None where the predictions do not say.
    """

    title: str
    direction: str
    rows: tuple[Score, ...]
    texts: int | None = None


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables of a card."""

    labels: tuple[LabelTable, ...]
    single: tuple[ScoreTable, ...]
    retrieval: tuple[RetrievalTable, ...]
    others: tuple[ScoreTable, ...]


def arrange(
    scores: Sequence[Score], predictions: Sequence[Predictions], bound: Sequence[Score]
) -> Tables:
    """The tables of a page, in the order in which the tasks first come."""
    labels, single, retrieval, others = [], [], [], []
    for title, group in _groups(scores).items():
        if any(recall_depth(score) for score in group):
            retrieval += _retrieval(title, group, _matching(group, predictions))
            continue
        is_single = any(metric(score) in SINGLE_LABEL for score in group)
        per_label = [score for score in group if metric(score) in PER_LABEL]
        rest = [score for score in group if metric(score) not in PER_LABEL]
        if per_label:
            labels.append(_labels(title, per_label, _matching(group, predictions), bound))
            labels[-1] = replace(labels[-1], single_label=is_single)
        if rest:
            (single if is_single else others).append(ScoreTable(title, tuple(rest)))
    return Tables(tuple(labels), tuple(single), tuple(retrieval), tuple(others))


def counts(predictions: Predictions, label: str) -> tuple[int, int] | None:
    """(positives, all) of the studies that state a label and have a score for it.

    None for a label that the predictions lack.
    """
    if label not in predictions.labels:
        return None
    column = predictions.labels.index(label)
    truth = np.asarray(predictions.truth, dtype=float)[:, column]
    scored = np.isfinite(np.asarray(predictions.scores, dtype=float)[:, column])
    return int((truth[scored] == 1).sum()), int(np.isfinite(truth[scored]).sum())


def _groups(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """Scores of one task, prompt set and so on together, under a heading that tells them apart."""
    by_task: dict[str, list[Score]] = {}
    for score in scores:
        by_task.setdefault(base(score.task), []).append(score)
    result: dict[str, list[Score]] = {}
    for task, group in by_task.items():
        told = [
            name
            for name in ("dataset", "split", "seed")
            if len({getattr(score, name) for score in group}) > 1
        ]
        for score in group:
            name = heading(task, score.prompts)
            if told:
                name += " (" + ", ".join(f"{one} {getattr(score, one)}" for one in told) + ")"
            result.setdefault(name, []).append(score)
    return result


def _matching(group: list[Score], predictions: Sequence[Predictions]) -> Predictions | None:
    score = group[0]
    for name in ("task", "split", "prompts"):  # one after another: each only where it is stated
        same = [p for p in predictions if p.provenance.get(name) == getattr(score, name)]
        predictions = same or ([] if name == "task" else predictions)
    return predictions[0] if predictions else None


def _labels(
    title: str, group: list[Score], predictions: Predictions | None, bound: Sequence[Score]
) -> LabelTable:
    names = list(dict.fromkeys(score.label for score in group))
    defined = [s.label for s in group if metric(s) == "auroc" and not math.isnan(s.value)]
    bounds = _bounds(names, bound, [name for name in defined if name not in ("macro", "")])
    rows = []
    for name in names:
        found = {metric(score): score for score in group if score.label == name}
        count = counts(predictions, name) if predictions is not None else None
        rows.append(
            LabelRow(
                name,
                found.get("auroc"),
                found.get("average_precision"),
                bounds.get(name),
                count[0] if count else None,
                count[1] if count else max(score.n for score in found.values()),
            )
        )
    macro = next((row for row in rows if row.label == "macro"), None)
    plain = sorted((row for row in rows if row.label != "macro"), key=_height, reverse=True)
    return LabelTable(title, tuple(plain), macro, False)


def _bounds(
    names: Sequence[str], bound: Sequence[Score], averaged: Sequence[str]
) -> dict[str, Score]:
    """Supervised AUROC of the labels in `names`; the mean only if it has all the `averaged` ones.

    Over fewer labels than the bound's the mean is taken anew, and has no interval: that would need
    the resamples.
    """
    found = {score.label: score for score in bound if metric(score) == "auroc"}
    macro = found.pop("macro", None)
    found = {
        label: score
        for label, score in found.items()
        if label != "" and not math.isnan(score.value)
    }
    same = {label: score for label, score in found.items() if label in names}
    if not same or macro is None or not set(averaged) <= set(same):
        return same
    if len(same) < len(found):
        value = sum(score.value for score in same.values()) / len(same)
        macro = replace(macro, value=value, low=math.nan, high=math.nan)
    return {**same, "macro": macro}


def _height(row: LabelRow) -> float:
    known = row.auroc is not None and not math.isnan(row.auroc.value)
    return row.auroc.value if known and row.auroc else -1.0


def _retrieval(
    title: str, group: list[Score], predictions: Predictions | None
) -> list[RetrievalTable]:
    texts = predictions.provenance.get("distinct_texts") if predictions is not None else None
    texts = texts if isinstance(texts, int) else None
    result = []
    for one in dict.fromkeys(direction(score) for score in group):
        rows = [score for score in group if direction(score) == one]
        rows.sort(key=lambda score: recall_depth(score) or math.inf)
        result.append(RetrievalTable(title, one, tuple(rows), texts))
    return result
