"""One sentence -> its mentions: wordings and statements on structures, judged by the cues."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from asclip.clinical.alternatives import Said, either, fitted
from asclip.clinical.assertions import (
    ABSENT,
    PAST,
    PRESENT,
    UNCERTAIN,
    Cue,
    assertion,
    cues,
)
from asclip.clinical.bank import lineage
from asclip.clinical.contractions import spelled_out
from asclip.clinical.elsewhere import without_strangers
from asclip.clinical.places import located
from asclip.clinical.structures import Statement, statements
from asclip.clinical.wordings import finding_wordings, patterned

NORMAL = "no finding"
_ALL_WELL = re.compile(
    r"\b(?:no|not(?= any\b)|without|negative for|free of)\s+(?:(?:radiographic|evidence|of|for|any"
    r"|an|definite|significant|focal|other|convincing|acute|active|active/acute|acute/active"
    r"|preoperative|radiologic|x-\w+|new|x{4}|interval|progressive|visuali[sz]ed|visible"
    r"|findings?|to suggest|suggestive|or)\s+)*"
    r"(?:(?:(?P<place>cardio-?\s?pulmonary|cardiac|pulmonary|intra-?thoracic|thoracic|chest|heart"
    r"|lung|pleural|cardiothoracic|cardiovascular)|and|or|/|,|parenchymal|radiographic)\s*)*"
    r"(?P<what>abnormalit\w+|diseases?|process(?:es)?|findings?|patholog\w+|infiltrative process"
    r"|(?P<change>changes?)(?! (?:from|since|compared)))\b"
    r"(?! (?:of|to|in|consistent|compatible|suggest\w*|suspicious)\b(?! the (?:chest|thorax)))"
)
# Findings that reports also describe by their look alone ("nodular density", "mass-like opacity").
_DESCRIBED = ("nodule", "mass", "cavity")
_ACUTE = re.compile(r"\b(?:acute|active|significant|abnormalit|patholog)")
_NEW_CHANGE = re.compile(r"\b(?:acute|active)\b(?!.*\binterval\b)")


@dataclass(frozen=True, slots=True)
class Mention:
    """One finding in one sentence.

    `assertion` is "present", "absent" or "uncertain". `anatomy` holds the catalogue's places that
    the words name (() where they name none), `side` "left", "right", "bilateral" or "". `sentence`
    is the sentence as `files.report.sentences` gives it, and `start` to `end` are the characters of
    the words in it; `number` counts the sentences of the counted sections.
    """

    finding: str
    assertion: str
    anatomy: tuple[str, ...] = ()
    side: str = ""
    start: int = 0
    end: int = 0
    sentence: str = ""
    number: int = 0

    @property
    def words(self) -> str:
        """The words themselves."""
        return self.sentence[self.start : self.end]


@lru_cache(maxsize=1 << 16)
def of_sentence(sentence: str) -> tuple[Mention, ...]:
    """The mentions of one sentence; kept, for reports repeat their sentences."""
    # `lower` may change the length of a few foreign letters; those become blanks.
    text = sentence.lower()
    if len(text) != len(sentence):
        text = "".join(c.lower() if len(c.lower()) == 1 else " " for c in sentence)
    text, places = spelled_out(text)
    words, states = _words(text), statements(text)
    spans = [row[1:] for row in words] + [(told.start, told.end) for told in states]
    rules = fitted(text, cues(text), spans)
    said = _worded(text, words, rules)
    said += _of_structures(states, rules, said)
    said += _all_well(text, [(state.start, state.end) for state in states])
    said = _doubted(either(text, _specific(said)))
    rows = sorted(said, key=lambda row: row[2:])
    return tuple(
        Mention(name, what, anatomy, side, places[start], places[end], sentence)
        for (name, what, start, end), (anatomy, side) in zip(rows, located(text, rows), strict=True)
        if what != PAST
    )


def _words(text: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of patterns and fixed phrases; a phrase within a pattern is part of it."""
    whole = patterned(text)
    return whole + [
        (name, start, end)
        for name, start, end in without_strangers(text, finding_wordings().find(text))
        if not any(low <= start and end <= high for _, low, high in whole)
    ]


def _worded(text: str, words: list[tuple[str, int, int]], rules: list[Cue]) -> list[Said]:
    """What the cues say of the words."""
    said = []
    for name, start, end in words:
        # A pattern may hold its own cue ("pleural spaces are free of fluid"): the last word tells.
        last = max(start, text.rfind(" ", start, end) + 1)
        what = PRESENT if name == NORMAL else assertion(rules, last, end)
        said.append((name, what, start, end))
    return said


def _of_structures(states: list[Statement], rules: list[Cue], said: list[Said]) -> list[Said]:
    """Statements on structures, less those that a wording has told already."""
    found = []
    for told in states:
        # The state may hold a negation of its own: "without abnormality".
        others = [cue for cue in rules if cue.meaning != ABSENT or cue.place != told.start]
        what = assertion(others, told.start, told.end)
        if told.normal:
            # "not clear" says that something is there, but not what.
            what = ABSENT if what in (PRESENT, UNCERTAIN) else PAST
        known = any(
            name == told.finding and start <= told.end and told.start <= end
            for name, _, start, end in said
        )
        if not known:
            found.append((told.finding, what, told.start, told.end))
    return found


def _specific(said: list[Said]) -> list[Said]:
    """Without the general word beside a special one: "this catheter", "the fracture"."""
    named = {name for name, *_ in said}
    general = {parent for name in named for parent in lineage(name)} & {
        "support device",
        "fracture",
    }
    # "No fracture or compression deformity" denies both.
    return [row for row in said if row[0] not in general or row[:2] == ("fracture", ABSENT)]


def _doubted(said: list[Said]) -> list[Said]:
    """A sign is as doubtful as its reading: "nodular density, possibly a nodule" is no nodule yet.

    Only where another word for the same finding follows in doubt, and the first one is a doubtful
    description itself; "left effusion, possibly right effusion" stays present.
    """
    unsure = {(name, start) for name, what, start, _ in said if what == UNCERTAIN}
    names = {name for name, _ in unsure} & set(_DESCRIBED)
    return [
        (name, UNCERTAIN, start, end)
        if name in names and what == PRESENT and any(n == name and s > start for n, s in unsure)
        else (name, what, start, end)
        for name, what, start, end in said
    ]


def _all_well(text: str, told: list[tuple[int, int]]) -> list[Said]:
    """A sentence such as "No acute cardiopulmonary disease" speaks for "no finding"."""
    return [
        (NORMAL, PRESENT, match.start(), match.end())
        for match in _ALL_WELL.finditer(text)
        if (match["place"] or _ACUTE.search(match[0]))
        and (not match["change"] or _NEW_CHANGE.search(match[0]))
        and not any(start < match.end() and match.start() < end for start, end in told)
    ]
