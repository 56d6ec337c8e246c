"""Scores and predictions on disk, and as tables.

scores.json       a list of records with the fields of `types.Score`; NaN is null
predictions/*.npz scores, truth, names, pseudonyms and provenance; opened without pickle
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asclip.data import atomic
from asclip.errors import DataError
from asclip.types import Predictions, Score

if TYPE_CHECKING:
    from rich.table import Table

KEYS = tuple(field.name for field in fields(Score))
NUMBERS = ("value", "low", "high")


def key(score: Score) -> tuple[object, ...]:
    """What makes two records the same measurement: a newer one replaces the older."""
    return (
        score.dataset, score.split, score.task, score.metric, score.label, score.prompts, score.seed
    )  # fmt: skip


def to_records(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Plain dictionaries for JSON, with None for NaN.

    Raises:
        ValueError: a number is infinite, or a NaN value has no reason.
    """
    records = []
    for score in scores:
        one = asdict(score)
        for name in (*NUMBERS, "chance"):
            number = one[name]
            if number is not None and math.isinf(number):
                raise ValueError(f"{score.metric} {score.label}: {name} must be finite or NaN")
            one[name] = None if number is None or math.isnan(number) else float(number)
        if one["value"] is None and not score.why_nan:
            raise ValueError(f"{score.metric} {score.label}: a NaN needs its reason in why_nan")
        records.append(one)
    return records


def from_records(records: object, *, where: str = "scores") -> list[Score]:
    """Scores of plain dictionaries, with NaN for None; `where` is named in messages.

    Raises:
        DataError: not a list of records with these keys.
    """
    if not isinstance(records, list):
        raise DataError(f"{where}: must hold a list of records, got {type(records).__name__}")
    scores = []
    for number, one in enumerate(records):
        if not isinstance(one, dict) or set(one) - set(KEYS) or not set(KEYS[:6]) <= set(one):
            have = sorted(one) if isinstance(one, dict) else type(one).__name__
            raise DataError(f"{where}: record {number} must have the keys {KEYS}, got {have}")
        filled = dict(one)
        for name in NUMBERS:
            value = filled.get(name)
            if value is not None and not isinstance(value, int | float):
                raise DataError(f"{where}: record {number}: {name} must be a number, got {value!r}")
            filled[name] = math.nan if value is None else float(value)
        scores.append(Score(**filled))
    return scores


def merge(old: Iterable[Score], new: Iterable[Score]) -> list[Score]:
    """All scores, in order; a record of `new` takes the place of the one with its key."""
    merged = {key(score): score for score in old}
    merged |= {key(score): score for score in new}
    return list(merged.values())


def write_scores(path: str | Path, scores: Iterable[Score], *, add: bool = True) -> list[Score]:
    """Write scores.json in one step and return what it holds; `add` keeps older records.

    Raises:
        DataError: an older file is there and is not a list of records.
    """
    path = Path(path)
    everything = merge(read_scores(path) if add and path.exists() else [], scores)
    text = json.dumps(to_records(everything), indent=1, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, (text + "\n").encode("utf-8"))
    return everything


def read_scores(path: str | Path) -> list[Score]:
    """The scores of a scores.json.

    Raises:
        DataError: the file is missing, is not JSON, or holds something else.
    """
    path = Path(path)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; run: asclip evaluate RUN --out {path}") from None
    except ValueError as error:
        raise DataError(f"{path} must be JSON: {error}") from None
    return from_records(records, where=str(path))


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as .npz: arrays as they are, the rest of the provenance as JSON."""
    arrays = {"scores": predictions.scores, "truth": predictions.truth}
    arrays |= {"study": predictions.study.astype(str), "patient": predictions.patient.astype(str)}
    plain: dict[str, Any] = {}
    for name, value in predictions.provenance.items():
        if isinstance(value, np.ndarray):
            arrays[f"provenance:{name}"] = value
        else:
            plain[name] = value
    facts = {"labels": list(predictions.labels), "provenance": plain}
    arrays["facts"] = np.array(json.dumps(facts, ensure_ascii=False, allow_nan=True))
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, content.getvalue())


def read_predictions(path: str | Path) -> Predictions:
    """Predictions as written; no pickle is ever opened.

    Raises:
        DataError: the file is missing or is not one of predictions.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(str(arrays.pop("facts")))
        provenance: dict[str, Any] = dict(facts["provenance"])
        for name in [name for name in arrays if name.startswith("provenance:")]:
            provenance[name.removeprefix("provenance:")] = arrays.pop(name)
        return Predictions(labels=tuple(facts["labels"]), provenance=provenance, **arrays)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; run evaluate with predictions first") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} must hold predictions written by Asclip: {error}") from None


