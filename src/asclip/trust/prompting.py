"""Changed prompt sets: one template at a time, typing errors, the denial alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

import numpy as np

from asclip.data.prompts import ClassPrompts, PromptSet

TYPING = (0.1, 0.2, 0.4, 0.7, 1.0)  # share of the words with an error, at severities 1 to 5
Change = Callable[[ClassPrompts], ClassPrompts]
SHORTEST = 4  # letters of a word that may be misspelt: "no" and "on" are other words


def templates(prompts: PromptSet) -> list[PromptSet]:
    """The set with one positive and one negative prompt of each class, as many as there are.

    Template t has prompt t of each class, from the start again where a class has fewer.

    >>> from asclip.data.prompts import load_prompt_set
    >>> [len(t.classes["CT"].positive) for t in templates(load_prompt_set("modality"))][:2]
    [1, 1]
    """
    every = prompts.classes.values()
    count = max(max(len(c.positive), len(c.negative)) for c in every)

    def one(texts: tuple[str, ...], t: int) -> tuple[str, ...]:
        return texts[t % len(texts) :][:1] if texts else ()

    return [
        _with(prompts, lambda c, t=t: ClassPrompts(one(c.positive, t), one(c.negative, t)))
        for t in range(count)
    ]


def misspelt(text: str, share: float, *, seed: int = 0) -> str:
    """`text` with an error in a share of its longer words, one at least.

    Two neighbouring letters change places, or one is dropped or doubled. With a larger share the
    same words have the same errors and others have some, too.

    >>> misspelt("No pleural effusion.", 1.0)
    'No pleuraal effuison.'
    """
    rng = np.random.default_rng([seed, crc32(text.encode())])
    words = text.split(" ")
    long = [k for k, word in enumerate(words) if sum(map(str.isalpha, word)) >= SHORTEST]
    order, errors = rng.permutation(len(long)), rng.integers(2**31, size=len(long))
    for place in order[: math.ceil(share * len(long))]:
        words[long[place]] = _slip(words[long[place]], np.random.default_rng(errors[place]))
    return " ".join(words)


def _slip(word: str, rng: np.random.Generator) -> str:
    letters = [
        k for k, letter in enumerate(word[:-1]) if letter.isalpha() and word[k + 1].isalpha()
    ]
    swaps = [k for k in letters if word[k].lower() != word[k + 1].lower()]
    kind = rng.integers(3)
    if kind == 0 and swaps:
        k = swaps[rng.integers(len(swaps))]
        return word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    k = letters[rng.integers(len(letters))]
    return word[:k] + word[k + 1 :] if kind == 1 else word[: k + 1] + word[k:]


def typing(prompts: PromptSet, severity: int, *, seed: int = 0) -> PromptSet:
    """The set with typing errors, severity 1 to 5 (`TYPING`); equal sentences stay one."""
    share = TYPING[severity - 1]

    def changed(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(misspelt(text, share, seed=seed) for text in texts))

    return _with(prompts, lambda c: ClassPrompts(changed(c.positive), changed(c.negative)))


def affirmed(prompts: PromptSet) -> PromptSet | None:
    """The classes that have a denial, asked by their positive prompts alone; None if none has."""
    return _alone(prompts, lambda c: ClassPrompts(c.positive))


def denied(prompts: PromptSet) -> PromptSet | None:
    """The same classes, asked by their denials alone: high scores should mean absence."""
    return _alone(prompts, lambda c: ClassPrompts(c.negative))


def _alone(prompts: PromptSet, change: Change) -> PromptSet | None:
    labels = [label for label, c in prompts.classes.items() if c.negative]
    if prompts.single_label or not labels:
        return None
    return _with(prompts.only(*labels), change)


def _with(prompts: PromptSet, change: Change) -> PromptSet:
    return replace(prompts, classes={k: change(c) for k, c in prompts.classes.items()})
