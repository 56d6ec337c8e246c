"""How much of the anatomy is in the pathology stream, and of the pathology in the anatomy stream.

    stream s_i in {x_path, x_anat} pooled over regions, or the whole embedding
    probe      logistic regression s_i -> what or where, cross-validated over patients
    value      balanced accuracy; chance is 1 / classes

Paper    MeDSLIP, Fan et al. 2024, arXiv:2403.10635, claims two streams that hold one each
Takes    a model (its `disentangle` where the objective has it), a data set, two columns of facts
Gives    a score for each fact and each source: its own stream, the other one, the whole embedding
Differs  the paper shows no such number. A stream leaks nothing if the other fact is at chance in
         it; what the whole embedding holds is the most that can leak. A model without streams has
         the embedding in place of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asclip.errors import DataError
from asclip.metrics.bootstrap import bootstrap_mean, percentile_interval
from asclip.metrics.known import mean_of_defined
from asclip.tasks.probing import cross_validated, unit
from asclip.tasks.provenance import provenance
from asclip.types import Score

PATHOLOGY, ANATOMY, WHOLE = "pathology stream", "anatomy stream", "whole embedding"
SOURCES = (PATHOLOGY, ANATOMY, WHOLE)


@torch.no_grad()
def sources(model: Any, data: Any) -> dict[str, np.ndarray]:
    """Unit vectors [n, D] of every study by their source; a model without streams has one."""
    disentangle = getattr(model, "disentangle", None)
    if disentangle is None:
        whole = unit(model.encode_images(data).pooled.numpy())
        return dict.fromkeys(SOURCES, whole)
    images = model.encode_images(data, local=True)
    what, where = disentangle(images)
    every = zip(SOURCES, (what, where, images), strict=True)
    return {name: unit(encoded.pooled.numpy()) for name, encoded in every}


def hits(
    model: Any, data: Any, column: str, source: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hits [m, K] of the probe of a fact, patients [m], the m rows of `data` that know it)."""
    if source not in SOURCES:
        raise DataError(f"a source must be one of {', '.join(SOURCES)}; got {source!r}")
    return _hits(sources(model, data)[source], data, column)


def leakage(
    model: Any, data: Any, what: str, where: str, *, seed: int = 0, resamples: int = 1000
) -> list[Score]:
    """Six scores: the columns `what` and `where` ("meta:place", "label:Mass") from each source.

    Raises:
        DataError: no such column, one class only, or too few patients.
    """
    facts = provenance("leakage", model, data, seed=seed)
    vectors = sources(model, data)
    scores = []
    for name, column in (("pathology", what), ("anatomy", where)):
        for source in SOURCES:
            hit, patient, rows = _hits(vectors[source], data, column)
            rng = np.random.default_rng(seed)
            samples = bootstrap_mean(hit, groups=patient, resamples=resamples, rng=rng)
            low, high = percentile_interval(mean_of_defined(samples, axis=1))
            scores.append(
                Score(
                    dataset=facts["dataset"],
                    split=facts["split"],
                    task="leakage",
                    metric="balanced_accuracy",
                    label=f"{name} from the {source}",
                    value=float(mean_of_defined(mean_of_defined(hit))),
                    low=low,
                    high=high,
                    n=len(rows),
                    seed=seed,
                    preprocessing=facts["preprocessing"],
                    chance=1 / hit.shape[1],
                )
            )
    return scores


def _hits(vectors: np.ndarray, data: Any, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if column not in data.studies:
        raise DataError(
            f"a fact must be a column of the data set; got {column!r}; it has "
            f"{', '.join(c for c in data.studies if c.startswith(('meta:', 'label:')))}"
        )
    cells = data.studies[column]
    rows = np.flatnonzero(cells.notna().to_numpy() & ~np.isnan(vectors).any(1))
    words = cells.to_numpy()[rows].astype(str)
    apart = "group" if "group" in data.studies else "patient"  # patients who share an image
    patient = data.studies[apart].to_numpy().astype(str)[rows]
    return cross_validated(vectors[rows], words, patient), patient, rows
