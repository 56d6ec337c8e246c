"""Methods side by side: every method on every challenge with several seeds, the rest equal.

    OUT/hospitals/CHALLENGE-SEED/          the challenge, and its data set in data/
    OUT/runs/CHALLENGE/METHOD/SEED/        the run, record.json and samples.npy
    OUT/compare.json, compare.html         the table

A method is a recipe, or a recipe with changed parameters: `clip:texts=report`. All of them get the
same towers, batch, steps and learning rate, the same studies in the same order, and are asked the
same questions; what a recipe brings to a batch (sentences, reports, views) is part of the method.
The difference to the baseline is taken per seed, where both saw the same hospital. Run again, it
goes on: a run with a record is not done again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asclip import card
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import AsclipError, DataError
from asclip.files.preprocessing import Preprocessing
from asclip.metrics.bootstrap import percentile_interval
from asclip.phantom import challenges
from asclip.recipes.evaluation import Encodings
from asclip.recipes.options import parameters
from asclip.recipes.pretraining import load, pretrain
from asclip.tasks.measures import measure

EQUAL: dict[str, Any] = {
    "image_tower": "tiny",
    "text_tower": "words",
    "batch": 64,
    "steps": 300,
    "lr": 2e-3,
    "evaluations": 1,
    "precision": "bf16",
}
BASELINE = "clip"
# Recipes that the equal settings would make into something else, and why.
LEFT_OUT = {
    "supervised": "learns labels and answers no prompt",
    "locked": "is about packaged towers, and here all methods have the same",
    "m-flag": "is about a frozen language model, and here all methods have the same tower",
    "clip-few": "is clip with the settings that all methods have here",
    "kad-knowledge": "learns from an ontology, not from studies",
}
RESAMPLES = 1000
Found = tuple[dict[str, Any], dict[str, np.ndarray]]  # a record and its resamples by measure
# Quantiles of Student's t for 95 %, by degrees of freedom.
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def compare(
    out: Path,
    methods: Sequence[str],
    names: Sequence[str] = challenges.NAMES,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    studies: int = 800,
    size: int = 64,
    equal: dict[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run what is missing, then write compare.json and compare.html; the content of the former.

    `equal` changes what all methods have in common (see `EQUAL`). The baseline `clip` always runs.

    Raises:
        DataError: a challenge that is not known, or a method that is not.
    """
    common = EQUAL | (equal or {})
    wanted = list(dict.fromkeys([BASELINE, *methods]))
    for method in wanted:
        _settings(method, common, 0)  # a typo ends it now, not after an hour
    for name in names:
        challenges.describe(name)
    records: list[dict[str, Any]] = []
    for name in names:
        for seed in seeds:
            table = _hospital(out, name, seed, studies, size)
            for method in wanted:
                record = _run(out, table, name, method, seed, common)
                records.append(record)
                say(_line(record))
    result = {
        "equal": common | {"studies": studies, "size": size},
        "baseline": BASELINE,
        "challenges": {n: _about(out, n, seeds[0]) for n in names},
        "table": [row for n in names for row in _rows(out, n, wanted, seeds)],
        "records": records,
    }
    (out / "compare.json").write_text(json.dumps(result, indent=1) + "\n")
    card.write_comparison(out / "compare.html", result)
    return result


def _settings(method: str, common: dict[str, Any], seed: int) -> tuple[str, dict[str, Any]]:
    """The recipe of a method and what it is given."""
    recipe, _, changed = method.partition(":")
    if recipe in LEFT_OUT:
        raise DataError(f"{recipe} cannot be compared: it {LEFT_OUT[recipe]}")
    own: dict[str, Any] = {}
    for part in changed.split(","):
        key, _, value = part.partition("=")
        own |= {key: value} if key else {}
    known = parameters(recipe)
    for key in own:
        if key.replace("-", "_") not in known:
            raise DataError(f"{method}: recipe {recipe} has no parameter {key!r}")
    given = {key: value for key, value in common.items() if key in known}
    return recipe, given | {"seed": seed} | own


def _hospital(out: Path, name: str, seed: int, studies: int, size: int) -> Path:
    """The challenge on disk, ingested; the path of its table."""
    folder = out / "hospitals" / f"{name}-{seed}"
    table = challenges.write(name, folder, studies, seed, size)
    how = Preprocessing(size=(size, size), mean=(0.5,), std=(0.25,))
    ingest(Table(table, name=name), folder / "data", how, seed=seed)
    return table


