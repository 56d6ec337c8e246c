"""From predictions to score records, for every task of this folder.

Intervals are percentile intervals over patients. All metrics of one call see the same resamples,
and the macro's interval is that of the macro itself, computed on each resample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asclip.data.leakage import in_both
from asclip.errors import DataError, LeakageError
from asclip.metrics import classification
from asclip.metrics.bootstrap import (
    bootstrap_auroc,
    bootstrap_average_precision,
    bootstrap_mean,
    percentile_interval,
    scarce,
)
from asclip.metrics.known import mean_of_defined, why_nan
from asclip.tasks.provenance import record
from asclip.types import Predictions, Score


def evaluate(
    predictions: Predictions, validation: Predictions | None = None, *, resamples: int = 1000
) -> list[Score]:
    """Scores of classification predictions, of whatever task.

    AUROC and average precision per label and macro; accuracy where one class is right
    (`provenance["kind"]`); with `validation`, predictions of other patients, also F1 and MCC.
    """
    scores = evaluate_labels(predictions, resamples=resamples)
    if predictions.provenance.get("kind") == "single-label":
        scores += evaluate_choice(predictions, resamples=resamples)
    if validation is not None:
        scores += evaluate_decisions(predictions, validation, resamples=resamples)
    return scores


def evaluate_labels(predictions: Predictions, *, resamples: int = 1000) -> list[Score]:
    """AUROC and average precision of each label, and their macro means over defined labels.

    Chance is 0.5 and the prevalence. A label without prompts has a NaN record that says so.
    """
    truth, score = predictions.truth, predictions.scores
    usable = ~(np.isnan(truth) | np.isnan(score))
    prevalence = mean_of_defined(np.where(usable, truth, np.nan))
    draw = _Draw(predictions, resamples)
    values = classification.auroc_columns(truth, score)
    samples = bootstrap_auroc(truth, score, **draw.arguments())
    chance = np.full(len(values), 0.5)
    scores = _per_label(predictions, "auroc", (values, samples, chance), draw=draw)
    columns = range(truth.shape[1])
    values = np.array([classification.average_precision(truth[:, k], score[:, k]) for k in columns])
    samples = bootstrap_average_precision(truth, score, **draw.arguments())
    return scores + _per_label(
        predictions, "average_precision", (values, samples, prevalence), draw=draw
    )


def evaluate_choice(predictions: Predictions, *, resamples: int = 1000) -> list[Score]:
    """Accuracy and balanced accuracy of one class per study; chance is 1 / K.

    Truth is one-hot; the class with the top score is chosen, ties are shared.
    """
    truth, score = predictions.truth, predictions.scores
    by_class = classification.hits_by_class(truth, score)  # [n, K]
    hits = mean_of_defined(by_class, axis=1)  # [n]
    draw = _Draw(predictions, resamples)
    overall = bootstrap_mean(hits[:, None], **draw.arguments())[:, 0]
    per_class = bootstrap_mean(by_class, **draw.arguments())
    number = int((~np.isnan(hits)).sum())
    why = "" if number else "no study with a known class has a score"
    rows = (
        ("accuracy", mean_of_defined(hits), overall),
        ("balanced_accuracy", mean_of_defined(mean_of_defined(by_class)),
         mean_of_defined(per_class, axis=1)),
    )  # fmt: skip
    chance = 1.0 / len(predictions.labels)
    return [
        record(predictions, name, label="", value=float(value), n=number, why_nan=why,
               chance=chance, **draw.interval(samples))
        for name, value, samples in rows
    ]  # fmt: skip


def evaluate_decisions(
    predictions: Predictions, validation: Predictions, *, resamples: int = 1000
) -> list[Score]:
    """F1 and MCC of each label at the threshold that is best for it on `validation`, and macro.

    Raises:
        LeakageError: a patient is in both predictions.
        DataError: the two have different labels.
    """
    check_apart(predictions, validation)
    draw = _Draw(predictions, resamples)
    scores = []
    for name, metric in (("f1", classification.f1), ("mcc", classification.mcc)):
        columns = [
            _decisions(predictions, validation, k, metric) for k in range(len(predictions.labels))
        ]
        values = np.array([value for value, _ in columns])
        formula = classification.FORMULAS[metric]
        samples = np.stack(
            [formula(*bootstrap_mean(shares, **draw.arguments()).T) for _, shares in columns],
            axis=1,
        )
        chance = np.full(len(values), np.nan)
        scores += _per_label(predictions, name, (values, samples, chance), draw=draw)
    return scores


def check_apart(predictions: Predictions, validation: Predictions) -> None:
    """Refuse validation predictions of the same patients, or of other labels."""
    shared = in_both(predictions.patient, validation.patient)
    if shared:
        raise LeakageError(
            f"thresholds must be chosen on other patients than those scored; {shared} are in "
            "both predictions; pass the predictions of the validation split"
        )
    if predictions.labels != validation.labels:
        raise DataError(
            f"validation must have the labels {list(predictions.labels)}, got "
            f"{list(validation.labels)}; predict both splits with one task"
        )


def _decisions(
    predictions: Predictions, validation: Predictions, k: int, metric: Any
) -> tuple[float, np.ndarray]:
    """Value of label k at the validation's threshold, and [n, 4] its TP, FP, FN, TN per study."""
    truth, score = predictions.truth[:, k], predictions.scores[:, k]
    threshold = classification.best_threshold(
        validation.truth[:, k], validation.scores[:, k], metric
    )
    usable = ~(np.isnan(truth) | np.isnan(score)) & ~np.isnan(threshold)
    true, said = truth == 1, score >= threshold
    shares = np.stack([true & said, ~true & said, true & ~said, ~true & ~said], axis=1)
    value = np.nan if np.isnan(threshold) else metric(truth, score, threshold=threshold)
    return float(value), np.where(usable[:, None], shares, np.nan)


