"""Doubt that findings share ("A or B", "A, B and/or C"), and doubt that is over at a comma."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from asclip.clinical.assertions import ABSENT, PRESENT, UNCERTAIN, Cue
from asclip.clinical.bank import lineage

# (finding, assertion, start, end)
Said = tuple[str, str, int, int]
_NO_WORD = (
    r"(?!(?:with|no|not|is|are|was|may|might|could)\b|without|represent|reflect|suggest|likely)"
)
_WORDS = rf"(?:{_NO_WORD}[\w-]+ ){{0,5}}?"
_EITHER = re.compile(
    rf" ?/ ?{_WORDS}|,? {_WORDS}(?P<list>or|and/or|less likely|(?:versus|vs\b\.?)) {_WORDS}"
)
_COMMA = re.compile(rf", (?!either){_WORDS}")
_OR = re.compile(r"\b(?:or|versus|vs)\b|/")
_LISTS = re.compile(r"differential|consideration")
# The doubt of an adjective ends with its noun, the doubt of a verb goes on in a list.
_ADJECTIVE = re.compile(
    r"borderline|possibl|probabl|question|suspected|apparent|presum|x{4} (?!re|due)"
)
_SIGN = re.compile(r"opaci|densit|lesion|abnormal")
_AS_BEFORE = re.compile(
    r"\b(?:no|not|without) [^.;,]*\b(?:chang|increas|decreas|improve|worsen|progress|differen)"
    r"[^.;,]*$"
)
_BETWEEN = re.compile(r"versus|vs\b|or\b")
_APART = re.compile(
    r"[.,;:()]|\b(?:and|but|which|that|while|though|although|however|with|without)\b"
)
_DENIED = re.compile(r"\b(?:no|without)\b")
_STATED = re.compile(r"\b(?:is|are|noted|seen|present|identified|demonstrated|visuali[sz]ed)\b")


def either(text: str, said: Sequence[Said]) -> list[Said]:
    """Of findings between which a sentence leaves the choice none is sure.

    "Infiltrate, effusion and/or scar" doubts all three, "effusion, infiltrate versus scar" the last
    two. A sign of which another one is a kind stays sure: "opacity or consolidation".
    """
    rows = sorted(said, key=lambda row: row[2:])
    unsure: set[int] = set()
    for place in range(1, len(rows)):
        gap = _EITHER.fullmatch(text, rows[place - 1][3], rows[place][2])
        if not gap or rows[place - 1][0] == rows[place][0] or rows[place][1] == ABSENT:
            continue
        if _AS_BEFORE.search(text, 0, rows[place - 1][2]):
            continue  # "no change in the nodule or the mass" has both
        unsure.add(place)
        first = place - 1
        if gap["list"] in ("or", "and/or"):
            while (
                first
                and rows[first - 1][1] == rows[first][1]
                and _COMMA.fullmatch(text, rows[first - 1][3], rows[first][2])
            ):
                first -= 1
        kinds = {parent for row in rows[first : place + 1] for parent in lineage(row[0])}
        unsure |= {
            n
            for n in range(first, place)
            if rows[n][0] not in kinds or (n == place - 1 and not _SIGN.search(text, *rows[n][2:]))
        }
    return [
        (row[0], UNCERTAIN, *row[2:]) if n in unsure and row[1] == PRESENT else row
        for n, row in enumerate(rows)
    ]


def fitted(text: str, rules: Sequence[Cue], spans: Sequence[tuple[int, int]]) -> list[Cue]:
    """The cues, with their reach fitted to the places of the findings.

    A doubt is over at the comma after its first finding if a new statement follows: "probable scar,
    cardiomegaly" doubts the scar alone, "probable scar, nodule or artifact" all. "Versus" doubts
    the finding next to it. "Nodule seen on CT is not identified": what looks back and finds nothing
    in its clause goes on to the finding before.
    """
    return [
        _ahead(text, cue, spans) if cue.low == cue.place else _back(text, cue, spans)
        for cue in rules
    ]


def _ahead(text: str, cue: Cue, spans: Sequence[tuple[int, int]]) -> Cue:
    if cue.meaning != UNCERTAIN:
        return cue
    denied = _DENIED.search(text, cue.place + 1, cue.high)
    high = denied.start() if denied else cue.high
    adjective = _ADJECTIVE.match(text, cue.place)
    ends = [end for start, end in spans if cue.low <= start and end <= high]
    comma = text.find(",", min(ends, default=high) if adjective else cue.low, high)
    rest = text[comma:high] if comma >= 0 else ""
    if rest and not _LISTS.match(text, cue.place) and not _OR.search(rest):
        high = comma if adjective or _STATED.search(rest) else high
    return replace(cue, high=high)


def _back(text: str, cue: Cue, spans: Sequence[tuple[int, int]]) -> Cue:
    before = [(start, end) for start, end in spans if end <= cue.place]
    if not before:
        return cue
    start, end = max(before)
    if _BETWEEN.match(text, cue.place):
        return replace(cue, low=max(cue.low, start))
    if start < cue.low and not _APART.search(text, end, cue.place):
        return replace(cue, low=start)
    return cue
