"""Retrieval between images and signals: from an image to the ECG of its study, and back.

The pool is the studies of the split that have both. Only a study's own signal is right, also where
a patient came twice. Ties are pessimistic (see `metrics.ranking`).

Takes    a model (`encode_images`, `encode_signals`) and a data set with signals
Gives    ranks of the own study as predictions; R@1, R@5, R@10, median rank and MRR in both
         directions, each with its pool, the value of a random order and an interval over patients
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asclip.metrics.ranking import rank_queries
from asclip.tasks.crossmodal.retrieval import evaluate_way
from asclip.tasks.provenance import provenance, who
from asclip.types import Predictions, Score

DIRECTIONS = ("image_to_signal", "signal_to_image")


@dataclass(frozen=True)
class SignalRetrieval:
    """Retrieval of a study's signal by its images, and of its images by its signal."""

    seed: int = 0
    resamples: int = 1000

    name = "signal-retrieval"

    def predict(self, model: Any, data: Any) -> Predictions:
        """Ranks of the own study, from 1, `scores` [n, 2]; NaN for a study left out.

        `provenance` has `pool`, what was `left_out` and the `signal_preprocessing`.

        Raises:
            DataError: `data` has no signals.
            ModelError: `model` has no tower for them, or one for others.
        """
        facts = provenance(self.name, model, data, seed=self.seed)
        image = model.encode_images(data).pooled.numpy().astype(np.float64)
        signal = model.encode_signals(data).pooled.numpy().astype(np.float64)
        lacking = {"no_image": np.isnan(image).any(1), "no_signal": np.isnan(signal).any(1)}
        rows = np.flatnonzero(~(lacking["no_image"] | lacking["no_signal"]))
        facts |= {
            "pool": len(rows),
            "signal_preprocessing": data.signals.how.digest,
            "left_out": {why: int(some.sum()) for why, some in lacking.items() if some.any()},
        }
        ranks = np.full((len(data), 2), np.nan)
        if len(rows):
            one, other = _unit(image[rows]), _unit(signal[rows])
            ranks[rows] = np.stack([_ranks(one, other), _ranks(other, one)], 1)
        labels = tuple(f"{way}_rank" for way in DIRECTIONS)
        right = np.where(np.isnan(ranks), np.nan, 1.0)
        return Predictions(ranks, right, labels, **who(data), provenance=facts)

    def evaluate(self, predictions: Predictions) -> list[Score]:
        """R@1, R@5, R@10, median rank and MRR of both directions; `label` is empty."""
        return [
            score
            for column, way in enumerate(DIRECTIONS)
            for score in evaluate_way(
                predictions,
                column,
                way,
                resamples=self.resamples,
                blocks=False,
                why="no study of this split has an image and a signal",
            )
        ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _ranks(queries: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """[n] rank of each query's own row among the rows of the pool."""
    own = np.arange(len(pool))
    return rank_queries(lambda rows: queries[rows] @ pool.T, own, candidate_groups=own).first
