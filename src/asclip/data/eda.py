"""A report said in slightly other words: synonyms, filler words left out.

In the manner of EDA (Wei and Zou 2019, arXiv:1901.11196), but nothing clinical is dropped: only
words of closed lists are replaced or left out, and every change is undone that alters what
`clinical.extract` reads. Nothing is swapped either: a size, a side or a doubt would change its
owner, and of clauses that stand for themselves reports have next to none.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from asclip.clinical.assertions import ABSENT, cues
from asclip.clinical.bank import plain
from asclip.clinical.extract import mentions
from asclip.files.report import sentences

SYNONYM, DROP = 0.6, 0.3  # how often each change is tried where it is possible
TRIES, KEPT = 3, 4
_ARTICLES = frozenset("a an the".split())
# Dropped only from sentences without a negation or a doubt: "is excluded" needs its "is".
_FILLERS = frozenset(
    "is are was were seen noted identified demonstrated visualized visualised again also now"
    " currently overall please".split()
)
# Each line: names of one and the same thing, of the same grammar. The catalogue's synonyms
# will not do, for among them are kinds of a finding ("low grade dysplasia") and its contraries.
_COUNTED = (
    ("airspace opacity", "air space opacity"),
    ("pulmonary opacity", "lung opacity"),
    ("pulmonary nodule", "lung nodule"),
    ("bony abnormality", "osseous abnormality", "bone abnormality"),
    ("acute bony abnormality", "acute osseous abnormality"),
    ("bony finding", "osseous finding"),
    ("hiatal hernia", "hiatus hernia"),
    ("central venous catheter", "central venous line"),
    ("endotracheal tube", "ET tube", "ETT"),
    ("nasogastric tube", "NG tube"),
    ("chest tube", "thoracostomy tube", "chest drain"),
    ("sternotomy wire", "sternal wire"),
    ("PICC", "PICC line"),
)
_FIXED = (
    ("cardiomegaly", "cardiac enlargement"),
    ("pulmonary edema", "pulmonary oedema", "lung edema"),
    ("edema", "oedema"),
    ("airspace disease", "air space disease"),
    ("airspace consolidation", "air space consolidation"),
    ("pulmonary mass", "lung mass"),
    ("hyperinflation", "hyperexpansion", "overinflation"),
    ("hyperinflated", "hyperexpanded", "overinflated"),
    ("hypoinflated", "underinflated"),
    ("low lung volumes", "small lung volumes"),
    ("COPD", "chronic obstructive pulmonary disease", "chronic obstructive lung disease"),
    ("heart failure", "cardiac failure"),
    ("congestive heart failure", "CHF"),
    ("lymphadenopathy", "adenopathy"),
    ("granulomas", "granulomata"),
    ("calcified granulomas", "calcified granulomata"),
    ("subcutaneous emphysema", "subcutaneous air", "subcutaneous gas"),
    ("tuberculosis", "TB"),
    ("active tuberculosis", "active TB"),
    ("atherosclerosis", "atherosclerotic disease"),
    ("median sternotomy", "midline sternotomy"),
    ("fracture", "fx"),
)
# These fit only where no article and no adjective stands before them: "a small pleural fluid".
_BARE = (
    ("pleural effusion", "pleural fluid"),
    ("pneumothorax", "pleural air"),
    ("pneumoperitoneum", "free intraperitoneal air", "intraperitoneal free air"),
    ("rib fracture", "fractured rib"),
    ("rib fractures", "fractured ribs"),
    ("tortuous aorta", "aortic tortuosity"),
    ("widened mediastinum", "mediastinal widening"),
)
_PLURALS = (tuple(re.sub("y$", "ie", word) + "s" for word in group) for group in _COUNTED)
GROUPS = (*_COUNTED, *_PLURALS, *_FIXED, *_BARE)
_SAME = {plain(word): group for group in GROUPS for word in group}
_NO = re.compile(r"(?:^|(?<!- )\b(?:no|or|nor|and|of|for|any|without) )$", re.IGNORECASE)
# What shares a word with its neighbour keeps that word: "hilar and aortic calcification".
_JOINED = re.compile(r"(?:\b(?:and|or|nor|left|right|sided)|,) $", re.IGNORECASE)
_JOINING = re.compile(r" (?:and|or|nor)\b", re.IGNORECASE)
_THERE = re.compile(r"^There (?:is|are) (?=\w)", re.IGNORECASE)
_OPENING = re.compile(r"[,;:.]$|^(?:and|but|with|there)$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def keeps_findings(before: str, after: str) -> bool:
    """True if two texts state, deny and doubt the same findings, sides, places and numbers."""
    return _said(before) == _said(after)


@lru_cache(maxsize=64)
def _said(text: str) -> tuple[list[tuple[str, str, str, tuple[str, ...]]], list[str]]:
    """What each mention states, and all numbers; what is absent has no place.

    Kept for a while: a text is compared with each of its variants.
    """
    told = sorted(
        (m.finding, m.assertion, m.side, () if m.assertion == ABSENT else tuple(sorted(m.anatomy)))
        for m in mentions(text)
    )
    # Of the sentences, for the numbers of a list are not theirs.
    return told, sorted(_NUMBER.findall(" ".join(sentences(text))))


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
    new = _shortened(sentence, rng)
    return _renamed(new if _same_said(sentence, new) else sentence, rng)


def _same_said(before: str, after: str) -> bool:
    """True if both are one sentence that says the same of the same findings."""
    return before == after or (len(sentences(after)) == 1 and keeps_findings(before, after))


def _renamed(sentence: str, rng: np.random.Generator) -> str:
    """Some findings under another of their names."""
    for mention in reversed(mentions(sentence)):
        before, after = sentence[: mention.start], sentence[mention.end :]
        others = _others(before, mention.words, after)
        # Places are counted from a heading's end, or within a piece of a very long sentence.
        here = sentence[mention.start : mention.end] == mention.words
        if not (others and here) or rng.random() >= SYNONYM:
            continue
        other = others[rng.integers(len(others))]
        an = r"\1n" if other[0] in "aeiouEN" else r"\1"
        new = re.sub(r"\b([Aa])n?(?= $)", an, before) + other + after
        new = new[:1].upper() + new[1:] if sentence[:1].isupper() else new
        if _same_said(sentence, new):
            sentence = new
    return sentence


def _others(before: str, words: str, after: str) -> list[str]:
    """Other names of what is named between `before` and `after`, of those that fit in there."""
    name = plain(words)
    same = _SAME.get(name, ())
    if {before[-1:], after[:1]} & {"-", "/"} or (same in _BARE and not _NO.search(before)):
        return []
    several = " " in name
    first = name.split(" ")[0] if several and _JOINING.match(after) else ""
    last = name.split(" ")[-1] if several and _JOINED.search(before) else ""
    return [w for w in same if plain(w) != name and w.startswith(first) and w.endswith(last)]


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
