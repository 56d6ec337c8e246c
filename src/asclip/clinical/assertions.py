"""Cues of negation and doubt, and how far each of them reaches in its sentence.

A pre-cue ("no", "may represent") rules what follows, a post-cue ("is not seen", "cannot be
excluded") what comes before it; a cue's reach ends where a new statement begins. "No change in"
and its kind look like negations and are none, so they are matched first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PRESENT, ABSENT, UNCERTAIN, PAST = "present", "absent", "uncertain", "past"

_BE = r"(?:is|are|was|were|be|been|has been|have been|has|have|can be|could be|remains?)"
_SEEN = (
    r"(?:seen|identified|visuali[sz]ed|noted|present|demonstrated|evident|appreciated|detected"
    r"|observed|apparent|found|shown|suspected|recogni[sz]ed|delineated|displayed)"
)
_NOT_OUT = r"(?:excluded|ruled out|eliminated)"
# Order matters: the first alternative that fits at a place is taken.
_CUES = {
    # no negation: the finding is there and as it was
    "same": r"(?:no|without)(?: (?:significant|significantly|interval|appreciable"
    r"|substantial|definite|obvious|major|gross|other|any|further|overall|radiographic|evidence of"
    r"|convincing|relevant|important|marked))* (?:change|increase|decrease|improvement"
    r"|worsening|progression|difference)s?\b|not (?:\w+ )?(?:changed|only|increased|decreased)"
    r"|(?:partially|nearly|almost|partly|incompletely|not(?: \w+)?) (?:completely )?(?:resolved"
    r"|cleared)|(?:partial|incomplete|near complete|near-complete) (?:resolution|clearing) of"
    r"|excluded (?:from|on|in)\b",
    # doubt that looks back
    "unsure_post": rf"(?:(?:is|are|was|were) )?(?:can ?not|can't|could not|may not|not)"
    rf" (?:\w+ )?(?:be )?(?:\w+ )?{_NOT_OUT}"
    rf"|(?:should|needs? to|must|to) be (?:\w+ )?{_NOT_OUT}"
    rf"|(?:is|are|remains?) (?:also |still |not )?(?:possible|suspected|questionable|questioned"
    r"|unlikely|considered|uncertain|favou?red|likely|probable|a possibility|difficult to exclude)"
    r"|(?:should|could|may|might) be considered|difficult to (?:\w+ )?exclude(?=\s*[.;,]|$)"
    r"|(?:less|not) likely|\bunlikely|(?<=\w) ?\?",
    # negation that looks back
    "absent_post": rf"(?:{_BE} )?(?:not|never|no longer) (?:\w+ )?(?:\w+ )?(?:{_SEEN}|there)"
    rf"|{_BE} (?:now |since |completely )*(?:absent|resolved|cleared|removed|ruled out|gone)"
    rf"|{_BE} excluded|(?<=: )(?:none|no|absent|negative)(?=\s*[.;,]|$)|no longer (?:visible|there)"
    r"|(?<=\w) (?:resolved|removed)(?=\s*[.;,)]|$)",
    # doubt between two: looks both ways
    "versus": r"versus|vs\b\.?",
    # doubt that looks ahead
    "unsure_pre": r"(?:can ?not|can't|could not|difficult to|not|to|do(?:es)? not|unable to)"
    r" (?:\w+ )?(?:exclude|rule out)|rule out|r/o|evaluat\w+ for"
    r"|correlat\w+ (?:\w+ )?for|may\b|might|could|possibl[ey]"
    r"|possibility|probabl[ey]|likely|suggest\w*|suspect(?:ed|s)?\b|suspicio(?:us for|us of|n)"
    r"|question(?:able|ably|ed)?\b|equivocal|concern(?:ing)? (?:for|of|about)|worrisome for"
    r"|borderline|(?<!no )apparent\b|unclear|uncertain|conceivabl[ey]|potential(?:ly)?|perhaps"
    r"|differential|presum\w+|favou?r(?:ed|s|ing)?|consider(?:ation)?\b|query|indeterminate"
    # of two readings neither is sure; a word that was taken out of a text is most often "likely"
    r"|(?:compatible with|consistent with|in keeping with|(?:secondary|due) to|represent(?:s|ing)?"
    r"|reflect(?:s|ing)?)(?=[^.;,]*(?:\bor\b|\bvs\b|\w/\w))"
    r"|x{4} (?:represents?|reflects?|(?:due|related|secondary) to|due at)"
    r"|(?<!\w)\?",
    # past: neither present nor absent now
    "past": r"(?:past |prior |known |clinical )?history of|h/o|hx of",
    # negation that looks ahead
    "absent_pre": r"no\b|without|free (?:of|from)|clear (?:of|from)|negative for|absence of|lack of"
    r"|devoid of|neither|nor\b|not\b|never|(?:interval |complete )*(?:resolution|clearing"
    r"|removal|resorption) of|resolved (?=\w)|there's no|absent (?=\w)|fails? to (?:show|reveal)"
    r"|rather than|instead of|(?:lungs|chest) (?:are |is )?clear of|exclud\w+(?= (?:a |an )?\w)",
}
_CUE = re.compile("|".join(rf"(?P<{k}>(?<!\w)(?:{p}))" for k, p in _CUES.items()))
_MEANING = {
    "unsure_post": UNCERTAIN,
    "absent_post": ABSENT,
    "versus": UNCERTAIN,
    "unsure_pre": UNCERTAIN,
    "past": PAST,
    "absent_pre": ABSENT,
}
_NEW = (
    r"the|there|there's|this|these|it|a|an|stable|unchanged|mild|mildly|minimal|moderate"
    r"|moderately|small|slight|slightly|severe|left|right|bilateral|bibasilar|biapical|normal"
    r"|clear|heart|lungs?|mediastin\w+|cardiac|cardiomediastinal|trachea|bones?|osseous|bony"
    r"|possibl[ey]|probabl[ey]|likely|chronic|old|scattered|persistent|again|some|multiple|few"
    r"|calcified|tortuous|degenerative|status|patchy|streaky|increased|low|otherwise|otherwise,"
    r"|associated|consistent|compatible|in keeping|suggest\w*|representing|indicating"
    r"|postsurgical|postoperative|surgical|visuali[sz]ed|is|are|has|interval"
)
# "with" begins a new statement, save in "consistent with".
_STOP = re.compile(
    r"[;:]|\b(?:but|however|although|though|except|excepting|besides|which|while|whereas|yet|that"
    r"|other than|aside from|apart from|otherwise|status post|because|since)\b"
    r"|(?<!consistent )(?<!compatible )(?<!keeping )(?<!associated )\bwith\b"
    rf"|(?:,(?: and)?|\band|[.])\s+(?:{_NEW})\b"
)
_BACK = re.compile(
    r"[;]|\b(?:but|however|although|though|which|while|whereas|with|is|are|was|were|seen|noted|may"
    r"|represent\w*|suggest\w*|due to|secondary|associated|has|have|shows?|reveals?|because|if|and"
    r" (?:the|a|an|there))\b"
)
_DIRECT = re.compile(r"^(?:or|and|nor)\b")


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue's meaning, the characters over which it rules and where it stands itself."""

    meaning: str
    low: int
    high: int
    place: int


