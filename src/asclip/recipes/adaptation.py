"""Adapters on the run of a recipe: a data set's few-shot curves, as rows and as a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asclip.adapt import adapters, few_shot
from asclip.adapt.few_shot import Row
from asclip.data import atomic
from asclip.data.dataset import Dataset
from asclip.data.prompts import load_prompt_set
from asclip.recipes.evaluation import Encodings, check_preprocessing
from asclip.recipes.pretraining import load
from asclip.results import to_records

FORMAT = 1


def adapt(
    run: Path,
    data: Path,
    prompts: str,
    methods: str = "",
    *,
    shots: Sequence[int] = (1, 2, 4, 8, 16),
    seeds: Sequence[int] = (0, 1, 2),
    split: str = "test",
    out: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """The few-shot curves of `methods` (see `adapt.adapters`; "" is all) on a run and a data set.

    Writes `out` (default RUN/adapt-DATA-PROMPTS.json), and beside it, in a folder of its name, the
    studies that were drawn, which a further call with the same question reads again.
    """
    chosen, asked = adapters(methods), load_prompt_set(prompts)
    dataset = Dataset.open(data)
    model = load(run)
    check_preprocessing(model, dataset)
    path = out or run / f"adapt-{dataset.name}-{asked.name}.json"
    rows = few_shot(
        Encodings(model), dataset, asked, chosen, shots=shots, seeds=seeds, split=split,
        folder=path.with_suffix(""), say=say,
    )  # fmt: skip
    to_records(row.score for row in rows)  # no infinity, and no NaN without its reason
    content = {
        "format": FORMAT,
        "run": run.name,
        "dataset": f"{dataset.name}@{dataset.hash}",
        "prompts": asked.id,
        "rows": records(rows),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, (text + "\n").encode("utf-8"))
    say(f"written: {path}")
    return rows


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Flat records of rows, for JSON: NaN and infinity are null."""
    return [{key: _finite(value) for key, value in row.to_json().items()} for row in rows]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def table(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line a method and metric: of each number of shots the mean over seeds [least, most].

    Average precision stays in the records alone.
    """
    shots = sorted({row.fit.drawn.shots for row in rows} - {0})
    lines: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in rows:
        if row.score.metric != "average_precision":
            line = lines.setdefault((row.fit.method, row.score.metric), {})
            line.setdefault(row.fit.drawn.shots, []).append(row.score.value)
    return [
        {"method": method, "metric": metric}
        | {f"{k} shots": _cell(found.get(k, found.get(0, []))) for k in shots}
        for (method, metric), found in lines.items()
    ]


def _cell(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.3f}" for value in values)
    mean = sum(values) / len(values)
    return f"{mean:.3f} [{min(values):.3f}, {max(values):.3f}]"
