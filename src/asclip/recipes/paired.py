"""The table of a comparison: values by seed, and differences to the baseline on the same hospital.

The difference is taken per seed, where both methods saw the same hospital; its interval is
Student's over seeds, each of which is another hospital, order and start.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asclip.adapt.summary import interval
from asclip.metrics.bootstrap import percentile_interval

Found = tuple[dict[str, Any], dict[str, np.ndarray]]  # a record and its resamples by measure


def folder_of(out: Path, name: str, method: str, seed: int) -> Path:
    """Where the run of a method on a challenge is."""
    return out / "runs" / name / as_name(method) / str(seed)


def as_name(method: str) -> str:
    """A method as the name of one file or folder, another for every method.

    >>> as_name("lovt:per_study=8,whole=0.0"), as_name("concepts:knowledge=/data/k.json")
    ('lovt-per_study-8,whole-0.0', 'concepts-knowledge--data-k.json-8818a6a1')
    """
    name = re.sub(r"[:=]", "-", method)
    plain = re.sub(r"[^A-Za-z0-9_.,-]", "-", name)
    # Two paths may differ in nothing but what was replaced.
    own = "" if plain == name else f"-{hashlib.sha256(method.encode()).hexdigest()[:8]}"
    return plain[:100] + own if own else plain


def rows(
    out: Path,
    name: str,
    measures: Sequence[dict[str, Any]],
    methods: Mapping[str, tuple[str, Sequence[int]]],
) -> list[dict[str, Any]]:
    """A row for each measure and method: values by seed, mean, difference with its interval.

    `measures` are those of the challenge `name`. `methods` are the baseline of each ("": none) and
    the seeds for which both have a record.
    """
    table: list[dict[str, Any]] = []
    for method, (baseline, seeds) in methods.items():
        base = [_found(out, name, baseline, seed) for seed in seeds if baseline]
        ours = [_found(out, name, method, seed) for seed in seeds]
        failed = next((r["error"] for r, _ in ours if "error" in r), "")
        together = {}
        if base and not failed and not any("error" in r for r, _ in base):
            leading = [m["name"] for m in measures if m["primary"]]
            together = {"together": difference(*_compared(ours, base, leading))}
        for one in measures:
            key = one["name"]
            row = {"challenge": name, "measure": key, "primary": one["primary"], "method": method}
            if failed:
                table.append(row | {"error": failed})
                continue
            values = [r["measures"][key]["value"] for r, _ in ours]
            row |= {
                "better": one["better"],
                "baseline": baseline,
                "seeds": list(seeds),
                "values": values,
                "mean": float(np.mean(values)),
                "seconds": float(np.mean([r["seconds"] for r, _ in ours])),
            }
            if together:
                row |= difference(*_compared(ours, base, [key])) | together
            table.append(row)
    return table


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
    folder = folder_of(out, name, method, seed)
    record = json.loads((folder / "record.json").read_text())
    if "error" in record:
        return record, {}
    samples = np.load(folder / "samples.npy")  # [measures, resamples]
    return record, dict(zip(record["measures"], samples, strict=True))


def difference(differences: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    """Mean difference over seeds [S] and its 95 % intervals.

    `low`, `high`: Student's t over seeds, each of which is another hospital, order and start; NaN
    for one seed. `patients`: percentiles of the mean over seeds of the paired resamples [S, R],
    which holds the test patients' part alone.
    """
    mean, low, high = interval(differences.tolist())
    return {
        "difference": mean,
        "low": low,
        "high": high,
        "patients": list(percentile_interval(samples.mean(0))),
    }
