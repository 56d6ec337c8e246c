"""Report retrieval: are the reports that are nearest to a report those of the same findings?

    relevant  another patient's report that has exactly the same set of findings present
    P@k       share of relevant reports among the k nearest by cosine, mean over queries

Gives    P@1, P@5, P@10 with intervals over the patients of the queries, the pool, and chance, which
         is the mean share of relevant reports among the others
Differs  a set is that of the label columns where there are any, else what rules read in reports.
         Reports of the query's patient are no candidates: they repeat themselves. A query without
         a relevant report is left out; ties are pessimistic
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.clinical.bank import findings
from asclip.clinical.extract import report_findings
from asclip.metrics.ranking import rank_queries
from asclip.tasks.provenance import provenance, who
from asclip.tasks.textual.generated import reports_of
from asclip.tasks.textual.rows import both, mean_score
from asclip.types import Score

TASK = "report-retrieval"
CUTS = (1, 5, 10)
WHY = "no two patients of this split have reports of the same set of findings"


def report_retrieval(model: Any, data: Any, *, seed: int = 0, resamples: int = 1000) -> list[Score]:
    """The scores for the model and for a bag of words."""
    facts = provenance(TASK, model, data, seed=seed)
    texts = reports_of(data)
    rows = np.flatnonzero([bool(text) for text in texts])
    told, patient = [texts[row] for row in rows], who(data)["patient"][rows]
    group = same_set(data, rows, told)
    relevant, pool = relevance(group, patient)
    asked = relevant > 0
    chance = float((relevant[asked] / pool[asked]).mean()) if asked.any() else None
    scores = []
    for end, vectors in both(model, told).items():
        hits = nearest(vectors, group, patient)
        for k in CUTS:
            values = np.where(asked, hits[:, :k].sum(axis=1) / k, np.nan)
            scores.append(
                mean_score(
                    facts, f"P@{k}", values, patient, resamples=resamples, end=end,
                    chance=chance, why=WHY,
                )
            )  # fmt: skip
    return scores


def same_set(data: Any, rows: np.ndarray, told: list[str]) -> np.ndarray:
    """[n] int64, equal where two studies have the same set of present findings.

    An unknown label counts as not present.
    """
    present = (
        data.label_matrix()[rows] == 1
        if data.labels
        else np.array([report_findings(text) == 1 for text in told]).reshape(
            len(told), len(findings())
        )
    )
    return np.unique(present, axis=0, return_inverse=True)[1].reshape(-1)


def relevance(group: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many other patients' reports have a query's set [n], and how many there are [n]."""
    apart = patient[:, None] != patient[None, :]
    return (apart & (group[:, None] == group)).sum(axis=1), apart.sum(axis=1)


def nearest(vectors: np.ndarray, group: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """[n, 10] bool: whether each of the nearest reports of other patients has the query's set."""

    def close(rows: slice) -> np.ndarray:
        # Rounding must not order equal texts.
        cosine = np.round(vectors[rows] @ vectors.T, 9)
        return np.where(patient[rows, None] == patient, -np.inf, cosine)

    found = rank_queries(close, group, candidate_groups=group, top=max(CUTS))
    hits = np.zeros((len(vectors), max(CUTS)), dtype=bool)
    hits[:, : found.hits.shape[1]] = found.hits & np.isfinite(found.similarity)
    return hits
