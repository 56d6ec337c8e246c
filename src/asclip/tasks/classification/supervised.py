"""What labels reach: the supervised bound and a linear probe, beside which zero-shot is read.

`Supervised` asks a model that was trained on labels for its logits. `Probe` fits a logistic
regression on frozen image embeddings of the training split, chooses its strength on the validation
split, and is then a task like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.data.leakage import in_both
from asclip.data.prompts import PromptSet
from asclip.errors import LeakageError, ModelError
from asclip.metrics.classification import auroc
from asclip.metrics.known import mean_of_defined
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.classification.truth import Truth, class_truth, truth_of
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import one_against_rest
from asclip.types import Predictions, Score

# Inverse strengths of the L2 penalty that the probe tries, weakest fit first.
STRENGTHS = tuple(10.0**power for power in range(-5, 3))


@dataclass(frozen=True)
class Supervised:
    """Scores of a model with `classify(data) -> logits [n, K]`, in the order of `labels`."""

    labels: Sequence[str]
    seed: int = 0
    resamples: int = 1000

    name = "supervised"

    def predict(self, model: Any, data: Any) -> Predictions:
        """Logits of every study as predictions.

        Raises:
            ModelError: the model has no `classify`, or not one logit per label.
            DataError: a label is no label column of `data`.
        """
        if not hasattr(model, "classify"):
            raise ModelError(
                "supervised scores need a model with a head, and this one has none; train one with "
                "the supervised recipe, or evaluate zero-shot"
            )
        facts = provenance(self.name, model, data, seed=self.seed)
        truth = truth_of(tuple(self.labels), data)
        logits = np.asarray(model.classify(data), dtype=np.float64)
        if logits.shape != truth.values.shape:
            raise ModelError(
                f"classify must give {truth.values.shape} logits for {len(data)} studies and "
                f"{len(truth.labels)} labels, got {logits.shape}; give the labels it was trained on"
            )
        facts |= {"kind": "multi-label"}
        return Predictions(logits, truth.values, truth.labels, **who(data), provenance=facts)

    def evaluate(
        self, predictions: Predictions, validation: Predictions | None = None
    ) -> list[Score]:
        """As zero-shot classification."""
        return evaluate(predictions, validation, resamples=self.resamples)


@dataclass(frozen=True)
class Probe:
    """A logistic regression on frozen embeddings; `target` is a prompt set or label names.

    Of a prompt set only the question is used (classes, column, aliases), never its sentences.
    """

    target: PromptSet | Sequence[str]
    seed: int = 0
    resamples: int = 1000

    def fit(self, model: Any, train: Any, validation: Any) -> FittedProbe:
        """Fit on `train`, choose each label's strength by its AUROC on `validation`.

        Raises:
            LeakageError: a patient is in both.
            DataError: neither knows the target.
        """
        shared = in_both(train.studies["patient"], validation.studies["patient"])
        if shared:
            raise LeakageError(
                f"a probe must be chosen on other patients than it is fitted on; {shared} are "
                "in both; pass two splits of one data set"
            )
        truth = truth_of(self.target, train)
        held_out = _truth_for(self.target, validation, truth.labels)
        features = _features(model, train)
        usable = ~np.isnan(features).any(axis=1)
        centre, spread = features[usable].mean(axis=0), features[usable].std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        left = (features - centre) / spread
        right = (_features(model, validation) - centre) / spread
        weights = np.full((len(truth.labels), left.shape[1] + 1), np.nan)
        strengths = np.full(len(truth.labels), np.nan)
        every = range(len(truth.labels))
        blocks = [list(every)] if _single(self.target) else [[k] for k in every]
        for block in blocks:
            weights[block], strengths[block] = _choose(
                (left, truth.values[:, block]), (right, held_out.values[:, block])
            )
        return FittedProbe(self, truth.labels, weights, strengths, centre, spread)


@dataclass(frozen=True)
class FittedProbe:
    """A probe with weights [K, D + 1] (bias last); a label that could not be fitted has NaN."""

    probe: Probe
    labels: tuple[str, ...]
    weights: np.ndarray
    strengths: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    name = "probe"

    def predict(self, model: Any, data: Any) -> Predictions:
        """Logits [n, K] of every study; NaN for a label with one class in training."""
        target = self.probe.target
        named = target.id if isinstance(target, PromptSet) else ""
        facts = provenance(self.name, model, data, seed=self.probe.seed, prompts=named)
        truth = _truth_for(target, data, self.labels)
        features = (_features(model, data) - self.centre) / self.spread
        scores = _log_odds(features, self.weights, single=_single(target))
        facts |= {
            "kind": "single-label" if _single(target) else "multi-label",
            "strengths": [float(strength) for strength in self.strengths],
        }
        return Predictions(scores, truth.values, truth.labels, **who(data), provenance=facts)

    def evaluate(
        self, predictions: Predictions, validation: Predictions | None = None
    ) -> list[Score]:
        """As zero-shot classification."""
        return evaluate(predictions, validation, resamples=self.probe.resamples)


def _single(target: PromptSet | Sequence[str]) -> bool:
    return isinstance(target, PromptSet) and target.single_label


def _features(model: Any, data: Any) -> np.ndarray:
    """[n, D] float64 pooled embeddings; NaN for a study without an image."""
    return model.encode_images(data).pooled.numpy().astype(np.float64)


def _truth_for(target: PromptSet | Sequence[str], data: Any, labels: tuple[str, ...]) -> Truth:
    """Truth of `data` in the columns `labels`, which the training data fixed."""
    if isinstance(target, PromptSet) and target.single_label:
        return class_truth(target, data, classes=labels)
    found = truth_of(target, data)
    values = np.full((len(data), len(labels)), np.nan)
    for k, label in enumerate(labels):
        if label in found.labels:
            values[:, k] = found.values[:, found.labels.index(label)]
    return Truth(labels, values)


def _choose(
    train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, float]:
    """Weights [k, D + 1] with the best mean AUROC on validation, and their strength.

    Truth has one column (two classes) or is one-hot. Where validation defines no AUROC the
    strength is 1, the usual one; where training has one class the weights are NaN.
    """
    features, truth = train
    usable = ~(np.isnan(features).any(axis=1) | np.isnan(truth).any(axis=1))
    features, truth = features[usable], truth[usable]
    answer = truth[:, 0] if truth.shape[1] == 1 else truth.argmax(axis=1)
    nothing = np.full((truth.shape[1], train[0].shape[1] + 1), np.nan)
    if len(np.unique(answer)) < 2:
        return nothing, float("nan")
    best: tuple[float, np.ndarray, float] | None = None
    for strength in STRENGTHS:
        weights = _logistic(features, answer, truth.shape[1], strength)
        logits = _log_odds(validation[0], weights, single=truth.shape[1] > 1)
        quality = float(mean_of_defined(np.array(
            [auroc(validation[1][:, k], logits[:, k]) for k in range(truth.shape[1])]
        )))  # fmt: skip
        if np.isnan(quality):
            return _logistic(features, answer, truth.shape[1], 1.0), 1.0
        if best is None or quality > best[0]:
            best = (quality, weights, strength)
    assert best is not None
    return best[1], best[2]


def _log_odds(features: np.ndarray, weights: np.ndarray, *, single: bool) -> np.ndarray:
    """[n, K] log-odds; those of a choice are each class against the rest of the softmax."""
    logits = features @ weights[:, :-1].T + weights[:, -1]
    return one_against_rest(logits) if single else logits


def _logistic(
    features: np.ndarray, answer: np.ndarray, columns: int, strength: float
) -> np.ndarray:
    """Weights [columns, D + 1]: one row for two classes of a label, one per class of a choice."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength, max_iter=2000).fit(features, answer)
    weights = np.concatenate([fitted.coef_, fitted.intercept_[:, None]], axis=1)
    if columns == 1:
        return weights
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row, of the difference
        weights = np.concatenate([-weights / 2, weights / 2])
    out = np.full((columns, weights.shape[1]), np.nan)
    out[fitted.classes_.astype(np.int64)] = weights
    return out
