"""Score records of the text tasks, and the bag of words that stands beside the model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asclip.metrics.bootstrap import bootstrap_mean, percentile_interval
from asclip.metrics.known import mean_of_defined
from asclip.tasks.probing import unit
from asclip.types import Score

WORDS = "-words"  # ends the task's name where a bag of words answers it
MOST_WORDS = 1000
_WORD = re.compile(r"[^\W_]+")


class BagOfWords:
    """A text as the set of its words: the `vectors` of a tower that knows no order and no meaning.

    Columns are the `MOST_WORDS` words that most of `texts` have; the rest is not seen.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(word for text in texts for word in _words(text))
        common = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
        self.column = {word: place for place, word in enumerate(common)}

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """[n, words] float64 of 0 and 1."""
        out = np.zeros((len(texts), len(self.column)))
        for row, text in enumerate(texts):
            out[row, [self.column[word] for word in _words(text) if word in self.column]] = 1.0
        return out


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def both(model: Any, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Unit vectors [n, D] of the texts, by the end of the task's name: "" the model's, `WORDS`."""
    if not texts:
        return {"": np.zeros((0, 1)), WORDS: np.zeros((0, 1))}
    told = model.encode_texts(list(texts)).pooled.numpy()
    return {"": unit(told), WORDS: unit(BagOfWords(texts).vectors(texts))}


def score(
    facts: Mapping[str, Any],
    metric: str,
    value: float,
    *,
    end: str = "",
    label: str = "",
    interval: tuple[float, float] = (np.nan, np.nan),
    n: int = 0,
    chance: float | None = None,
    why: str = "",
) -> Score:
    """A record of a task's `facts` (see `tasks.provenance`); `why` explains a NaN."""
    return Score(
        dataset=str(facts["dataset"]),
        split=str(facts["split"]),
        task=f"{facts['task']}{end}",
        metric=metric,
        label=label,
        value=float(value),
        low=float(interval[0]),
        high=float(interval[1]),
        n=n,
        seed=int(facts["seed"]),
        prompts=str(facts["prompts"]),
        preprocessing=str(facts["preprocessing"]),
        why_nan=why if np.isnan(value) else "",
        chance=chance,
    )


def mean_score(
    facts: Mapping[str, Any],
    metric: str,
    values: np.ndarray,
    groups: np.ndarray,
    *,
    resamples: int,
    end: str = "",
    label: str = "",
    chance: float | None = None,
    why: str = "",
) -> Score:
    """The mean of values [n] or, over classes, of their means [n, K]; NaN does not count.

    The interval draws `groups` [n] (patients, or findings) with replacement.
    """
    columns = values[:, None] if values.ndim == 1 else values
    known = ~np.isnan(columns).all(axis=1)
    value = float(mean_of_defined(mean_of_defined(columns))) if known.any() else np.nan
    span = (np.nan, np.nan)
    if len(np.unique(groups[known])) > 1:
        rng = np.random.default_rng(int(facts["seed"]))
        samples = bootstrap_mean(columns[known], groups=groups[known], resamples=resamples, rng=rng)
        span = percentile_interval(mean_of_defined(samples, axis=1))
    return score(
        facts, metric, value, end=end, label=label, interval=span, n=int(known.sum()),
        chance=chance if known.any() else None, why=why,
    )  # fmt: skip
