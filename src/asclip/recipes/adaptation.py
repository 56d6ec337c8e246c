"""Adapters on the run of a recipe: a data set's few-shot curves, as rows and as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asclip import __version__
from asclip.adapt import adapters, few_shot
from asclip.adapt.rows import Row
from asclip.adapt.summary import Line, summary
from asclip.card.few_shot import write_few_shot
from asclip.data import atomic
from asclip.data.dataset import Dataset
from asclip.data.prompts import load_prompt_set
from asclip.errors import DataError
from asclip.recipes.evaluation import Encodings, check_preprocessing
from asclip.recipes.pretraining import load
from asclip.results import to_records
from asclip.towers.checkpoint import read_json

FORMAT = 2


def adapt(
    run: Path,
    data: Path,
    prompts: str,
    methods: str = "",
    *,
    shots: Sequence[int] = (1, 2, 4, 8, 16),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (0, 1, 2),
    split: str = "test",
    base: Sequence[str] | None = None,
    out: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """The few-shot curves of `methods` (see `adapt.adapters`; "" is all) on a run and a data set.

    Writes `out` (default RUN/adapt-DATA-PROMPTS.json, with base classes -base-new before the dot)
    after each fit, and beside it, in a folder of its name, the studies that were drawn. A further
    call with the same question reads both again and fits only what is not there. At the end a page
    with all curves of the file is written beside it.
    """
    chosen, asked = adapters(methods), load_prompt_set(prompts)
    if asked.beside:
        raise DataError(
            f"prompt set {asked.name} asks of an image beside the patient's study before, and "
            "adapters see one image; ask it with asclip evaluate"
        )
    dataset = Dataset.open(data)
    model = load(run)
    check_preprocessing(model, dataset)
    ending = "" if base is None else "-base-new"
    path = out or run / f"adapt-{dataset.name}-{asked.name}{ending}.json"
    head = {
        "format": FORMAT,
        "asclip": __version__,
        "run": run.name,
        "weights": read_json(run / "model.json")["sha256"],
        "dataset": f"{dataset.name}@{dataset.hash}",
        "prompts": asked.id,
        "split": split,
        "base": None if base is None else sorted(base),
    }
    written = _known(path, head, say)

    def keep(rows: Sequence[Row]) -> None:
        to_records(row.score for row in rows)  # no infinity, and no NaN without its reason
        written.extend(rows)
        _write(path, head, written)

    rows = few_shot(
        Encodings(model), dataset, asked, chosen, shots=shots, fractions=fractions, seeds=seeds,
        split=split, base=base, folder=path.with_suffix(""), known=tuple(written), keep=keep,
        say=say,
    )  # fmt: skip
    page = path.with_suffix(".html")
    shown = [
        row for row in written if bool(fractions) == bool(row.drawn.share) or not row.drawn.studies
    ]
    write_few_shot(page, shown, {"run": run.name, "data": dataset.name, "prompts": asked.name})
    say(f"written: {path} and {page}")
    return rows


def _known(path: Path, head: dict[str, Any], say: Callable[[str], None]) -> list[Row]:
    """The rows that a former call has written for the same question."""
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        differs = [key for key, value in head.items() if content.get(key) != value]
        if not differs:
            return [Row.from_json(record) for record in content["rows"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} must be a file of few-shot scores, got {error!r}; remove it, or give --out"
        ) from None
    say(f"{path.name} is written anew: it was made with another {' and '.join(differs)}")
    return []


def _write(path: Path, head: dict[str, Any], rows: Sequence[Row]) -> None:
    content = head | {"rows": records(rows), "summary": lines(rows)}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, (text + "\n").encode("utf-8"))


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Flat records of rows, for JSON: NaN and infinity are null."""
    return [_finite(row.to_json()) for row in rows]


def lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Flat records of means and intervals over seeds, for JSON."""
    return [_finite(asdict(line)) for line in summary(rows)]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line a method, metric and side: of each amount the mean over seeds and +- its interval.

    Average precision stays in the records alone, here and in `last`.
    """
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    amounts = list(dict.fromkeys(row.drawn.amount for row in rows if row.drawn.studies))
    for line in _shown(rows):
        cells = found.setdefault((line.method, line.metric, line.side), {})
        for amount in amounts if line.studies == 0 else [line.amount]:
            half = line.high - line.mean
            part = f" ({line.seeds} of {line.fits})" if 0 < line.seeds < line.fits else ""
            cells[amount] = (
                _number(line.mean) + ("" if math.isnan(half) else f" ±{half:.3f}") + part
            )
    return [
        {"method": method, "metric": metric}
        | ({"classes": side} if side else {})
        | {amount: cells.get(amount, "") for amount in amounts}
        for (method, metric, side), cells in found.items()
    ]


def last(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line a method, metric and side at the largest amount: intervals, range, gain, time."""
    largest = max((row.drawn.studies for row in rows), default=0)
    amounts = {row.drawn.amount for row in rows if row.drawn.studies == largest}
    return [
        {"method": line.method, "metric": line.metric}
        | ({"classes": line.side} if line.side else {})
        | {
            "mean": _number(line.mean),
            "95 %": _range(line.low, line.high),
            "lowest, highest": _range(line.lowest, line.highest),
            "over zero-shot": _number(line.gain, "+") + " " + _range(line.gain_low, line.gain_high),
            "s a fit": f"{line.seconds:.1f}",
        }
        for line in _shown(rows)
        if line.amount in amounts
    ]


def _shown(rows: Sequence[Row]) -> list[Line]:
    return [line for line in summary(rows) if line.metric != "average_precision"]


def _number(value: float, sign: str = "") -> str:
    return "not known" if math.isnan(value) else f"{value:{sign}.3f}"


def _range(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{low:.3f}, {high:.3f}]"
