"""Every score of some predictions, with its value on resamples of the patients.

Two calls with one seed and the same patients draw the same resamples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.metrics import classification
from asclip.metrics.bootstrap import bootstrap_auroc, bootstrap_average_precision, bootstrap_mean
from asclip.metrics.known import mean_of_defined
from asclip.types import Predictions

CUTS = (1, 5, 10)
Parts = dict[tuple[str, str], tuple[float, np.ndarray, int]]  # (metric, label) -> value, samples, n


def classes(scores: np.ndarray, one: Predictions, resamples: int, seed: int) -> Parts:
    """AUROC and average precision by label and macro, accuracy where one class is right."""

    def draw() -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        return {"groups": one.patient, "resamples": resamples, "rng": rng}

    truth, labels = one.truth, one.labels
    counts = (~np.isnan(truth) & ~np.isnan(scores)).sum(axis=0)
    columns = range(len(labels))
    precision = [classification.average_precision(truth[:, k], scores[:, k]) for k in columns]
    found: Parts = {}
    for metric, values, samples in (
        (
            "auroc",
            classification.auroc_columns(truth, scores),
            bootstrap_auroc(truth, scores, **draw()),
        ),
        (
            "average_precision",
            np.array(precision),
            bootstrap_average_precision(truth, scores, **draw()),
        ),
    ):
        known = ~np.isnan(values)
        for k, label in enumerate(labels):
            found[metric, label] = float(values[k]), samples[:, k], int(counts[k])
        macro = mean_of_defined(samples[:, known], axis=1)
        found[metric, "macro"] = float(mean_of_defined(values)), macro, int(counts.max(initial=0))
    if one.provenance.get("kind") == "single-label":
        hits = classification.hits_by_class(truth, scores)
        every = mean_of_defined(hits, axis=1)[:, None]
        n = int((~np.isnan(every)).sum())
        overall, by_class = (bootstrap_mean(v, **draw()) for v in (every, hits))
        value = float(mean_of_defined(every[:, 0]))
        found["accuracy", ""] = value, overall[:, 0], n
        value = float(mean_of_defined(mean_of_defined(hits)))
        found["balanced_accuracy", ""] = value, mean_of_defined(by_class, axis=1), n
    return found


def ranks(scores: np.ndarray, one: Predictions, resamples: int, seed: int) -> Parts:
    """R@k and MRR of each direction."""
    found: Parts = {}
    for column, label in enumerate(one.labels):
        rank = scores[:, column]
        values = np.stack([*((rank <= k).astype(float) for k in CUTS), 1 / rank], axis=1)
        values[np.isnan(rank)] = np.nan
        rng = np.random.default_rng(seed)
        samples = bootstrap_mean(values, groups=one.patient, resamples=resamples, rng=rng)
        n = int((~np.isnan(rank)).sum())
        for k, metric in enumerate([*(f"R@{k}" for k in CUTS), "MRR"]):
            way = label.removesuffix("_rank")
            found[f"{way}_{metric}", ""] = float(mean_of_defined(values)[k]), samples[:, k], n
    return found
