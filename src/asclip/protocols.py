"""The verbs of the house: five protocols, at most three members each; nobody inherits from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from asclip.types import Encoded, Facts, Loss, Pair, Predictions, Score, Study

if TYPE_CHECKING:
    from torch import Tensor


class Source(Protocol):
    """Where studies come from: lazy, in a stable order, no pixels."""

    name: str

    def studies(self) -> Iterator[Study]:
        """Yield every study, each time in the same order."""
        ...


class Tower(Protocol):
    """From tensors to `Encoded`, in the joint space of `width` D."""

    width: int

    def __call__(self, x: Any) -> Encoded:
        """Encode pixels, tokens, or cached backbone features (`Encoded`)."""
        ...


class Objective(Protocol):
    """A formula on embeddings and facts; it never sees the model, pixels or ranks.

    `needs` names what it reads, out of "image.pooled", "image.local", "text.pooled",
    "text.local", "<other>.pooled", "<other>.local", "facts.patient", "facts.labels",
    "facts.<target>"; the others and targets are those of `Pair` and `Facts`. The step gathers and
    stores nothing else.
    """

    needs: frozenset[str]

    def __call__(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of the whole (gathered) batch, in float32."""
        ...


class Scorer(Protocol):
    """An objective whose similarity is more than a cosine also owns this; tasks then use it.

    Times the objective's `scale`, 1 if it has none, it is a logit, as a cosine is.
    One whose score is the log-odds that a finding is there says so by `existence_score = True`.
    """

    def score(self, image: Encoded, text: Encoded) -> Tensor:
        """Similarity [B, C] of B images and C texts."""
        ...


class Task(Protocol):
    """A downstream question: predict once, evaluate as often as wanted without the model."""

    name: str

    def predict(self, model: Any, data: Any) -> Predictions:
        """Scores of `model` on the studies of `data`, in their order."""
        ...

    def evaluate(self, predictions: Predictions) -> list[Score]:
        """Metrics with intervals."""
        ...


class Metric(Protocol):
    """(truth, score) -> float; NaN when undefined."""

    def __call__(self, truth: np.ndarray, score: np.ndarray) -> float:
        """Value of the metric."""
        ...


__all__ = ["Metric", "Objective", "Scorer", "Source", "Task", "Tower"]