class _Draw:
    """The resamples of one evaluation: the same patients for every metric."""

    def __init__(self, predictions: Predictions, resamples: int) -> None:
        self.groups = predictions.patient
        self.resamples = resamples
        self.seed = int(str(predictions.provenance["seed"]))
        self.enough = len(np.unique(self.groups)) > 1

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of a bootstrap function, from the start of the random stream."""
        rng = np.random.default_rng(self.seed)
        return {"groups": self.groups, "resamples": self.resamples, "rng": rng}

    def interval(self, samples: np.ndarray) -> dict[str, float]:
        """`low` and `high` of samples [R]; NaN for one patient, who has no neighbours to vary."""
        low, high = percentile_interval(samples) if self.enough else (np.nan, np.nan)
        return {"low": float(low), "high": float(high)}


def _per_label(
    predictions: Predictions,
    metric: str,
    columns: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    draw: _Draw,
) -> list[Score]:
    """Records of values [K], samples [R, K], chance [K], and their mean over defined labels."""
    values, samples, chance = columns
    usable = ~(np.isnan(predictions.truth) | np.isnan(predictions.scores))
    counts = usable.sum(axis=0)
    rows = []
    for k, label in enumerate(predictions.labels):
        few = scarce(np.where(usable[:, k], predictions.truth[:, k], np.nan), predictions.patient)
        rows.append(
            record(
                predictions, metric, label=label, value=values[k], n=int(counts[k]),
                why_nan=_reason(predictions, k) if np.isnan(values[k]) else few,
                chance=None if np.isnan(chance[k]) else float(chance[k]),
                **({} if few else draw.interval(samples[:, k])),
            )
        )  # fmt: skip
    defined = ~np.isnan(values)
    macro = mean_of_defined(samples[:, defined], axis=1) if defined.any() else np.full(1, np.nan)
    mean_chance = float(mean_of_defined(chance[defined])) if defined.any() else np.nan
    rows.append(
        record(
            predictions, metric, label="macro", value=float(mean_of_defined(values)),
            n=int(usable.any(axis=1).sum()), why_nan="" if defined.any() else "no label is defined",
            chance=None if np.isnan(mean_chance) else mean_chance, **draw.interval(macro)
        )
    )  # fmt: skip
    return rows


def _reason(predictions: Predictions, k: int) -> str:
    without: Sequence[str] = predictions.provenance.get("labels_without_prompts", ())  # type: ignore[assignment]
    if predictions.labels[k] in without:
        return f"no prompts for this label in {predictions.provenance['prompts']}"
    reason = why_nan(predictions.truth[:, k], predictions.scores[:, k])
    return reason or "no threshold: undefined on the validation studies"
