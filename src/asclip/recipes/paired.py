"""The table of a comparison: values by seed, and differences to the baseline on the same hospital.

The difference is taken per seed, where both methods saw the same hospital; its interval is
Student's over seeds, each of which is another hospital, order and start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asclip.adapt.summary import interval
from asclip.metrics.bootstrap import percentile_interval
from asclip.recipes.compare_files import folder_of

Found = tuple[dict[str, Any], dict[str, np.ndarray]]  # a record and its resamples by measure


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
