"""How much a zero-shot result depends on the choice of its prompts.

Each class is asked with one pair of prompts alone, then with random halves of its prompts. The
spread of the AUROC is what another author's wording could have given; it is told, not used to
choose a prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.metrics.classification import auroc_columns
from asclip.metrics.known import mean_of_defined
from asclip.tasks.beside import asked_of
from asclip.tasks.classification.truth import truth_of
from asclip.tasks.classification.zero_shot import log_odds
from asclip.tasks.provenance import provenance
from asclip.types import Encoded, Score

HALVES = 20  # random ensembles


@dataclass(frozen=True, slots=True)
class Spread:
    """AUROC of K classes: `whole` [K] of all prompts, `alone` [P, K], `halves` [R, K].

    Row p of `alone` asks with the p-th positive and negative prompt of each class; NaN where a
    class has no p-th positive one, or no AUROC. A class with nothing to choose has NaN in `halves`.
    """

    labels: tuple[str, ...]
    whole: np.ndarray
    alone: np.ndarray
    halves: np.ndarray


def prompt_spread(
    model: Any,
    images: Encoded,
    truth: np.ndarray,
    prompts: PromptSet,
    *,
    halves: int = HALVES,
    seed: int = 0,
) -> Spread:
    """The spread over the prompts of a set; `truth` [n, K] in the order of its classes."""

    def quality(said: PromptSet) -> np.ndarray:
        return auroc_columns(truth, log_odds(model, images, said))

    counts = np.array([len(part.positive) for part in prompts.classes.values()])
    alone = [quality(_each(prompts, lambda part, p=p: _pair(part, p))) for p in range(counts.max())]
    rng = np.random.default_rng(seed)
    drawn = [quality(_each(prompts, lambda part: _half(part, rng))) for _ in range(halves)]
    fixed = [len(p.positive) == 1 >= len(p.negative) for p in prompts.classes.values()]
    exists = np.arange(counts.max())[:, None] < counts
    return Spread(
        prompts.labels,
        quality(prompts),
        np.where(exists, np.stack(alone), np.nan),
        np.where(fixed, np.nan, np.stack(drawn)) if drawn else np.empty((0, len(counts))),
    )


def sensitivity(
    model: Any, data: Any, prompts: PromptSet, *, halves: int = HALVES, seed: int = 0
) -> list[Score]:
    """Score records of the spread, task "prompt-choice", per label and their mean.

    auroc_alone_worst, _best, _sd over single prompts; auroc_halves_sd over random halves. These
    are no estimates of a better prompt's worth: best and worst are picked on the same studies.
    """
    found = truth_of(prompts, data)
    asked = prompts.only(*(name for name in found.labels if name in prompts.classes))
    truth = found.values[:, [found.labels.index(name) for name in asked.labels]]
    seeing = asked_of(model, prompts)
    images = seeing.encode_images(data)
    spread = prompt_spread(seeing, images, truth, asked, halves=halves, seed=seed)
    facts = provenance("prompt-choice", model, data, seed=seed, prompts=prompts.id)
    facts.pop("dataset_hash")
    number = (~np.isnan(truth)).sum(0)
    scores = []
    for metric, values in _summary(spread).items():
        rows = zip((*asked.labels, "macro"), (*values, mean_of_defined(values)), strict=True)
        for k, (label, value) in enumerate(rows):
            why = "" if value == value else "fewer than two prompts, or no AUROC to compare"
            n = int(number[k]) if k < len(number) else len(truth)
            chance = None if metric.endswith("sd") else 0.5
            scores.append(
                Score(**facts, metric=metric, label=label, value=float(value), n=n, why_nan=why,
                      chance=chance)
            )  # fmt: skip
    return scores


def _summary(spread: Spread) -> dict[str, np.ndarray]:
    """[K] of each number; NaN where a class has not two values to compare."""

    def over(values: np.ndarray, reduce: Callable[[np.ndarray], float]) -> np.ndarray:
        known = [column[~np.isnan(column)] for column in values.T]
        return np.array([reduce(one) if len(one) > 1 else np.nan for one in known])

    def deviation(values: np.ndarray) -> float:
        return float(values.std(ddof=1))

    return {
        "auroc_alone_worst": over(spread.alone, np.min),
        "auroc_alone_best": over(spread.alone, np.max),
        "auroc_alone_sd": over(spread.alone, deviation),
        "auroc_halves_sd": over(spread.halves, deviation),
    }


def _each(prompts: PromptSet, change: Callable[[ClassPrompts], ClassPrompts]) -> PromptSet:
    return replace(prompts, classes={k: change(part) for k, part in prompts.classes.items()})


def _pair(part: ClassPrompts, place: int) -> ClassPrompts:
    """One positive prompt and one negative, from the start again where there are fewer."""
    positive, negative = part.positive, part.negative
    return ClassPrompts(
        (positive[place % len(positive)],),
        (negative[place % len(negative)],) if negative else (),
    )


def _half(part: ClassPrompts, rng: np.random.Generator) -> ClassPrompts:
    """A random half of the prompts of each side, at least one."""

    def some(texts: tuple[str, ...]) -> tuple[str, ...]:
        chosen = rng.permutation(len(texts))[: (len(texts) + 1) // 2]
        return tuple(texts[k] for k in sorted(chosen))

    return ClassPrompts(some(part.positive), some(part.negative))
