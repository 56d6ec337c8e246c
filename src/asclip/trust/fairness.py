"""Gaps over all groups of an attribute, one number each.

    ES-AUC   AUC / (1 + sum_g |AUC - AUC_g|)                       1 is best, AUC without any gap
    DPD      max_g - min_g of P(decision | g)                      0 is best
    DEOdds   max of the same difference in sensitivity and in 1 - specificity

Paper    ES-AUC: Luo et al. 2024, FairCLIP, arXiv:2403.19949, and its code (equity_scaled_AUC);
         DPD, DEOdds: Agarwal et al. 2018, arXiv:1803.02453, section 2; Hardt et al. 2016
Differs  groups too small for an AUROC are left out and named, where the paper has one for each; a
         threshold comes from validation, where the code takes 0.5
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from asclip.metrics.biased import biased_interval
from asclip.metrics.bootstrap import bootstrap_mean
from asclip.metrics.known import known, mean_of_defined, why_nan
from asclip.trust.subgroups import Groups, aurocs, too_small, with_all


@dataclass(frozen=True, slots=True)
class Gap:
    """One metric over the groups of an attribute; `n` studies in the groups that took part.

    Small groups differ by chance alone; the interval of `metrics.biased` allows for it.
    """

    metric: str
    attribute: str
    value: float
    low: float
    high: float
    n: int
    left_out: tuple[str, ...] = ()
    why_nan: str = ""


def equity_scaled(overall: np.ndarray | float, by_group: np.ndarray) -> np.ndarray:
    """[...] ES-AUC of the overall AUROC [...] and those of the groups [..., G].

    >>> round(float(equity_scaled(0.8, np.array([0.9, 0.7]))), 4)
    0.6667
    """
    overall = np.asarray(overall, dtype=np.float64)
    return overall / (1.0 + np.abs(overall[..., None] - by_group).sum(axis=-1))


def es_auc(
    truth: np.ndarray,
    score: np.ndarray,
    among: Groups,
    *,
    patient: np.ndarray,
    seed: int = 0,
    resamples: int = 1000,
    least: int = 10,
) -> Gap:
    """ES-AUC of one label over the groups with `least` positives and negatives; at least two."""
    columns = with_all(truth, among)
    usable = ~np.isnan(columns) & ~np.isnan(np.asarray(score, dtype=np.float64))[:, None]
    kept, left_out = _large(columns[:, 1:], usable[:, 1:], among, patient, least)
    why = _why(truth, score, kept, least, among)
    if why:
        return _undefined("es_auc", among, left_out, why)
    values, samples = aurocs(columns, score, patient=patient, seed=seed, resamples=resamples)
    places = np.array(kept) + 1
    value = float(equity_scaled(values[0], values[places]))
    low, high = biased_interval(value, equity_scaled(samples[:, 0], samples[:, places]))
    return Gap("es_auc", among.attribute, value, low, high, int(usable[:, places].sum()), left_out)


def decision_gaps(
    truth: np.ndarray,
    score: np.ndarray,
    among: Groups,
    *,
    threshold: float,
    patient: np.ndarray,
    seed: int = 0,
    resamples: int = 1000,
    least: int = 10,
) -> list[Gap]:
    """DPD and DEOdds of "score >= threshold", which was chosen on validation studies.

    Only groups with `least` positives and negatives take part; two at least.
    """
    columns = with_all(truth, among)[:, 1:]
    score = np.asarray(score, dtype=np.float64)
    usable = ~np.isnan(columns) & ~np.isnan(score)[:, None]
    kept, left_out = _large(columns, usable, among, patient, least)
    why = _why(truth, score, kept, least, among)
    if not why and math.isnan(threshold):
        why = "no threshold: undefined on the validation studies"
    if why:
        return [_undefined(name, among, left_out, why) for name in ("dpd", "deodds")]
    columns, usable = columns[:, kept], usable[:, kept]
    said = np.where(usable, (score >= threshold).astype(np.float64)[:, None], np.nan)
    parts = [said, np.where(columns == 1, said, np.nan), np.where(columns == 0, said, np.nan)]
    every = np.concatenate(parts, axis=1)  # [n, 3 G]: all, positives, negatives
    rng = np.random.default_rng(seed)
    samples = bootstrap_mean(every, groups=patient, resamples=resamples, rng=rng)
    value, spread = _gaps(mean_of_defined(every)), _gaps(samples)
    return [
        Gap(name, among.attribute, float(value[k]), *biased_interval(value[k], spread[..., k]),
            n=int(usable.sum()), left_out=left_out)
        for k, name in enumerate(("dpd", "deodds"))
    ]  # fmt: skip


def _gaps(rates: np.ndarray) -> np.ndarray:
    """[..., 2] DPD and DEOdds of rates [..., 3 G]; a rate that a resample lacks makes them NaN."""
    parts = rates.reshape(*rates.shape[:-1], 3, -1)
    gap = parts.max(axis=-1) - parts.min(axis=-1)
    return np.stack([gap[..., 0], gap[..., 1:].max(axis=-1)], axis=-1)


def _large(
    columns: np.ndarray, usable: np.ndarray, among: Groups, patient: np.ndarray, least: int
) -> tuple[list[int], tuple[str, ...]]:
    small = [
        bool(too_small(truth, patient, least)) for truth in np.where(usable, columns, np.nan).T
    ]
    left_out = tuple(name for name, out in zip(among.names, small, strict=True) if out)
    return [k for k, out in enumerate(small) if not out], left_out


def _why(truth: np.ndarray, score: np.ndarray, kept: list[int], least: int, among: Groups) -> str:
    known(truth, score)
    if len(kept) > 1:
        return ""
    return why_nan(truth, score) or (
        f"a gap needs two groups with {least} positives and {least} negatives or more, "
        f"{len(kept)} of {len(among.names)} have them"
    )


def _undefined(metric: str, among: Groups, left_out: tuple[str, ...], why: str) -> Gap:
    return Gap(metric, among.attribute, math.nan, math.nan, math.nan, 0, left_out, why)