def cues(text: str) -> list[Cue]:
    """The cues of one sentence in small letters, with their reach."""
    found: list[Cue] = []
    for match in _CUE.finditer(text):
        kind = match.lastgroup or ""
        meaning = _MEANING.get(kind)
        if meaning is None:
            continue
        if kind.endswith("_post") or kind == "versus":
            found.append(
                Cue(meaning, _reach_back(text, match.start()), match.start(), match.start())
            )
        if not kind.endswith("_post"):
            stop = _STOP.search(text, match.end())
            end = stop.start() if stop else len(text)
            found.append(Cue(meaning, match.start(), end, match.start()))
    return found


def _reach_back(text: str, place: int) -> int:
    """How far back a cue at `place` reaches: its clause, and a list that ends in "or"."""
    start = 0
    for stop in _BACK.finditer(text, 0, place):
        start = stop.end()
    if not text[start:place].strip() and text[:place].rstrip().endswith("but"):
        return 0  # "infiltrate is less likely, but not excluded": no words of its own
    pieces = text[start:place].split(",")
    low = place - len(pieces[-1])
    listed = bool(_DIRECT.match(pieces[-1].strip()))
    for piece in reversed(pieces[:-1]):
        if not listed or len(piece.split()) > 4:
            break
        low -= len(piece) + 1
    return max(low, start)


def assertion(found: list[Cue], start: int, end: int) -> str:
    """What the cues say of the words at `start` to `end`: negation first, then past, then doubt."""
    said = {cue.meaning for cue in found if cue.low <= start and end <= cue.high}
    for meaning in (ABSENT, PAST, UNCERTAIN):
        if meaning in said:
            return meaning
    return PRESENT
