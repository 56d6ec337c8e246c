"""Gaps between groups as score records, and the subgroup table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from asclip.metrics.classification import balanced_accuracy, best_threshold
from asclip.tasks.provenance import record
from asclip.trust import fairness, subgroups
from asclip.types import Predictions, Score


def group_scores(
    validation: Predictions,
    test: Predictions,
    among: Sequence[subgroups.Groups],
    *,
    resamples: int = 1000,
    least: int = 10,
) -> tuple[list[Score], list[dict[str, Any]]]:
    """ES-AUC, DPD and DEOdds per label and attribute, and the rows of the subgroup table.

    Decisions are taken at the threshold of the best balanced accuracy on `validation`. `left_out`
    of a record's groups stand in the table with their reason.
    """
    scores, rows = [], []
    common: dict[str, Any] = {"patient": test.patient, "resamples": resamples, "least": least}
    common["seed"] = int(str(test.provenance["seed"]))
    for k, label in enumerate(test.labels):
        one = test.truth[:, k], test.scores[:, k]
        threshold = best_threshold(
            validation.truth[:, k], validation.scores[:, k], balanced_accuracy
        )
        for attribute in among:
            for row in subgroups.table(*one, attribute, **common):
                rows.append({"label": label, **asdict(row)})
            gaps = [fairness.es_auc(*one, attribute, **common)]
            gaps += fairness.decision_gaps(*one, attribute, threshold=threshold, **common)
            for gap in gaps:
                scores.append(
                    record(
                        test, gap.metric, label=f"{label} by {gap.attribute}", value=gap.value,
                        low=gap.low, high=gap.high, n=gap.n, why_nan=gap.why_nan,
                    )
                )  # fmt: skip
    return scores, rows
