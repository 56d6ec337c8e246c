"""Coverage and size of conformal sets on test predictions, as score records."""

from __future__ import annotations

import numpy as np

from asclip.metrics.known import why_nan
from asclip.trust import conformal
from asclip.trust.scaling import Temperature
from asclip.trust.scoring.rows import WHOLE, mean_rows
from asclip.types import Predictions, Score

SURPRISING = 0.01  # probability below which a low coverage is said


def coverage_scores(
    validation: Predictions, test: Predictions, *, alpha: float = 0.1, resamples: int = 1000
) -> tuple[list[Score], list[str]]:
    """The records, and sentences: what lacks validation studies, what covers less than it should.

    A coverage is too low where exchangeable studies would have it less often than once in a
    hundred, all labels together; that takes the studies of a patient for independent.

    Raises:
        ValueError: alpha is not in (0, 1).
    """
    fewest = conformal.needed(alpha)  # says first that alpha is wrong
    if test.provenance.get("kind") == "single-label":
        return _classes(validation, test, alpha, resamples)
    enough = (_stated(validation, 1.0) >= fewest) & (_stated(validation, 0.0) >= fewest)
    columns = np.flatnonzero(enough)
    scores, truth = test.scores[:, columns], test.truth[:, columns]
    every = [np.full(test.truth.shape, np.nan) for _ in range(3)]
    if columns.size:
        fitted = conformal.fit_labels(
            validation.scores[:, columns], validation.truth[:, columns], alpha
        )
        counts = ~np.isnan(scores) & ~np.isnan(truth)
        present, absent = fitted.sets(scores), fitted.absent_sets(scores)
        every[0][:, columns] = conformal.covered(present, np.where(counts, truth, np.nan))
        every[1][:, columns] = conformal.covered(absent, np.where(counts, 1 - truth, np.nan))
        every[2][:, columns] = np.where(counts, present.astype(float) + absent, np.nan)
    at = f"@{1 - alpha:g}"
    names = ("conformal_present", "conformal_absent", "conformal_size")
    few = [
        f"a coverage of {1 - alpha:g} needs {fewest} validation studies with the label and "
        f"{fewest} without, got {_stated(validation, 1.0)[k]} and {_stated(validation, 0.0)[k]}"
        if not enough[k]
        else why_nan(test.truth[:, k], test.scores[:, k]) or "no study"
        for k in range(len(test.labels))
    ]
    found = [
        score
        for name, values in zip(names, every, strict=True)
        for score in mean_rows(test, name + at, values, few, resamples=resamples)
    ]
    lacking = [label for label, one in zip(test.labels, enough, strict=True) if not one]
    said = (
        f"no conformal sets at {1 - alpha:g} for {', '.join(lacking)}: too few validation studies"
    )
    warnings = [said] if lacking else []
    for name, values, outcome in (("with", every[0], 1.0), ("without", every[1], 0.0)):
        what = [f"studies {name} {label}" for label in test.labels]
        warnings += _missed(values, what, _stated(validation, outcome), alpha)
    return found, warnings


def _classes(
    validation: Predictions, test: Predictions, alpha: float, resamples: int
) -> tuple[list[Score], list[str]]:
    # The model's own probabilities: a temperature fitted on the studies that set the quantile
    # would make them differ from test studies.
    shares, known = (Temperature(1.0, single_label=True)(p.scores) for p in (test, validation))
    at, seed = f"@{1 - alpha:g}", int(str(test.provenance["seed"]))
    usable = ~np.isnan((shares + test.truth).sum(axis=1))
    found, said = [], []
    for name, measure, by_class in (
        ("lac", conformal.Lac(), False),
        ("aps", conformal.Aps(seed), False),
        ("lac_by_class", conformal.Lac(), True),
    ):
        sets, why = np.zeros(shares.shape, dtype=bool), ""
        try:
            fitted = conformal.fit(
                known,
                validation.truth,
                alpha,
                measure=measure,
                by_class=by_class,
                labels=validation.labels,
            )
            sets = fitted.sets(shares)
        except ValueError as error:
            why = str(error)
            said.append(f"no conformal sets ({name}): {why}")
        rows = np.zeros_like(usable) if why else usable
        hits = np.where(rows[:, None], conformal.covered(sets, test.truth), np.nan)
        size = np.where(rows, sets.sum(axis=1), np.nan)[:, None]
        covered = np.where(rows, np.nansum(hits, axis=1), np.nan)[:, None]
        metric, reason = f"conformal_{name}", [why or "no study"]
        for end, values in (("", covered), ("_size", size)):
            found += mean_rows(
                test, f"{metric}{end}{at}", values, reason, resamples=resamples, names=WHOLE
            )
        if not why and not by_class:
            number = np.array([int((~np.isnan((known + validation.truth).sum(axis=1))).sum())])
            said += _missed(covered, [f"the sets ({name})"], number, alpha)
        if by_class:
            reasons = reason * hits.shape[1]
            found += mean_rows(test, f"{metric}_within{at}", hits, reasons, resamples=resamples)
    return found, said


def _missed(hits: np.ndarray, what: list[str], n: np.ndarray, alpha: float) -> list[str]:
    """A sentence for each column of hits [n, K] with a surprisingly low coverage."""
    said = []
    for k, name in enumerate(what):
        m = int((~np.isnan(hits[:, k])).sum())
        chance = conformal.surprise(int(np.nansum(hits[:, k])), m, int(n[k]), alpha) if m else 1.0
        if chance < SURPRISING / (2 * len(what)):  # two outcomes, or two kinds of sets
            said.append(
                f"conformal sets held the truth in {np.nanmean(hits[:, k]):.3f} of {m} {name}, "
                f"{1 - alpha:g} was promised (p = {chance:.1g}, calibrated on {n[k]}); the two "
                "splits are not alike"
            )
    return said


def _stated(predictions: Predictions, value: float) -> np.ndarray:
    """[K] scored studies that state this value of each label."""
    return ((predictions.truth == value) & ~np.isnan(predictions.scores)).sum(axis=0)
