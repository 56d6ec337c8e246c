"""Statements on a structure: "the heart is not enlarged", "lungs are clear", "tortuous aorta".

A state word ("clear") is paired with the structures named before it in its clause, else with those
that follow it ("clear lungs"), else with those of the state that it is joined to ("expanded and
clear"), else with those that head it ("lungs: clear"). data/structures.json says what a pair means
for which finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from asclip.clinical.assertions import DASH
from asclip.clinical.bank import catalogue

_BREAK = re.compile(
    rf"[;:(]|{DASH}"
    r"|[.](?=[a-z]{2})|\b(?:however|although|while|with|without|which|besides|except|despite|no"
    r"|not seen)\b|, (?:stable|unchanged)\b"
)
_ADJOINING = re.compile(r"(?: and|,| or)?(?: \w+ly)? ")
# "Lungs:", "Heart/mediastinum:", "Bones and soft tissues:": some words at a statement's start.
_LABEL = r"(?:the )?[^\s:;,.–—]+(?: [^\s:;,.–—]+){0,3}"
_HEAD = re.compile(
    rf"(?:^|[;,.]|{DASH})\s*(?P<head>{_LABEL}) ?:|(?:^|;|{DASH})\s*(?P<dashed>{_LABEL})(?:{DASH})"
)
# "Clear to auscultation", "normal s1": heard, not seen.
_HEARD = re.compile(r"(?: bilaterally)? (?:to (?:auscult|percuss)|s[12]\b)")
_JOINED = re.compile(r",? ?(?:and|but|or)(?: (?:\w+ly|otherwise))? ")


@dataclass(frozen=True, slots=True)
class Statement:
    """A finding that a pair of structure and state speaks of.

    `normal` says that the state denies the finding; `start` to `end` is the state word.
    """

    finding: str
    normal: bool
    start: int
    end: int


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    tables = catalogue("structures")
    both = []
    for kind in ("structures", "states"):
        # A group name cannot hold blanks; longer wordings of other structures must not be cut.
        words = [rf"(?P<{key.replace(' ', '_')}>{rule})" for key, rule in tables[kind].items()]
        both.append(re.compile(rf"\b(?:{'|'.join(words)})\b"))
    return both[0], both[1]


def statements(text: str) -> list[Statement]:
    """The statements of one sentence in small letters."""
    structure, state = _patterns()
    states = [word for word in state.finditer(text) if not _HEARD.match(text, word.end())]
    if not states:
        return []
    named = list(structure.finditer(text))
    if not named:
        return []
    heads = [match.span(match.lastgroup or "head") for match in _HEAD.finditer(text)]
    # "Normal heart – prominent aorta": what has a state of its own heads nothing.
    heads = [(low, high) for low, high in heads if not state.search(text, low, high)]
    breaks = [match.start() for match in _BREAK.finditer(text)]
    found: list[Statement] = []
    free = 0  # structures before this place already have a state
    owners: list[re.Match[str]] = []  # the structures of the last state
    for number, word in enumerate(states):
        low = max([free, *(b for b in breaks if b < word.start())])
        before = [s for s in named if low <= s.start() and s.end() <= word.start()]
        told = _told(before, word)
        if told:
            free, owners = word.end(), before
        else:
            after = _next(text, states, number)
            high = min([after, *(b for b in breaks if b >= word.end())])
            following = [
                s
                for s in named
                if word.end() <= s.start()
                and s.end() <= high
                and not any(word.end() <= start <= s.start() < end for start, end in heads)
            ]
            if following and following[0].start() - word.end() < 45:
                told = _told(following, word)
                owners = [s for s in following if _told([s], word)] or owners
                free = owners[-1].end() if told else free
            elif number and _JOINED.fullmatch(text, states[number - 1].end(), word.start()):
                told = _told(owners, word)
            if not told:
                before = _headed(named, heads, word.start(), breaks)
                told = _told(before, word)
                free, owners = (word.end(), before) if told else (free, owners)
        found += told
    return found


def _headed(
    named: list[re.Match[str]], heads: list[tuple[int, int]], place: int, breaks: list[int]
) -> list[re.Match[str]]:
    """The structures of the head that rules `place`, if no other one stands between."""
    start, end = max([head for head in heads if head[1] <= place], default=(0, 0))
    colon = min([b for b in breaks if b >= end], default=place)
    if any(colon < b < place for b in breaks) or any(end <= s.start() < place for s in named):
        return []
    return [s for s in named if start <= s.start() and s.end() <= end]


def _next(text: str, states: list[re.Match[str]], number: int) -> int:
    """Where the next state begins that is not joined to this one: "calcified and ectatic aorta"."""
    for word, later in zip(states[number:], states[number + 1 :], strict=False):
        if word[0] == "increased" or not _ADJOINING.fullmatch(text, word.end(), later.start()):
            return later.start()
    return len(text)


def _told(structures: list[re.Match[str]], word: re.Match[str]) -> list[Statement]:
    """What the state `word` says of each structure; the same finding once."""
    tables = catalogue("structures")
    state = (word.lastgroup or "").replace("_", " ")
    found: dict[str, Statement] = {}
    for structure in structures:
        name = (structure.lastgroup or "").replace("_", " ")
        for key, normal in (("absent", True), ("present", False)):
            for finding in tables[key].get(name, {}).get(state, ()):
                found[finding] = Statement(finding, normal, word.start(), word.end())
    return list(found.values())
