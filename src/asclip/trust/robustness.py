"""How much of a score is lost where something has changed, on the same studies.

quality          macro-AUROC, or balanced accuracy where one class of several is right
relative_drop    1 - quality(changed) / quality(clean); below 0 where the change helps
interval         percentiles over patients drawn anew, the same ones for both: the difference of
                 two scores of the same studies varies less than each of them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from asclip.metrics.biased import biased_interval
from asclip.metrics.bootstrap import bootstrap_auroc, bootstrap_mean, percentile_interval
from asclip.metrics.classification import auroc_columns, hits_by_class
from asclip.metrics.known import mean_of_defined
from asclip.tasks.provenance import record
from asclip.trust.subgroups import Groups
from asclip.types import Predictions, Score

LEAST = 5  # positives and negatives that a label must have within a group
MILD, MUCH = 2, 0.1  # a fault up to this severity that costs so much is told


@dataclass(frozen=True, slots=True)
class Quality:
    """One number of some predictions: `value`, `samples` [R] over patients, `n` studies."""

    metric: str
    value: float
    samples: np.ndarray
    n: int
    chance: float


def quality(predictions: Predictions, *, seed: int, resamples: int) -> Quality:
    """The quality of predictions; equal seeds draw the same patients."""
    truth, scores = predictions.truth, predictions.scores
    draw = {"groups": predictions.patient, "resamples": resamples}
    rng = np.random.default_rng(seed)
    n = int((~np.isnan(truth) & ~np.isnan(scores)).any(axis=1).sum())
    if predictions.provenance.get("kind") == "single-label":
        hits = hits_by_class(truth, scores)
        samples = mean_of_defined(bootstrap_mean(hits, rng=rng, **draw), axis=1)
        value = float(mean_of_defined(mean_of_defined(hits)))
        return Quality("balanced_accuracy", value, samples, n, 1.0 / truth.shape[1])
    values = auroc_columns(truth, scores)
    every = bootstrap_auroc(truth, scores, rng=rng, **draw)
    samples = mean_of_defined(every[:, ~np.isnan(values)], axis=1)
    return Quality("auroc", float(mean_of_defined(values)), samples, n, 0.5)


def relative_drop(clean: Quality, changed: Quality) -> Quality:
    """What is lost of `clean`, as a share of it."""
    before = np.append(clean.samples, clean.value)
    lost = 1.0 - np.append(changed.samples, changed.value) / np.where(before > 0, before, np.nan)
    return Quality("relative_drop", float(lost[-1]), lost[:-1], changed.n, 0.0)


def mean_quality(parts: Sequence[Quality]) -> Quality:
    """The mean of several qualities of the same studies."""
    samples = np.mean([part.samples for part in parts], axis=0)
    return replace(parts[0], value=float(np.mean([p.value for p in parts])), samples=samples)


def score_of(predictions: Predictions, task: str, label: str, found: Quality) -> Score:
    """The record of a quality; `task` becomes "robustness-TASK"."""
    facts = {**predictions.provenance, "task": f"robustness-{task}"}
    low, high = percentile_interval(found.samples)
    undefined = bool(np.isnan(found.value))
    return record(
        replace(predictions, provenance=facts),
        found.metric,
        label=label,
        value=found.value,
        low=float("nan") if undefined else low,
        high=float("nan") if undefined else high,
        n=found.n,
        why_nan="no label has studies with and without it" if undefined else "",
        chance=None if found.metric == "relative_drop" else found.chance,
    )


def compared(
    clean: Predictions, changed: dict[str, Predictions], task: str, *, seed: int, resamples: int
) -> dict[str, tuple[Score, Score]]:
    """Label -> (quality, relative drop) of predictions under each change."""
    base = quality(clean, seed=seed, resamples=resamples)
    found = {}
    for label, predictions in changed.items():
        now = quality(predictions, seed=seed, resamples=resamples)
        lost = relative_drop(base, now)
        found[label] = (
            score_of(clean, task, label, now),
            score_of(clean, task, label, lost),
        )
    return found


def spread(each: Sequence[Predictions], *, seed: int, resamples: int) -> list[Score]:
    """The least, the mean, the best and the standard deviation over single prompts (templates).

    The interval of the least and of the best is that of the template which is the least, or best.
    """
    found = [quality(one, seed=seed, resamples=resamples) for one in each]
    order = np.argsort([one.value for one in found], kind="stable")
    ends = {"least": found[order[0]], "best": found[order[-1]], "mean": mean_quality(found)}
    scores = [score_of(each[0], "prompts", f"{name} template", one) for name, one in ends.items()]
    samples = np.std([one.samples for one in found], axis=0)
    value = float(np.std([one.value for one in found]))
    low, high = biased_interval(value, samples)
    deviation = replace(scores[0], metric="sd", label="templates", value=value, chance=None)
    return [*scores, replace(deviation, low=low, high=high)]


def by_group(
    predictions: Predictions, among: Groups, *, seed: int, resamples: int
) -> list[tuple[Score, Score]]:
    """(quality, drop against all studies) within each group, on labels that a group has enough of.

    A label takes part with `LEAST` positives and negatives in the group; the drop compares the same
    labels. Groups without any are left out.
    """
    single = predictions.provenance.get("kind") == "single-label"
    found = []
    for number, name in enumerate(among.names):
        inside = among.member == number
        truth = np.where(inside[:, None], predictions.truth, np.nan)
        usable = np.where(np.isnan(predictions.scores), np.nan, truth)
        enough = (usable == 1).sum(axis=0) >= LEAST
        if not single:
            enough &= (usable == 0).sum(axis=0) >= LEAST
        if not enough.any() or (single and not enough.all()):
            continue
        labels = tuple(np.array(predictions.labels)[enough])
        scores, every = predictions.scores[:, enough], predictions.truth[:, enough]
        kept = replace(predictions, scores=scores, truth=every, labels=labels)
        here = replace(kept, truth=truth[:, enough])
        key = f"{among.attribute} {name}"
        found.append(compared(kept, {key: here}, "site", seed=seed, resamples=resamples)[key])
    return found


def warnings_of(scores: Sequence[Score]) -> list[str]:
    """Sentences about what costs more than `MUCH` for sure: the interval of the drop lies above it.

    Of faults and typing errors those up to severity `MILD`, of attacks one grey level, of sites and
    absent parts any; and denials that rank the ill first.
    """
    said = []
    for where, of in _by_question(scores).items():
        lost = [s for s in of if s.metric == "relative_drop" and s.low > MUCH and _told(s)]
        if lost:
            lost.sort(key=lambda s: -s.value)
            each = ", ".join(f"{s.label} {s.value:.0%}" for s in lost[:5])
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            said.append(f"{where}: the score falls by more than {MUCH:.0%} with {each}{more}")
        for one in of:
            if one.label == "denied" and one.high < 0.5:
                said.append(
                    f"{where}: denials rank the studies with the finding first (AUROC of absence "
                    f"{one.value:.2f}); the word no is not heard"
                )
    return said


def _by_question(scores: Sequence[Score]) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for one in scores:
        found.setdefault(one.prompts.partition("@")[0] or one.dataset, []).append(one)
    return found


def _told(score: Score) -> bool:
    name, _, severity = score.label.rpartition("-")
    if score.task in ("robustness-site", "robustness-missing"):
        return True
    mild = 1 if name == "fgsm" else MILD
    return bool(name) and severity.isdigit() and int(severity) <= mild
