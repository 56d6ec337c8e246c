"""Words and 1-2-grams of texts, and TF-IDF over a collection of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from asclip.literature.entry import Paper

STOP = frozenset(
    """a about above across after again against all along also although am amid among an and any
    are around as at based be because been before behind being below beside besides between
    beyond both but by can could despite did do does doing down during each either etc even ever
    except few for from further had has have having he her here hers him his how however i if in
    including inside into is it its itself just like may me might more most much must my near
    neither new no nor not novel of off often on once only onto or other our ours out outside
    over own per rather regarding same several she should since so some such than that the their
    theirs them then there these they this those though through throughout thus to too toward
    towards under unlike until up upon us use used using various very via was we well were what
    when where whether which while who whom whose why will with within without would yet you
    your""".split()
)
Vector = dict[str, float]


def grams(text: str) -> list[str]:
    """Words of two or more letters without stop words, and pairs of neighbours between marks.

    >>> grams("The pre-training of models; medical")
    ['pre', 'training', 'models', 'medical', 'pre training', 'training models']
    """
    words, pairs = [], []
    for part in re.split(r"[.;:,!?()\[\]]+(?:\s|$)", text.casefold()):
        kept = [w for w in re.findall(r"[^\W_]{2,}", part) if w not in STOP and not w.isdigit()]
        words += kept
        pairs += [f"{a} {b}" for a, b in pairwise(kept)]
    return words + pairs


def text_of(paper: Paper) -> str:
    """What is known of a paper in words: its title, and the abstract where it is given.

    Without one the keywords stand in: they are our own wording of an abstract, and would only
    count its words twice.
    """
    return ". ".join([paper.title, *([paper.abstract] if paper.abstract else paper.keywords)])


def frequencies(texts: Iterable[str]) -> tuple[Counter[str], int]:
    """In how many texts each gram occurs, and the number of texts."""
    counts: Counter[str] = Counter()
    number = 0
    for text in texts:
        counts.update(set(grams(text)))
        number += 1
    return counts, number


def weigh(text: str, counts: Counter[str], number: int) -> Vector:
    """TF-IDF of a text, of unit length: count x (ln((1 + n) / (1 + df)) + 1)."""
    raw = {
        gram: count * (math.log((1 + number) / (1 + counts[gram])) + 1)
        for gram, count in Counter(grams(text)).items()
    }
    length = math.sqrt(sum(value * value for value in raw.values())) or 1.0
    return {gram: value / length for gram, value in raw.items()}


def cosine(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of unit length."""
    if len(other) < len(one):
        one, other = other, one
    return sum(value * other.get(gram, 0.0) for gram, value in one.items())
