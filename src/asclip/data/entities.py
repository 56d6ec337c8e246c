"""Which words of a text an entity-centred gap falls on, and what each weighs when restored.

    a finding or an anatomy of the clinical catalogue    hidden with chance `gaps`
    its descriptors: two words before, in its sentence   always hidden (unless gaps is 0)
    other words of such a text                           hidden with chance min(gaps, 0.7)
    words of a text without an entity                    hidden with chance `gaps`

A word of several tokens is hidden as a whole. "There is no" and "there is no evidence of" weigh
0.05, as they stand in so many reports, and descriptors so much more that the weights of a text
sum to the number of its tokens.

Paper    ECAMP, Wang et al. 2023, arXiv:2312.13316, and its authors' code
Differs  entities are those of the catalogue with their synonyms, of any number of words (authors:
         44 words). In the authors' code an index leaves descriptors hidden no more often than
         other words, against its own purpose; a text that has an empty phrase and no descriptor
         spreads the rest over padding, here over its own tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asclip.clinical.ontology import built_in

AROUND = 0.7
LIGHT = 0.05
DESCRIPTORS = 2
_EMPTY = re.compile(r"\bthere (?:is|are) no(?: evidence of)?\b")
_STOP = re.compile(r"[.;:!?\n]")

Place = tuple[int, int, int]  # start and end of a token's characters, number of its word or -1


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known of the T tokens of a text; special ones have chance and weight 0.

    `chance` [T] float32 of being hidden, `first` [T] int64 the first token of the same word,
    `weight` [T] float32 of a restored token.
    """

    chance: np.ndarray
    first: np.ndarray
    weight: np.ndarray


def marks(text: str, places: Sequence[Place], gaps: float) -> Marks:
    """The marks of a text whose tokens lie at `places`.

    >>> where = [(0, 2, 0), (3, 11, 1), (11, 12, 2)]
    >>> marks("no effusion.", where, 0.75).chance.tolist()
    [1.0, 0.75, 0.699999988079071]
    """
    small = text.lower()
    word = np.array([number for _, _, number in places], np.int64)
    special = word < 0
    entity = _covered(places, built_in().spans(small)) & ~special
    empty = _covered(places, [found.span() for found in _EMPTY.finditer(small)]) & ~special
    descriptor = _before(small, places, word, entity)
    if entity.any():
        chance = np.where(entity, gaps, np.where(descriptor, float(gaps > 0), min(gaps, AROUND)))
    else:
        chance = np.full(len(places), gaps)
    weight = np.where(empty, LIGHT, 1.0)
    gains = descriptor if descriptor.any() else ~empty & ~special
    if gains.any():
        weight[gains] *= 1 + (1 - weight[~special]).sum() / weight[gains].sum()
    chance[special] = weight[special] = 0.0
    first = np.arange(len(places))
    if len(places):
        starts = {number: index for index, number in reversed(list(enumerate(word.tolist())))}
        first = np.where(special, first, [starts[number] for number in word.tolist()])
    return Marks(chance.astype(np.float32), first, weight.astype(np.float32))


def _covered(places: Sequence[Place], spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """[T] bool, the tokens that lie in a span, in part or whole."""
    inside = [any(a < end and start < b for a, b in spans) for start, end, _ in places]
    return np.array(inside, bool)


def _before(text: str, places: Sequence[Place], word: np.ndarray, entity: np.ndarray) -> np.ndarray:
    """[T] bool, the tokens of the words before an entity, none of which is an entity."""
    found = np.zeros(len(places), bool)
    for token in np.flatnonzero(entity).tolist():
        start = places[token][0]
        for number in range(word[token] - DESCRIPTORS, word[token]):
            own = np.flatnonzero(word == number)
            if number >= 0 and len(own) and not _STOP.search(text, places[own[0]][0], start):
                found[own] = True
    return found & ~entity
