"""What a data set knows about a question: truth [n, K] of 1, 0 and NaN, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asclip.data.prompts import PromptSet
from asclip.errors import DataError, nearest


@dataclass(frozen=True, slots=True)
class Truth:
    """`values` [n, K] for `labels`; `notes` count what could not be used, for the provenance."""

    labels: tuple[str, ...]
    values: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


def truth_of(target: PromptSet | Sequence[str], data: Any) -> Truth:
    """Truth of `data` for the classes of a prompt set, or for label columns by name."""
    if not isinstance(target, PromptSet):
        return _of_columns(tuple(target), data)
    return class_truth(target, data) if target.single_label else label_truth(target, data)


def classes_in(prompts: PromptSet, data: Any) -> tuple[str, ...]:
    """The classes of a set that `data` has a truth for, in the set's order; () if it has none.

    A single-label set makes sense from two classes on, a multi-label set from one.
    """
    names = data.labels
    if prompts.single_label:
        try:
            names = [value for value in _values(prompts, data) if value is not None]
        except DataError:  # the data have no column that could answer
            return ()
    found = {prompts.resolve(name) for name in names}
    return tuple(label for label in prompts.labels if label in found)


def _of_columns(labels: tuple[str, ...], data: Any) -> Truth:
    known = list(data.labels)
    for label in labels:
        if label not in known:
            raise DataError(f"{data.name} has no label {label!r}; {nearest(label, known)}")
    matrix = np.asarray(data.label_matrix(), dtype=np.float64)
    return Truth(labels, matrix[:, [known.index(label) for label in labels]])


def label_truth(prompts: PromptSet, data: Any) -> Truth:
    """The label columns of `data` that the set has prompts for, in the set's order.

    Label columns without prompts follow at the end under their own names and are listed in
    `notes["labels_without_prompts"]`; classes that the data do not have are in
    `notes["classes_not_in_data"]`.

    Raises:
        DataError: no label column fits a class, or two fit the same one.
    """
    column: dict[str, str] = {}
    without: list[str] = []
    for label in data.labels:
        name = prompts.resolve(label)
        if name is None:
            without.append(label)
        elif name in column:
            raise DataError(
                f"{data.name}: the labels {column[name]!r} and {label!r} both mean {name!r} in "
                f"prompt set {prompts.name}; remove one from the data or from the set's aliases"
            )
        else:
            column[name] = label
    if not column:
        raise DataError(
            f"{data.name}: no label fits a class of prompt set {prompts.name}; the data have "
            f"{_some(list(data.labels))}, the set has {_some(list(prompts.labels))}"
        )
    asked = tuple(name for name in prompts.labels if name in column)
    values = _of_columns((*(column[name] for name in asked), *without), data).values
    absent = [name for name in prompts.labels if name not in column]
    notes = {"labels_without_prompts": without, "classes_not_in_data": absent}
    return Truth((*asked, *without), values, notes)


def class_truth(prompts: PromptSet, data: Any, *, classes: tuple[str, ...] | None = None) -> Truth:
    """One-hot truth of a single-label set; a row is NaN where the class is unknown.

    The class is the study's `meta:<column>`, else what the image table says of all its images
    (view, modality), else the one label column that is 1. `classes` are the candidates; None
    takes the classes that occur in `data` (all of them if fewer than two occur). `notes` count
    the studies without a value and those whose value is no candidate.

    Raises:
        DataError: no study has a class of the set.
    """
    values = _values(prompts, data)
    named = [None if value is None else prompts.resolve(value) for value in values]
    present = {name for name in named if name is not None}
    if not present:
        raise DataError(
            f"{data.name}: no study has a class of prompt set {prompts.name} in its column "
            f"{prompts.column!r}; the data have {_frequent(values)}, the set has "
            f"{_some(list(prompts.labels))}; add aliases to the set or map the column at ingest"
        )
    if classes is None:
        found = tuple(label for label in prompts.labels if label in present)
        classes = found if len(found) > 1 else prompts.labels
    truth = np.full((len(values), len(classes)), np.nan)
    for row, name in enumerate(named):
        if name in classes:
            truth[row] = 0.0
            truth[row, classes.index(name)] = 1.0
    no_value = sum(value is None for value in values)
    usable = int((~np.isnan(truth[:, 0])).sum())
    notes = {
        "studies_without_value": no_value,
        "studies_with_other_value": len(values) - no_value - usable,
        "classes_not_in_data": [label for label in prompts.labels if label not in present],
    }
    return Truth(classes, truth, notes)


def _values(prompts: PromptSet, data: Any) -> list[str | None]:
    """The class of each study in the data's own words, None where unknown."""
    name = f"meta:{prompts.column}"
    if prompts.column and name in data.studies:
        return [_text(value) for value in data.studies[name]]
    if prompts.column in data.images.columns:
        seen: list[set[str | None]] = [set() for _ in range(len(data))]
        for study, value in zip(data.images["study"], data.images[prompts.column], strict=True):
            seen[study].add(_text(value))
        # Two views in one study: the study has no one view.
        return [found.pop() if len(found) == 1 else None for found in seen]
    fitting = [label for label in data.labels if prompts.resolve(label) is not None]
    if not fitting:
        columns = [c.removeprefix("meta:") for c in data.studies if c.startswith("meta:")]
        hint = nearest(prompts.column, columns) if columns else "the data have no meta column"
        raise DataError(
            f"{data.name}: prompt set {prompts.name} needs the meta column {prompts.column!r}; "
            f"{hint}; map it at ingest with meta:{prompts.column}=COLUMN"
        )
    matrix = _of_columns(tuple(fitting), data).values == 1.0
    return [fitting[row.argmax()] if row.sum() == 1 else None for row in matrix]


def _text(value: object) -> str | None:
    """A cell as text, None for an empty one; a whole number reads "1", not "1.0"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return None if value is None or text in ("", "nan", "NaT", "<NA>") else text


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return (shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")) or "none"


def _frequent(values: list[str | None]) -> str:
    """Values shared by several studies only: a rare one might point to a person."""
    names, counts = np.unique([v for v in values if v is not None] or [""], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return _some([str(names[i])[:40] for i in order if counts[i] >= 3 and names[i]])
