"""A concept bottleneck: a label is a sparse weighted sum of what the image is said to show.

    c_j = s(u, concept j stated) - s(u, concept j denied), standardised on training studies
    logit_k = b_k + sum_j w_kj c_j      min_w  mean log loss + penalty * sum_j |w_kj|

Paper    Concept Bottleneck Models, Koh et al. 2020 (ICML), arXiv:2007.04612; with concepts in words
         LaBo, Yang et al. 2023 (CVPR), arXiv:2211.11158; of medical images Yan et al. 2023,
         arXiv:2310.03182
Takes    a model, concepts as a multi-label prompt set, labels, training and validation studies
Gives    log-odds [n, K], the concepts' scores beside them; which concepts count, and what a label
         becomes when one of them is put right (`intervened`)
Differs  the concepts are chosen by the penalty, not by a submodular search; the strongest penalty
         is kept that costs no more than `TOLERANCE` of validation AUROC. Any of the labels is a
         question of its own, also where a study has one class
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.data.leakage import in_both
from asclip.data.prompts import PromptSet
from asclip.errors import DataError, LeakageError, nearest
from asclip.metrics.classification import auroc
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.classification.truth import Truth, class_truth, truth_of
from asclip.tasks.classification.zero_shot import log_odds
from asclip.tasks.provenance import provenance, who
from asclip.types import Predictions, Score

SHARES = tuple(0.5**k for k in range(1, 11))
"""Penalties that are tried, as shares of the smallest one that leaves no concept."""
TOLERANCE = 0.005
"""Of AUROC: what fewer concepts may cost on the validation studies."""
ROUNDS = 500  # of the solver, at most


@dataclass(frozen=True)
class ConceptBottleneck:
    """What is asked: `concepts`, and `target`, a prompt set (its question alone) or label names."""

    concepts: PromptSet
    target: PromptSet | Sequence[str]
    seed: int = 0
    resamples: int = 1000

    def __post_init__(self) -> None:
        if self.concepts.single_label:
            raise DataError(
                f"concepts are yes-no questions; prompt set {self.concepts.name} has kind "
                "'single-label'; give a multi-label set"
            )

    def fit(self, model: Any, train: Any, validation: Any) -> FittedBottleneck:
        """Weights from `train`; each label's penalty is chosen on `validation`.

        Raises:
            LeakageError: a patient is in both.
            DataError: neither knows the target.
        """
        shared = in_both(train.studies["patient"], validation.studies["patient"])
        if shared:
            raise LeakageError(
                "a bottleneck must be chosen on other patients than it is fitted on; "
                f"{shared} are in both; pass two splits of one data set"
            )
        truth = truth_of(self.target, train)
        held_out = _truth(self.target, validation, truth.labels)
        scores = concept_scores(model, train, self.concepts)
        known = ~np.isnan(scores).any(axis=1)
        centre, spread = scores[known].mean(axis=0), scores[known].std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        left = (scores - centre) / spread
        right = (concept_scores(model, validation, self.concepts) - centre) / spread
        fits = [
            _choose((left, truth.values[:, k]), (right, held_out.values[:, k]))
            for k in range(len(truth.labels))
        ]
        weights, penalties = np.stack([w for w, _ in fits]), np.array([p for _, p in fits])
        return FittedBottleneck(self, truth.labels, weights, penalties, centre, spread)


@dataclass(frozen=True)
class FittedBottleneck:
    """Weights [K, J + 1] of standardised concepts, bias last; NaN for a label without two sides."""

    question: ConceptBottleneck
    labels: tuple[str, ...]
    weights: np.ndarray
    penalties: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    name = "concept-bottleneck"

    @property
    def concepts(self) -> tuple[str, ...]:
        """The J names."""
        return self.question.concepts.labels

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """[n, K] of concept scores [n, J], as `concept_scores` gives them or `intervened`."""
        standard = (scores - self.centre) / self.spread
        return standard @ self.weights[:, :-1].T + self.weights[:, -1]

    def chosen(self, label: str) -> list[tuple[str, float]]:
        """The concepts that count for a label and their weights, the heaviest first.

        Raises:
            DataError: no such label.
        """
        if label not in self.labels:
            raise DataError(f"no label {label!r} was fitted; {nearest(label, list(self.labels))}")
        row = self.weights[self.labels.index(label), :-1]
        order = np.argsort(-np.abs(row), kind="stable")
        return [(self.concepts[j], float(row[j])) for j in order if abs(row[j]) > 0]

    def intervened(self, scores: np.ndarray, values: Mapping[str, float]) -> np.ndarray:
        """Concept scores [n, J] in which these concepts were put right by a person.

        A value is in standard deviations of the training studies from their mean: 2 is clearly
        there, -2 clearly absent. A logit then changes by its weight times the change of the value.

        Raises:
            DataError: no such concept.
        """
        out = np.array(scores, np.float64)
        for name, value in values.items():
            if name not in self.concepts:
                raise DataError(f"no concept {name!r}; {nearest(name, list(self.concepts))}")
            j = self.concepts.index(name)
            out[:, j] = self.centre[j] + value * self.spread[j]
        return out

    def predict(self, model: Any, data: Any) -> Predictions:
        """Log-odds [n, K]; the provenance has `concept_scores` [n, J] and what was chosen."""
        target = self.question.target
        named = target.id if isinstance(target, PromptSet) else ""
        facts = provenance(self.name, model, data, seed=self.question.seed, prompts=named)
        truth = _truth(target, data, self.labels)
        scores = concept_scores(model, data, self.question.concepts)
        single = isinstance(target, PromptSet) and target.single_label
        facts |= {
            "kind": "single-label" if single else "multi-label",
            "concepts": self.question.concepts.id,
            "concept_scores": scores,
            "chosen": {label: dict(self.chosen(label)) for label in self.labels},
        }
        return Predictions(
            self.logits(scores), truth.values, self.labels, **who(data), provenance=facts
        )

    def evaluate(
        self, predictions: Predictions, validation: Predictions | None = None
    ) -> list[Score]:
        """As zero-shot classification."""
        return evaluate(predictions, validation, resamples=self.question.resamples)


def concept_scores(model: Any, data: Any, concepts: PromptSet) -> np.ndarray:
    """[n, J] float64 how much each study shows each concept; NaN for one without an image."""
    return log_odds(model, model.encode_images(data), concepts, temperature=False)


def sparse_logistic(x: np.ndarray, y: np.ndarray, penalty: float, start: np.ndarray) -> np.ndarray:
    """[J + 1] weights, bias last and free, of the least mean log loss + penalty * sum |w|.

    `x` [n, J], `y` [n] of 0 and 1, `start` [J + 1]. Proximal gradient with momentum and restarts
    (Beck and Teboulle 2009, doi:10.1137/080716542).
    """
    with_bias = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    rate = 4 * len(x) / np.linalg.norm(with_bias, 2) ** 2  # of the log loss: curvature <= 1/4
    now, ahead, momentum = start.copy(), start.copy(), 1.0
    for _ in range(ROUNDS):
        share = 0.5 * (1 + np.tanh(0.5 * (with_bias @ ahead)))
        moved = ahead - rate * with_bias.T @ (share - y) / len(x)
        moved[:-1] = np.sign(moved[:-1]) * np.maximum(np.abs(moved[:-1]) - rate * penalty, 0)
        if (ahead - moved) @ (moved - now) > 0:
            momentum = 1.0  # it has run past the lowest point
        later = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, step = moved + (momentum - 1) / later * (moved - now), np.abs(moved - now).max()
        now, momentum = moved, later
        if step < 1e-7:
            break
    return now


def _choose(
    train: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, float]:
    """Weights [J + 1] and their penalty: the sparsest fit that is as good as the best one.

    Where validation defines no AUROC the middle penalty is taken; NaN without two sides.
    """
    x, y = train
    usable = ~(np.isnan(x).any(axis=1) | np.isnan(y))
    x, y = x[usable], y[usable]
    if len(np.unique(y)) < 2:
        return np.full(x.shape[1] + 1, np.nan), float("nan")
    weights = np.zeros(x.shape[1] + 1)
    weights[-1] = np.log(y.mean() / (1 - y.mean()))
    most = float(np.abs(x.T @ (y - y.mean())).max() / len(y))
    fits, quality = [], []
    for share in SHARES:
        weights = sparse_logistic(x, y, share * most, weights)
        fits.append((weights, share * most))
        quality.append(auroc(validation[1], validation[0] @ weights[:-1]))
    if np.isnan(quality).all():
        return fits[len(fits) // 2]
    good = np.array(quality) >= np.nanmax(quality) - TOLERANCE
    return fits[int(np.argmax(good))]


def _truth(target: PromptSet | Sequence[str], data: Any, labels: tuple[str, ...]) -> Truth:
    """Truth of `data` in the columns `labels`, which the training data fixed."""
    if isinstance(target, PromptSet) and target.single_label:
        return class_truth(target, data, classes=labels)
    found = truth_of(target, data)
    places = [found.labels.index(k) if k in found.labels else None for k in labels]
    unknown = np.full(len(data), np.nan)
    columns = [unknown if k is None else found.values[:, k] for k in places]
    return Truth(labels, np.stack(columns, axis=1))
