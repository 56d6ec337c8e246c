"""Base and new classes: who is learned from and who is only asked for (CoCoOp, arXiv:2203.05557).

    H = 2 b n / (b + n)   of a score b on studies of base classes and n on those of new classes

Of one class of several the candidates are the base classes alone, or the new ones alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from asclip.adapt.interface import ClassTexts
from asclip.adapt.question import Question
from asclip.errors import DataError
from asclip.types import Score

BASE, NEW, HARMONIC = "base", "new", "harmonic"
NO_MEAN = "no harmonic mean without a score on new classes"


@dataclass(frozen=True, slots=True)
class Side:
    """Some classes that are scored together; `name` is "" where they are all."""

    name: str
    question: Question
    texts: ClassTexts


def sides_of(model: Any, question: Question, base: Sequence[str] | None) -> list[Side]:
    """One side with all classes, or base and new; adapters are fitted on the first.

    `base` None asks for all classes together, () halves them.

    Raises:
        DataError: too few classes for two sides, or a base class that is none.
    """
    if base is None:
        return [Side("", question, ClassTexts.of(model, question.prompts))]
    prompts = question.prompts
    names = halves(prompts.labels, base, least=2 if prompts.single_label else 1)
    parts = [Question(prompts.only(*some)) for some in names]
    return [
        Side(name, part, ClassTexts.of(model, part.prompts))
        for name, part in zip((BASE, NEW), parts, strict=True)
    ]


def halves(
    labels: Sequence[str], base: Sequence[str], *, least: int
) -> tuple[list[str], list[str]]:
    """Base and new classes in the order of `labels`; without `base` the first half by a hash.

    >>> halves("abcde", (), least=2)
    (['c', 'd', 'e'], ['a', 'b'])
    """
    unknown = [name for name in base if name not in labels]
    if unknown:
        raise DataError(
            f"base classes must be of the question, got {', '.join(unknown)}; it has "
            f"{', '.join(labels)}"
        )
    order = sorted(labels, key=lambda one: hashlib.sha256(f"base:{one}".encode()).digest())
    inside = set(base or order[: (len(labels) + 1) // 2])
    first = [name for name in labels if name in inside]
    second = [name for name in labels if name not in inside]
    if min(len(first), len(second)) < least:
        raise DataError(
            f"base and new classes must be {least} or more each, got {len(first)} and "
            f"{len(second)} of {', '.join(labels)}; ask a question with more classes"
        )
    return first, second


def harmonic(base: Sequence[Score], new: Sequence[Score]) -> list[Score]:
    """The harmonic mean of each metric, without an interval of its own."""
    found = []
    for one, other in zip(base, new, strict=True):
        both = one.value + other.value
        mean = 2 * one.value * other.value / both if both else 0.0
        why = "" if mean == mean else other.why_nan or one.why_nan or NO_MEAN
        nothing = {"low": float("nan"), "high": float("nan"), "chance": None}
        found.append(replace(one, value=mean, n=one.n + other.n, why_nan=why, **nothing))
    return found
