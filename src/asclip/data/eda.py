"""A report said in slightly other words: synonyms, clauses swapped, filler words left out.

In the manner of EDA (Wei and Zou 2019, arXiv:1901.11196), but nothing clinical is dropped or moved
out of its scope: only words of a closed list are left out, clauses change places only where no
negation or doubt reaches from one into the other, and every change is undone that alters what
`clinical.extract` reads.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import numpy as np

from asclip.clinical.assertions import ABSENT, cues
from asclip.clinical.bank import findings, plain, spellings
from asclip.clinical.extract import mentions, report_findings
from asclip.clinical.wordings import anatomy_wordings, finding_wordings
from asclip.files.report import sentences

SYNONYM, SWAP, DROP = 0.6, 0.5, 0.3  # how often each change is tried where it is possible
TRIES, KEPT = 3, 4
_ARTICLES = frozenset("a an the".split())
# Dropped only from sentences without a negation or a doubt: "is excluded" needs its "is".
_FILLERS = frozenset(
    "is are was were seen noted identified demonstrated visualized visualised again also now"
    " currently overall please".split()
)
# A synonym that says more than the name (side, degree, age, kind), is an adjective or a plural.
_MORE = re.compile(
    r"left|right|dextro|levo|bilateral|\d|\b(?:acute|chronic|old|healed|mild|moderate|severe|small"
    r"|large|early|new|multiple|extensive|malignant|benign|suspicious|diffuse|focal|increased"
    r"|enlarged|parapneumonic|hydro\w+|subsegmental|lobar|plate|thoracolumbar|s shaped|solitary"
    r"|alveolar|interstitial|dialysis|hickman|ij|jugular|subclavian|infus\w+|picc|port\w*|mediport"
    r"|lumen|in)\b|(?:ic|ed|ive|ous|able|al|aces|ases)$"
)
_THERE = re.compile(r"^There (?:is|are) (?=\w)", re.IGNORECASE)
# A clause that leans on the one before it.
_LEANING = re.compile(
    r"(?:consistent|compatible|in keeping|suspicious|suggest\w*|likely|possibl[ey]|probabl[ey]"
    r"|which|measuring|about|represent\w*|with|further|ct|an?|the same|as)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"[,;:.]$|^(?:and|but|with)$", re.IGNORECASE)


def keeps_findings(before: str, after: str) -> bool:
    """True if two texts state, deny and doubt the same findings."""
    return np.array_equal(_findings(before), _findings(after), equal_nan=True)


@lru_cache(maxsize=64)
def _findings(text: str) -> np.ndarray:
    """Kept for a while: a text is compared with each of its variants."""
    return report_findings(text)


def reworded(text: str, rng: np.random.Generator, known: dict[str, list[str]] | None = None) -> str:
    """`text` in other words, with the same findings; itself where nothing can be changed.

    `known` keeps a few variants of each sentence for the next text that has it: reports repeat
    their sentences, and this is most of the time.

    >>> reworded("There is no effusion.", np.random.default_rng(1))
    'No effusion.'
    """
    parts = sentences(text)
    for _ in range(TRIES):
        new = " ".join(_variant(part, rng, known) for part in parts)
        if new != " ".join(parts) and keeps_findings(text, new):
            return new
    return text


def _variant(sentence: str, rng: np.random.Generator, known: dict[str, list[str]] | None) -> str:
    if known is None:
        return _sentence(sentence, rng)
    if sentence not in known:
        known[sentence] = [_sentence(sentence, rng) for _ in range(KEPT)]
    return known[sentence][rng.integers(KEPT)]


def _sentence(sentence: str, rng: np.random.Generator) -> str:
    for change in (_swapped, _shortened):
        new = change(sentence, rng)
        if _same_said(sentence, new):
            sentence = new
    return _renamed(sentence, rng)


def _same_said(before: str, after: str) -> bool:
    """True if both sentences say the same of the same findings, at the same places."""
    return before == after or (len(sentences(after)) == 1 and _said(before) == _said(after))


def _said(sentence: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """What each mention states; what is absent has no place."""
    return sorted(
        (m.finding, m.assertion, m.side, () if m.assertion == ABSENT else tuple(sorted(m.anatomy)))
        for m in mentions(sentence)
    )


def _renamed(sentence: str, rng: np.random.Generator) -> str:
    """Some findings under another of their names."""
    for name, start, end in reversed(finding_wordings().find(sentence.lower())):
        words = sentence[start:end]
        others = [other for other in _synonyms(name) if other != plain(words)]
        # A plural or an adjective would not fit the words around it.
        fits = plain(words) in _spoken(name) and not _MORE.search(plain(words))
        if not others or not fits or rng.random() >= SYNONYM:
            continue
        other = others[rng.integers(len(others))]
        new = sentence[:start] + other + sentence[end:]
        new = re.sub(r"\b([Aa])n?(?= " + re.escape(other) + r"\b)", _article(other), new)
        new = new[:1].upper() + new[1:] if sentence[:1].isupper() else new
        if _same_said(sentence, new):
            sentence = new
    return sentence


def _article(word: str) -> str:
    return r"\1n" if word[0] in "aeiou" else r"\1"


@cache
def _spoken(name: str) -> frozenset[str]:
    """The catalogue's own words for a finding, in all spellings."""
    entry = findings()[name]
    every = (entry.name, *entry.synonyms)
    return frozenset(form for word in every for form in spellings(plain(word)))


