"""Two runs on the same studies: the difference of every score of their predictions, paired.

Both are scored on the same resamples of the patients, so that what makes a study hard for both
falls out. A difference is the second run's value minus the first's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asclip.errors import DataError
from asclip.metrics.bootstrap import percentile_interval
from asclip.metrics.known import why_nan
from asclip.recipes.resampled import classes, ranks
from asclip.results import read_predictions
from asclip.types import Predictions

RESAMPLES = 2000
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """One score of both runs on the same `n` studies; `p` is two-sided, of the same resamples."""

    task: str
    metric: str
    label: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    why_nan: str = ""

    @property
    def clear(self) -> bool:
        """Whether the interval does not hold 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Compared:
    """All differences of two runs, and what they were taken on; `notes` say what was left out."""

    first: str
    second: str
    dataset: str
    split: str
    split_hash: str
    rows: tuple[Difference, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def known(self) -> int:
        """Differences with an interval."""
        return sum(row.low == row.low for row in self.rows)

    @property
    def clear(self) -> int:
        """Those whose interval does not hold 0."""
        return sum(row.clear for row in self.rows)

    @property
    def by_chance(self) -> float:
        """As many would exclude 0 by chance if the runs were alike."""
        return LEVEL * self.known

    @property
    def summary(self) -> str:
        """One sentence on how many intervals exclude 0, and how many would by chance."""
        return (
            f"{self.clear} of {self.known} intervals exclude 0; between two runs that are alike "
            f"about {self.by_chance:.1f} would, and those of one task rise and fall together"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN stays NaN."""
        counted = {"known": self.known, "clear": self.clear, "by_chance": self.by_chance}
        return asdict(self) | counted


def difference(
    first: Path, second: Path, *, split: str = "test", resamples: int = RESAMPLES, seed: int = 0
) -> Compared:
    """What `second` does better than `first` on the predictions that `asclip evaluate` wrote.

    Raises:
        DataError: no predictions, none in common, or ones of other studies, prompts or labels.
    """
    ours, theirs = (_read(run, split) for run in (first, second))
    shared = [name for name in ours if name in theirs]
    if not shared:
        raise DataError(
            f"two runs must have predictions of the same task and data set; {first.name} has "
            f"{_listed(ours)} and {second.name} has {_listed(theirs)}; run asclip evaluate on both "
            "with the same DATA and --prompts"
        )
    rows: list[Difference] = []
    for name in shared:
        pair = ours[name], _same_order(name, ours[name], theirs[name])
        rows += _rows(name, *pair, resamples=resamples, seed=seed)
    one = ours[shared[0]].provenance
    notes = [
        f"only {run.name} has {_listed({k: v for k, v in mine.items() if k not in shared})}"
        for run, mine in ((first, ours), (second, theirs))
        if set(mine) - set(shared)
    ]
    return Compared(
        first.name, second.name, str(one["dataset"]), split, _hash(ours[shared[0]]), tuple(rows),
        tuple(notes),
    )  # fmt: skip


def _read(run: Path, split: str) -> dict[str, Predictions]:
    """The predictions on a split by what they answer, "zero-shot cxr-findings of chest"."""
    found = {}
    for path in sorted((run / "predictions").glob("*.npz")):
        one = read_predictions(path)
        facts = one.provenance
        # A bag of words answers for no run.
        if facts.get("split") == split and not str(facts["task"]).endswith("-words"):
            prompts = str(facts.get("prompts", "")).partition("@")[0]
            words = (str(facts["task"]), prompts, "of", str(facts["dataset"]))
            found[" ".join(word for word in words if word)] = one
    if not found:
        raise DataError(
            f"{run.name} must have predictions of the split {split}, it has none; run "
            f"asclip evaluate {run.name} --split {split}"
        )
    return found


def _listed(found: Mapping[str, Predictions]) -> str:
    return ", ".join(found) or "none"


def _hash(one: Predictions) -> str:
    return str(one.provenance.get("split_hash") or one.provenance.get("dataset_hash", ""))


def _same_order(name: str, first: Predictions, second: Predictions) -> Predictions:
    """`second` in the order of `first`'s studies, once it is of the same question.

    Raises:
        DataError: another split, prompt set, label, study or truth.
    """
    for what, ours, theirs in (
        ("split", _hash(first), _hash(second)),
        ("prompt set", first.provenance.get("prompts"), second.provenance.get("prompts")),
        ("labels", list(first.labels), list(second.labels)),
        ("pool", first.provenance.get("pool"), second.provenance.get("pool")),
    ):
        if ours != theirs:
            raise DataError(
                f"{name}: both runs must be scored with the same {what}, got {ours} and {theirs}; "
                "evaluate both again on one data set with one prompt set"
            )
    place = {study: row for row, study in enumerate(second.study.tolist())}
    if set(place) != set(first.study.tolist()):
        raise DataError(
            f"{name}: both runs must be scored on the same studies, {len(first.study)} and "
            f"{len(second.study)} differ; evaluate both again on one data set"
        )
    order = np.array([place[study] for study in first.study.tolist()])
    truth = second.truth[order]
    if not np.array_equal(first.truth, truth, equal_nan=True):
        raise DataError(
            f"{name}: both runs must be scored against the same truth, and some labels differ; "
            "evaluate both again on one data set"
        )
    return Predictions(
        second.scores[order], truth, second.labels, second.study[order], second.patient[order],
        second.provenance,
    )  # fmt: skip


def _rows(
    name: str, first: Predictions, second: Predictions, *, resamples: int, seed: int
) -> list[Difference]:
    unknown = np.isnan(first.scores) | np.isnan(second.scores)
    kind = ranks if first.labels and first.labels[0].endswith("_rank") else classes
    both = [
        kind(np.where(unknown, np.nan, one.scores), first, resamples, seed)
        for one in (first, second)
    ]
    rows = []
    for (metric, label), (value, samples, n) in both[0].items():
        other, theirs, _ = both[1][metric, label]
        apart = theirs - samples
        low, high = percentile_interval(apart)
        why = ""
        if np.isnan(other - value):
            column = first.labels.index(label) if label in first.labels else None
            why = "no label is defined" if column is None else (
                why_nan(first.truth[:, column], first.scores[:, column]) or "undefined"
            )  # fmt: skip
        rows.append(
            Difference(
                name, metric, label, value, other, other - value, low, high,
                two_sided(apart) if low == low else float("nan"), n, why,
            )
        )  # fmt: skip
    return rows


def two_sided(samples: np.ndarray) -> float:
    """Twice the smaller share of resampled differences on either side of 0, at most 1.

    One is added to the counts, so that no finite number of resamples gives 0: Davison and Hinkley
    1997, eq. 4.11.

    >>> two_sided(np.array([0.1, 0.2, 0.3]))
    0.5
    """
    defined = samples[~np.isnan(samples)]
    fewer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (1 + fewer) / (len(defined) + 1))
