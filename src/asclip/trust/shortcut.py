"""Is a finding told by where a film was taken? Two questions, and a warning where both say yes.

    read      balanced accuracy of a linear probe of the nuisance (site, device, view) within the
              studies that have the label, and within those that do not; their mean. What only tells
              the label is at chance in it.
    agreeing, conflicting    P(score of x > score of y) for x with the label and y without it, x of
              the group in which training has the label most often and y of that with the fewest;
              and the other way round
    within    the mean over the two groups of the AUROC within the group
    dependence    agreeing - conflicting; 0 for a score that does not know the group, below 0 for
              one that goes by it against what training has

Source   the strata are those of any case-mix adjustment; on the harm: Zech et al. 2018,
         doi:10.1371/journal.pmed.1002683
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asclip.metrics.bootstrap import bootstrap_auroc, bootstrap_mean, percentile_interval
from asclip.metrics.classification import auroc_columns
from asclip.metrics.known import mean_of_defined
from asclip.tasks.probing import cross_validated, unit
from asclip.tasks.provenance import record
from asclip.trust.subgroups import Groups
from asclip.types import Predictions, Score

TASK = "shortcut"
# Metadata that says where or how a film was taken, by the names that tables give it.
NUISANCES = (
    "site", "hospital", "institution", "centre", "center", "device", "scanner", "manufacturer"
)  # fmt: skip
LEAST = 10  # studies of a group with, and without, a label
MARGIN = 0.05  # a smaller dependence is not worth a warning


def ends(truth: np.ndarray, among: Groups) -> tuple[int, int] | None:
    """The groups (most often, least often) with the label; None if fewer than two state it enough.

    `truth` [n] is that of training studies, 1, 0 or NaN; a group counts from 2 `LEAST` on.
    """
    columns = among.columns(truth)
    known = (~np.isnan(columns)).sum(axis=0) >= 2 * LEAST
    if known.sum() < 2:
        return None
    share = np.where(known, mean_of_defined(columns), np.nan)
    return int(np.nanargmax(share)), int(np.nanargmin(share))


def shortcut(
    vectors: np.ndarray,
    predictions: Predictions,
    among: Groups,
    training: list[tuple[int, int] | None],
    *,
    seed: int = 0,
    resamples: int = 200,
) -> tuple[list[Score], list[str]]:
    """Five scores a label, and a sentence for each label that is told by the group.

    `vectors` [n, D] are the embeddings of the studies of `predictions`, `training` the `ends` of
    each label, numbers of `among`.

    Raises:
        DataError: the probe has one group only, or too few patients.
    """
    predictions = replace(
        predictions, provenance={**predictions.provenance, "task": TASK, "seed": seed}
    )
    known = (among.member >= 0) & ~np.isnan(vectors).any(axis=1)
    hits = np.full((len(known), len(among.names)), np.nan)
    words = np.array(among.names)[among.member[known]]
    found = cross_validated(unit(vectors[known]), words, predictions.patient[known])
    hits[np.ix_(known, np.isin(among.names, words))] = found
    scores, warnings = [], []
    for k, label in enumerate(predictions.labels):
        one = _Column(predictions, k, among, resamples)
        read = one.read(hits)
        rows = one.dependence(training[k])
        scores += [read, *rows]
        depends = rows[-1]
        moved = depends.low > MARGIN or depends.high < -MARGIN
        if moved and read.low > (read.chance or 0.0):
            common, rare = (among.names[end] for end in training[k] or (0, 0))
            warnings.append(
                f"{label}: {among.attribute} is read from the images beyond the label (balanced "
                f"accuracy {read.value:.2f}, chance {read.chance:.2f}) and the score goes by it: "
                f"AUROC {rows[1].value:.2f} where {common} has it and {rare} has not, "
                f"{rows[2].value:.2f} the other way round, {rows[0].value:.2f} within a group"
            )
    return scores, warnings


class _Column:
    """One label's truth and scores among the groups."""

    def __init__(self, predictions: Predictions, k: int, among: Groups, resamples: int) -> None:
        self.predictions, self.label, self.among = predictions, predictions.labels[k], among
        self.truth = np.asarray(predictions.truth[:, k], dtype=np.float64)
        self.score = np.asarray(predictions.scores[:, k], dtype=np.float64)
        self.resamples = resamples

    def _draw(self) -> dict[str, object]:
        seed = int(str(self.predictions.provenance["seed"]))
        rng = np.random.default_rng(seed)
        return {"groups": self.predictions.patient, "resamples": self.resamples, "rng": rng}

    def _record(
        self, metric: str, value: float, samples: np.ndarray, n: int, why: str, chance: float
    ) -> Score:
        low, high = (np.nan, np.nan) if np.isnan(value) else percentile_interval(samples)
        return record(
            self.predictions, metric, label=f"{self.label} by {self.among.attribute}", value=value,
            low=low, high=high, n=n, why_nan=why if np.isnan(value) else "", chance=chance,
        )  # fmt: skip

    def read(self, hits: np.ndarray) -> Score:
        """The probe within the strata of the label."""
        parts = []
        for value in (0.0, 1.0):
            inside = np.where((self.truth == value)[:, None], hits, np.nan)
            enough = (~np.isnan(inside)).sum(axis=0) >= LEAST
            if enough.sum() > 1:  # one group alone cannot be taken for another
                parts.append(inside[:, enough])
        chance = float(np.mean([1 / part.shape[1] for part in parts])) if parts else np.nan
        if not parts:
            why = f"no two groups have {LEAST} studies with the label, or without it"
            return self._record("read", np.nan, np.empty(0), 0, why, chance)
        samples = [mean_of_defined(bootstrap_mean(p, **self._draw()), axis=1) for p in parts]  # type: ignore[arg-type]
        value = float(np.mean([mean_of_defined(mean_of_defined(part)) for part in parts]))
        n = int(sum((~np.isnan(part)).any(axis=1).sum() for part in parts))
        return self._record("read", value, np.mean(samples, axis=0), n, "", chance)

    def dependence(self, end: tuple[int, int] | None) -> list[Score]:
        """Within, agreeing, conflicting and their difference."""
        names = ("auroc_within", "auroc_agreeing", "auroc_conflicting", "dependence")
        chance = (0.5, 0.5, 0.5, 0.0)
        columns, why = self._pairs(end)
        if why:
            nothing = (np.nan, np.empty(0), 0, why)
            return [self._record(m, *nothing, c) for m, c in zip(names, chance, strict=True)]
        scores = np.repeat(self.score[:, None], 4, axis=1)
        values = auroc_columns(columns, scores)
        samples = bootstrap_auroc(columns, scores, **self._draw())  # type: ignore[arg-type]
        both = np.vstack([values, samples])
        both = np.column_stack(
            [both[:, :2].mean(axis=1), both[:, 2], both[:, 3], both[:, 2] - both[:, 3]]
        )
        n = int((~np.isnan(columns[:, :2])).sum())
        return [
            self._record(name, float(both[0, m]), both[1:, m], n, "", chance[m])
            for m, name in enumerate(names)
        ]

    def _pairs(self, end: tuple[int, int] | None) -> tuple[np.ndarray, str]:
        """Truth [n, 4] within either group, of the pairs that agree and of those that conflict."""
        if end is None:
            return np.empty(0), f"no two groups have {2 * LEAST} training studies with this label"
        truth = np.where(np.isnan(self.score), np.nan, self.truth)
        common, rare = (np.where(self.among.member == e, truth, np.nan) for e in end)
        cells = [(group == value).sum() for group in (common, rare) for value in (0.0, 1.0)]
        if min(cells) < LEAST:
            return np.empty(0), (
                f"the groups {self.among.names[end[0]]} and {self.among.names[end[1]]} must have "
                f"{LEAST} studies with and without the label each, got {min(cells)} of one kind"
            )
        agree = np.where(common == 1, 1.0, np.where(rare == 0, 0.0, np.nan))
        conflict = np.where(rare == 1, 1.0, np.where(common == 0, 0.0, np.nan))
        return np.stack([common, rare, agree, conflict], axis=1), ""
