"""What abstention would save, as score records."""

from __future__ import annotations

from functools import partial

import numpy as np

from asclip.metrics.bootstrap import interval
from asclip.metrics.calibration import top_label
from asclip.metrics.known import mean_of_defined
from asclip.tasks.provenance import record
from asclip.trust.abstention import aurc
from asclip.trust.probabilities import Stages
from asclip.trust.scoring.rows import WHOLE, rng_of
from asclip.types import Predictions, Score


def abstention_scores(test: Predictions, stages: Stages, *, resamples: int = 1000) -> list[Score]:
    """AURC of the decision "probability >= 1/2" per label and macro, or of the likeliest class."""
    shares, why = stages.shares[stages.best], stages.why[stages.best]
    names = test.labels
    if test.provenance.get("kind") == "single-label":
        right, sure = top_label(test.truth, shares)
        wrong, sure, names = 1 - right[:, None], sure[:, None], WHOLE
    else:
        wrong = np.where(np.isnan(shares), np.nan, np.abs(test.truth - (shares >= 0.5)))
        sure = np.abs(shares - 0.5)
    known = ~np.isnan(wrong) & ~np.isnan(sure)
    asked = [([k], name, why[k] or "no study states it") for k, name in enumerate(names)]
    if names != WHOLE:
        asked.append((np.flatnonzero(known.any(axis=0)).tolist(), "macro", "no label is defined"))
    scores = []
    for columns, name, reason in asked:
        metric = partial(_mean_aurc, columns=columns)
        value, low, high, chance = metric(wrong, sure), np.nan, np.nan, None
        if not np.isnan(value):
            low, high = interval(
                metric, wrong, sure, groups=test.patient, rng=rng_of(test), resamples=resamples
            )
            chance = float(mean_of_defined(mean_of_defined(wrong[:, columns])))
        scores.append(
            record(
                test, "aurc", label=name, value=value, low=low, high=high,
                n=int(known[:, columns].any(axis=1).sum()),
                why_nan=reason if np.isnan(value) else "", chance=chance,
            )
        )  # fmt: skip
    return scores


def _mean_aurc(wrong: np.ndarray, sure: np.ndarray, *, columns: list[int]) -> float:
    return float(mean_of_defined(np.array([aurc(wrong[:, k], sure[:, k]) for k in columns])))