def _run(
    out: Path, table: Path, name: str, method: str, seed: int, common: dict[str, Any]
) -> dict[str, Any]:
    """The record of one run: from disk, or trained and measured now."""
    folder = out / "runs" / name / method.replace(":", "-").replace("=", "-") / str(seed)
    path = folder / "record.json"
    recipe, given = _settings(method, common, seed)
    known = table.parent / "knowledge.json"
    given |= {"knowledge": str(known)} if known.exists() and "knowledge" not in given else {}
    if path.exists():
        record = json.loads(path.read_text())
        if record["given"] == json.loads(json.dumps(given)):
            return record
        shutil.rmtree(folder)  # made with other settings
    record = {"challenge": name, "method": method, "seed": seed, "given": given}
    began = time.perf_counter()
    try:
        pretrain(table.parent / "data", recipe, folder, given)
        trained = time.perf_counter()
        about = json.loads((table.parent / "challenge.json").read_text())
        model, data = Encodings(load(folder)), Dataset.open(table.parent / "data")
        found = {m["name"]: measure(model, data, m, table.parent) for m in about["measures"]}
    except AsclipError as error:
        record |= {"error": str(error)}
    else:
        samples = {key: one.samples(RESAMPLES, seed) for key, one in found.items()}
        np.save(folder / "samples.npy", np.stack(list(samples.values())))
        record |= {
            "seconds": round(trained - began, 1),
            "measures": {
                key: {
                    "value": one.value(),
                    "interval": list(percentile_interval(samples[key])),
                    "n": int((~np.isnan(one.values)).any(1).sum()),
                }
                for key, one in found.items()
            },
        }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    return record


def _line(record: dict[str, Any]) -> str:
    head = f"{record['challenge']:12s} {record['method']:24s} seed {record['seed']}"
    if "error" in record:
        return f"{head}  not run: {record['error']}"
    values = "  ".join(f"{k} {m['value']:.3f}" for k, m in record["measures"].items())
    return f"{head}  {record['seconds']:5.0f} s  {values}"


def _about(out: Path, name: str, seed: int) -> dict[str, Any]:
    path = out / "hospitals" / f"{name}-{seed}" / "challenge.json"
    keys = ("question", "family", "measures", "ceiling", "chance", "notes", "counts")
    about = json.loads(path.read_text())
    return {key: about[key] for key in keys}


def _rows(
    out: Path, name: str, methods: Sequence[str], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """A row for each measure and method: values by seed, mean, difference with its interval."""
    about = _about(out, name, seeds[0])
    rows: list[dict[str, Any]] = []
    base = [_found(out, name, BASELINE, seed) for seed in seeds]
    for method in methods:
        ours = [_found(out, name, method, seed) for seed in seeds]
        failed = next((r["error"] for r, _ in ours if "error" in r), "")
        together = {}
        if method != BASELINE and not failed and not any("error" in r for r, _ in base):
            leading = [m["name"] for m in about["measures"] if m["primary"]]
            together = {"together": _difference(*_compared(ours, base, leading))}
        for one in about["measures"]:
            key = one["name"]
            row = {"challenge": name, "measure": key, "primary": one["primary"], "method": method}
            if failed:
                rows.append(row | {"error": failed})
                continue
            values = [r["measures"][key]["value"] for r, _ in ours]
            row |= {
                "better": one["better"],
                "values": values,
                "mean": float(np.mean(values)),
                "seconds": float(np.mean([r["seconds"] for r, _ in ours])),
            }
            if together:
                row |= _difference(*_compared(ours, base, [key])) | together
            rows.append(row)
    return rows


def _compared(
    ours: list[Found], base: list[Found], names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Differences by seed [S] of the mean over these measures, and of their resamples [S, R]."""
    pairs = list(zip(ours, base, strict=True))
    values = [
        np.mean([a["measures"][k]["value"] - b["measures"][k]["value"] for k in names])
        for (a, _), (b, _) in pairs
    ]
    return np.array(values), np.stack(
        [np.mean([a[k] - b[k] for k in names], axis=0) for (_, a), (_, b) in pairs]
    )


def _found(out: Path, name: str, method: str, seed: int) -> Found:
    folder = out / "runs" / name / method.replace(":", "-").replace("=", "-") / str(seed)
    record = json.loads((folder / "record.json").read_text())
    if "error" in record:
        return record, {}
    samples = np.load(folder / "samples.npy")  # [measures, resamples]
    return record, dict(zip(record["measures"], samples, strict=True))


def _difference(differences: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    """Mean difference over seeds [S] and its 95 % intervals.

    `low`, `high`: Student's t over seeds, each of which is another hospital, order and start; NaN
    for one seed. `patients`: percentiles of the mean over seeds of the paired resamples [S, R],
    which holds the test patients' part alone.
    """
    count = len(differences)
    mean = float(differences.mean())
    low = high = float("nan")
    if count > 1:
        t = T95.get(count - 1, 1.96)
        half = t * float(differences.std(ddof=1)) / count**0.5
        low, high = mean - half, mean + half
    return {
        "difference": mean,
        "low": low,
        "high": high,
        "patients": list(percentile_interval(samples.mean(0))),
    }