@dataclass(frozen=True, slots=True)
class Summary:
    """One measurement over several runs: mean, smallest and largest value over the seeds.

    `defined` of `runs` had a value; `pool` and `chance` are means over those that have one.
    """

    dataset: str
    split: str
    task: str
    metric: str
    label: str
    prompts: str
    mean: float
    smallest: float
    largest: float
    defined: int
    runs: int
    pool: float | None = None
    chance: float | None = None


def summarise(runs: Sequence[Iterable[Score]]) -> list[Summary]:
    """Mean and range over runs (seeds, case splits), in the order of first appearance.

    >>> one = [Score("d", "test", "t", "auroc", "a", 0.5, seed=0)]
    >>> two = [Score("d", "test", "t", "auroc", "a", 0.75, seed=1)]
    >>> found = summarise([one, two])[0]
    >>> found.mean, found.smallest, found.largest, found.runs
    (0.625, 0.5, 0.75, 2)
    """
    found: dict[tuple[object, ...], list[Score]] = {}
    for scores in runs:
        for score in scores:
            found.setdefault(key(score)[:-1], []).append(score)
    return [_summary(scores) for scores in found.values()]


def _summary(scores: list[Score]) -> Summary:
    values = [score.value for score in scores if not math.isnan(score.value)]
    pools = [score.pool for score in scores if score.pool is not None]
    chances = [score.chance for score in scores if score.chance is not None]
    one = scores[0]
    return Summary(
        one.dataset, one.split, one.task, one.metric, one.label, one.prompts,
        mean=sum(values) / len(values) if values else math.nan,
        smallest=min(values, default=math.nan),
        largest=max(values, default=math.nan),
        defined=len(values),
        runs=len(scores),
        pool=sum(pools) / len(pools) if pools else None,
        chance=sum(chances) / len(chances) if chances else None,
    )  # fmt: skip


def table(scores: Iterable[Score], *, title: str = "Scores") -> Table:
    """A table for the terminal: value with interval, number of studies, pool, chance, reason.

    A NaN shows its reason in place of the interval; each task has a line of its own.
    """
    from rich import box
    from rich.table import Table

    out = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    out.add_column("metric", overflow="fold")
    out.add_column("label", overflow="fold")
    out.add_column("value", justify="right", no_wrap=True)
    out.add_column("95 %", justify="right", min_width=12, overflow="fold")
    for name in ("n", "pool", "chance"):
        out.add_column(name, justify="right", no_wrap=True)
    before = ""
    for score in scores:
        task = f"{score.task} {score.prompts.split(':')[0]}".strip()
        if task != before:
            out.add_row(task, style="bold")
        before = task
        span = "" if math.isnan(score.low) else f"{_short(score.low)}–{_short(score.high)}"
        undefined = math.isnan(score.value)
        value, why = "nan" if undefined else _short(score.value), span or score.why_nan
        pool = "" if score.pool is None else str(score.pool)
        chance = "" if score.chance is None else _short(score.chance)
        out.add_row(score.metric, score.label, value, why, str(score.n), pool, chance)
    return out


def _short(value: float) -> str:
    """Three decimals for a share, one for a rank."""
    return f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"
