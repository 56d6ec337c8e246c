"""Calibration before and after scaling, as score records."""

from __future__ import annotations

import numpy as np

from asclip.metrics import calibration
from asclip.metrics.biased import biased_interval
from asclip.metrics.known import mean_of_defined, why_nan
from asclip.trust.probabilities import Stages
from asclip.trust.scoring.rows import WHOLE, Part, mean_rows, rng_of, rows
from asclip.types import Predictions, Score


def calibration_scores(
    test: Predictions, stages: Stages, *, bins: int = 15, resamples: int = 1000
) -> list[Score]:
    """Calibration errors, Brier score and log loss of each stage, per label and macro."""
    scores, every = [], range(len(test.labels))
    for stage, shares in stages.shares.items():
        why = [
            stages.why[stage][k] or why_nan(test.truth[:, k], shares[:, k]) or "no study"
            for k in every
        ]
        for name in ("ece", "adaptive_ece"):
            parts = [
                _error(test, (test.truth[:, k], shares[:, k]), name, bins, (resamples, k))
                for k in every
            ]
            scores += rows(test, f"{name}_{stage}", parts, why, biased_interval)
        if test.provenance.get("kind") == "single-label":
            column = calibration.top_label(test.truth, shares)
            part = _error(test, column, "ece", bins, (resamples, 0))
            name = f"top_label_ece_{stage}"
            scores += rows(test, name, [part], why[:1], biased_interval, names=WHOLE)
        scores += _proper(test, stage, shares, why, resamples)
    return scores


def _error(
    test: Predictions,
    column: tuple[np.ndarray, np.ndarray],
    name: str,
    bins: int,
    draws: tuple[int, int],
) -> Part:
    """`draws`: the number of resamples, and a number that gives each column a chance of its own."""
    (truth, share), (resamples, stream) = column, draws
    known = np.where(np.isnan(truth) | np.isnan(share), np.nan, share)
    number = int((~np.isnan(known)).sum())
    if not number:
        return np.nan, np.empty(0), 0, None
    even = name == "ece"
    edges = calibration.equal_width(bins) if even else calibration.equal_mass(known, bins)
    samples = calibration.bootstrap_ece(
        truth, share, edges, groups=test.patient, resamples=resamples, rng=rng_of(test)
    )
    by_chance = calibration.calibrated_ece(known, edges, rng=rng_of(test, stream + 1))
    return calibration.reliability(truth, share, edges).error, samples, number, by_chance


def _proper(
    test: Predictions, stage: str, shares: np.ndarray, why: list[str], resamples: int
) -> list[Score]:
    counts = ~(np.isnan(test.truth) | np.isnan(shares))
    base = mean_of_defined(np.where(counts, test.truth, np.nan))
    constant = np.where(counts, base, np.nan)  # the prevalence for everyone
    every, scores = range(len(test.labels)), []
    for name, each in (
        ("brier", calibration.brier_of_each),
        ("log_loss", calibration.log_loss_of_each),
    ):
        values, chance = (
            np.stack([each(test.truth[:, k], part[:, k]) for k in every], axis=1)
            for part in (shares, constant)
        )
        scores += mean_rows(
            test, f"{name}_{stage}", values, why, resamples=resamples,
            chance=mean_of_defined(chance),
        )  # fmt: skip
    return scores
