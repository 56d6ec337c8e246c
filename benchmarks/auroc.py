"""AUROC with intervals over patients: Asclip's bootstrap against scikit-learn in a loop.

    python benchmarks/auroc.py [--rows 20000] [--labels 14] [--resamples 1000] [--out FILE.json]

Both compute, for each resample of the patients and each label, the AUROC of the repeated rows.
scikit-learn is measured on a few resamples and scaled, and the scaling is printed. Before the
timing the values of both are compared on the same resamples.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

from asclip.metrics.bootstrap import bootstrap_auroc, resample_counts


def table(rows: int, labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    prevalence = np.geomspace(0.01, 0.5, labels)
    truth = (rng.random((rows, labels)) < prevalence).astype(np.float64)
    score = rng.normal(size=(rows, labels)).astype(np.float32) + truth
    patients = rng.integers(0, rows * 2 // 3, rows)  # 1.5 studies a patient, a few with many
    return truth, np.round(score, 3), patients  # rounded: ties, as float16 scores would have


def ours(truth: np.ndarray, score: np.ndarray, patients: np.ndarray, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return bootstrap_auroc(truth, score, groups=patients, resamples=resamples, rng=rng)


def theirs(truth: np.ndarray, score: np.ndarray, patients: np.ndarray, loops: int) -> np.ndarray:
    number = {name: place for place, name in enumerate(dict.fromkeys(patients.tolist()))}
    member = np.array([number[name] for name in patients.tolist()])  # by first appearance
    out = []
    for counts in resample_counts(member.max() + 1, loops, np.random.default_rng(1)):
        for count in counts:
            rows = np.repeat(np.arange(len(truth)), count[member])
            t, s = truth[rows], score[rows]
            out.append([roc_auc_score(t[:, k], s[:, k]) for k in range(truth.shape[1])])
    return np.array(out)


def seconds(work, *arguments: object, times: int = 1) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work(*arguments)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--loops", type=int, default=10, help="resamples measured for scikit-learn")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = table(options.rows, options.labels)

    difference = np.abs(ours(*data, 3) - theirs(*data, 3)).max()
    print(f"largest difference on 3 resamples: {difference:.1e}")
    assert difference < 1e-12
    mine = seconds(ours, *data, options.resamples, times=3)
    few = seconds(theirs, *data, options.loops)
    scaled = few * options.resamples / options.loops
    print(f"asclip        {mine:8.2f} s for {options.resamples} resamples (best of 3)")
    print(f"scikit-learn  {few:8.2f} s for {options.loops} resamples, so {scaled:.1f} s for all")
    print(f"ratio         {scaled / mine:8.1f}   (wanted: 50 or more)")
    result = {
        "benchmark": "auroc",
        "rows": options.rows,
        "labels": options.labels,
        "resamples": options.resamples,
        "asclip_seconds": mine,
        "sklearn_seconds_scaled": scaled,
        "sklearn_loops_measured": options.loops,
        "ratio": scaled / mine,
        "largest_difference": float(difference),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