@cache
def _synonyms(name: str) -> tuple[str, ...]:
    """Words that say no more and no less than the name; places of their own would say more."""
    entry = findings()[name]
    places = {entry.anatomy, *(p for p, _, _ in anatomy_wordings().find(plain(name)))}
    return tuple(
        word
        for word in sorted(_spoken(name))
        if not _MORE.search(word) and {p for p, _, _ in anatomy_wordings().find(word)} <= places
    )


def _swapped(sentence: str, rng: np.random.Generator) -> str:
    """Two neighbouring clauses the other way round, where neither rules the other."""
    body, stop = (sentence[:-1], sentence[-1]) if sentence[-1:] in ".!" else (sentence, "")
    places = [m.span() for m in re.finditer(r"[,;] (?!and |or )", body)]
    if not places or rng.random() >= SWAP:
        return sentence
    low, high = places[rng.integers(len(places))]
    first = max((end for _, end in places if end <= low), default=0)
    last = min((start for start, _ in places if start >= high), default=len(body))
    one, two = body[first:low], body[high:last]
    if min(len(one.split()), len(two.split())) < 2 or _LEANING.match(two):
        return sentence
    new = body[:first] + two + body[low:high] + one + body[last:] + stop
    if _crosses(body, low, high) or _crosses(new, first + len(two), first + len(two) + high - low):
        return sentence
    return _started(new) if first == 0 else new


def _crosses(text: str, low: int, high: int) -> bool:
    """True if a negation or a doubt reaches over the boundary at `low` to `high`."""
    return any(cue.low < low and cue.high > high for cue in cues(text.lower()))


def _started(sentence: str) -> str:
    """Capital at the start, small where the old start now is, unless that is an abbreviation."""
    words = sentence.split(" ")
    small = [
        w[:1].lower() + w[1:] if k and w[1:].islower() and w[:1].isupper() else w
        for k, w in enumerate(words)
    ]
    text = " ".join(small)
    return text[:1].upper() + text[1:]


def _shortened(sentence: str, rng: np.random.Generator) -> str:
    """Without some of its filler words."""
    start = _THERE.match(sentence)
    if start and rng.random() < DROP:
        return sentence[start.end()].upper() + sentence[start.end() + 1 :]
    words = sentence.split(" ")
    spare = _ARTICLES if cues(sentence.lower()) else _ARTICLES | _FILLERS
    kept = [
        word
        for k, word in enumerate(words)
        if word.lower() not in spare
        or (k > 0 and _OPENING.search(words[k - 1]))
        or rng.random() >= DROP
    ]
    short = " ".join(kept)
    return short[:1].upper() + short[1:] if sentence[:1].isupper() else short
