"""Studies and journal entries -> the two tables of a data set, and the labels' prevalence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data import placeholders
from asclip.data.journal import Entry
from asclip.data.splits import SIDES
from asclip.types import Study

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Kept:
    """A study with at least one readable image.

    `files` are (path, view by the table, entry); `patient`, `group` and `id` are pseudonyms;
    `signal` is the entry of its signal, None without one that can be read.
    """

    study: Study
    id: str
    patient: str
    group: str
    split: str
    files: tuple[tuple[str, str, Entry], ...]
    signal: Entry | None = None


def studies_table(
    kept: Sequence[Kept], *, keep_ids: bool, signals: bool = False
) -> tuple[DataFrame, list[str]]:
    """(one row per study, notes); labels float with NaN, texts '' where there is none.

    With `signals` it has the columns `signal` and `signal_digest`, see `data.signals`.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "study": [one.id for one in kept],
        "patient": [one.patient for one in kept],
        "group": [one.group for one in kept],
        "split": [one.split for one in kept],
    }
    if keep_ids:
        columns["source_study"] = [one.study.id for one in kept]
        columns["source_patient"] = [one.study.patient for one in kept]
    notes: list[str] = []
    extra = dict.fromkeys(name for one in kept for name in one.study.texts)
    for name in dict.fromkeys(["text", *extra]):
        texts = [one.study.texts.get(name, "") for one in kept]
        flags, found = placeholders.find(texts, [one.group for one in kept])
        main = name == "text"
        columns["text" if main else f"text:{name}"] = texts
        columns["text_is_placeholder" if main else f"placeholder:{name}"] = flags
        notes += [f"{name}: {note}" for note in found]
        empty = sum(not text for text in texts)
        if empty:
            notes.append(f"{name}: {empty} of {len(texts)} studies have none and are kept")
    for name in dict.fromkeys(name for one in kept for name in one.study.labels):
        values = [one.study.labels.get(name, math.nan) for one in kept]
        columns[f"label:{name}"] = np.array(values, np.float32)
    for name in dict.fromkeys(name for one in kept for name in one.study.meta):
        columns[f"meta:{name}"] = as_numbers([one.study.meta.get(name) for one in kept])
    if signals:
        slots = [-1 if one.signal is None else one.signal.slot for one in kept]
        columns["signal"] = np.array(slots, np.int64)
        columns["signal_digest"] = [one.signal.digest if one.signal else "" for one in kept]
    return pd.DataFrame(columns), notes


def images_table(kept: Sequence[Kept], *, keep_ids: bool) -> DataFrame:
    """One row per image of a study: `study` is the row of its study, `slot` the row in pixels."""
    import pandas as pd

    rows = []
    for number, one in enumerate(kept):
        for path, view, entry in one.files:
            row = {
                "study": number,
                "view": view or entry.view,
                "slot": entry.slot,
                "digest": entry.digest,
                "file_digest": entry.file_digest,
                "modality": entry.modality,
                "shape": list(entry.shape),
                "spacing": None if entry.spacing is None else list(entry.spacing),
                "blank": entry.blank,
            }
            rows.append(row | ({"path": path} if keep_ids else {}))
    frame = pd.DataFrame(rows)
    return frame.astype({"study": "int32", "slot": "int64"})


def as_numbers(values: Sequence[object]) -> list[Any]:
    """Floats with NaN if every stated value is a number, else strings with None.

    A code such as '007' is not a number: its zeros mean something.

    >>> as_numbers(["41", None]), as_numbers(["007", "8"])
    ([41.0, nan], ['007', '8'])
    """
    words = [None if value is None or value == "" else str(value) for value in values]
    stated = [word for word in words if word is not None]
    try:
        numbers = {word: float(word) for word in stated}
    except ValueError:
        return words
    coded = any(len(word) > 1 and word[0] == "0" and word[1] != "." for word in stated)
    if not stated or coded or not all(map(math.isfinite, numbers.values())):
        return words
    return [math.nan if word is None else numbers[word] for word in words]


def prevalence(studies: DataFrame) -> dict[str, dict[str, float | int | None]]:
    """Per label: how many studies state 1, 0 or nothing, and the share of 1 among the stated."""
    result: dict[str, dict[str, float | int | None]] = {}
    for column in studies.columns:
        if not column.startswith("label:"):
            continue
        values = values_of(studies, column)
        positive, negative = int((values == 1).sum()), int((values == 0).sum())
        stated = positive + negative
        result[column.removeprefix("label:")] = {
            "positive": positive,
            "negative": negative,
            "not_stated": len(values) - stated,
            "prevalence": positive / stated if stated else None,
        }
    return result


def per_split(studies: DataFrame, images: DataFrame) -> dict[str, dict[str, int]]:
    """Per split: studies, patients, images."""
    sides, patients = values_of(studies, "split"), values_of(studies, "patient")
    of_images = sides[values_of(images, "study")]
    return {
        name: {
            "studies": int((sides == name).sum()),
            "patients": len(set(patients[sides == name])),
            "images": int((of_images == name).sum()),
        }
        for name in SIDES
    }


def counts(studies: DataFrame, images: DataFrame) -> dict[str, int]:
    """Totals for dataset.json."""
    return {
        "studies": len(studies),
        "patients": len(set(values_of(studies, "patient"))),
        "images": len(images),
        "empty_texts": int((values_of(studies, "text") == "").sum()),
        "placeholder_texts": int(values_of(studies, "text_is_placeholder").sum()),
        "blank_images": int(values_of(images, "blank").sum()),
    }


def values_of(frame: DataFrame, column: str) -> np.ndarray:
    """A column as an array; strings as objects."""
    return np.asarray(frame[column])


def rows_for_conflicts(kept: Sequence[Kept]) -> list[Mapping[str, Any]]:
    """(digest, study, labels) of every image that is not blank."""
    return [
        {"digest": entry.digest, "study": one.id, "labels": one.study.labels}
        for one in kept
        for _, _, entry in one.files
        if not entry.blank
    ]
