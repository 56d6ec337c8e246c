"""Cues of negation and doubt, and how far each of them reaches in its sentence.

A pre-cue ("no", "may represent") rules what follows, a post-cue ("is not seen", "cannot be
excluded") what comes before it; a cue's reach ends where a new statement begins. "No change in"
and its kind look like negations and are none, so they are matched first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from asclip.clinical.contractions import spelled_out

PRESENT, ABSENT, UNCERTAIN, PAST = "present", "absent", "uncertain", "past"

_BE = r"(?:is|are|was|were|be|been|has been|have been|has|have|can be|could be|remains?)"
_SEEN = (
    r"(?:seen|identified|visuali[sz]ed|noted|present|demonstrated|evident|appreciated|detected"
    r"|observed|apparent|found|shown|suspected|recogni[sz]ed|delineated|displayed|visible)"
)
_NOT_OUT = r"(?:excluded|ruled out|eliminated)"
_MAYBE = r"(?:possibl[ey]|probabl[ey]|likely|(?:may|could|might) be|(?:may|could|might) represent)"
# Where the words end of which a cue speaks that has no verb: "effusion resolved."
_THERE = r"(?=\s*[.,;)]|\s*$| (?:since|from|compared|and|but|with|in the interval)\b)"
DASH = r"—|\s–|–\s|\s--?\s"  # "right–sided" is one word
_UNREAL = (
    r"(?:positional|position|positioning|techni\w+|artifact\w*|projection\w*|rotation|summation"
    r"|(?:superimposed|overlying|overlapping) (?:\w+ ){0,2}(?:tissues?|structures?|shadows?|skin"
    r"|nipples?|breasts?|vessels?|vasculature|bones?|ribs?|clothing)|superimposition)"
)
# Order matters: the first alternative that fits at a place is taken.
_CUES = {
    # no negation: the finding is there and as it was
    "same": r"no doubt|(?:no|not any|without)(?: (?:significant|significantly|interval|appreciable"
    r"|substantial|definite|obvious|major|gross|other|any|further|overall|radiographic|evidence of"
    r"|convincing|relevant|important|marked))* (?:change|increase|decrease|improvement"
    r"|worsening|progression|difference)s?\b|not (?:\w+ )?(?:changed|only|increased|decreased)"
    r"|(?:partially|near(?:ly)?|almost|partly|incompletely|largely|mostly|not(?: \w+)?)"
    r" (?:(?:completely|entirely|fully|totally) )?(?:resolved|cleared|disappeared)"
    r"|(?:should|could|can|may|must|to) (?:now )?be (?:removed|withdrawn|pulled|discontinued)"
    # a technique
    r"|without (?:(?:iv|intravenous|oral) )*contrast"
    r"|(?:partial|incomplete|near complete|near-complete) (?:resolution|clearing) of"
    # what is to be seen clearing is there
    r"|(?:to|confirm|document|ensure|until|assess|evaluate)(?: \w+){0,2} (?:resolution|clearing)"
    r"|(?:correlation|evaluation|examination|imaging|radiographs?|follow-?\s?up|ct|study)"
    r"(?: \w+){0,3} (?:is|are) suggested"
    # seen before or in one view only
    rf"|(?:is |are |was |were )?not (?:\w+ )?(?:\w+ )?{_SEEN} (?:on|in)"
    r" (?:the |an? )?(?:lateral|frontal|pa\b|ap\b|other|prior|previous|comparison|earlier|old)"
    # doubt of the place alone
    r"|(?:may|might|could) (?:also )?be (?:within|in|at|over|outside|located|near|behind|along)\b"
    r"|(?:possibly|probably|likely) (?:located )?(?:within|in|at|on|from|involving)\b"
    r"|excluded (?:from|on|in)\b|absence of (?:an? |any )?(?:comparison|prior|previous|clinical)",
    # what may come from posture or technique may not be there: looks both ways
    "unreal": rf"(?:(?:which|that) (?:is |are )?)?"
    rf"(?:{_MAYBE} (?:(?:related|due|secondary) to )?|x{{4}} (?:related|due|secondary) to )"
    rf"(?:(?:an?|the|patient|patient's|imaging) )*{_UNREAL}",
    # doubt that looks back
    "unsure_post": rf"(?:may|might|could)(?: also| still)? (?:be (?:present|seen|superimposed)"
    r"|persist|remain|exist)\b|(?:may|might|could) (?:\w+ )?be (?:missed|hidden|obscured|masked)"
    rf"|(?:may|might) not be {_SEEN}"
    rf"|(?:is |are |was |were )?not[- ](?:well|clearly)[- ]{_SEEN}"
    r"|(?:is |are |was |were )?(?:suggested|questioned|suspected)(?= (?:on|in|at|by)\b|\s*[.,;]|$)"
    r"|(?:is|are|remains?|would be) (?:also |still )?(?:an? |another |in the )?(?:consideration"
    r"|concern|differential|suspicious|equivocal)\b(?! (?:for|of|about))"
    rf"|(?:(?:is|are|was|were) )?(?:can ?not|can't|could not|may not|not)"
    rf" (?:\w+ )?(?:be )?(?:\w+ )?{_NOT_OUT}"
    rf"|(?:should|needs? to|must|to) be (?:\w+ )?{_NOT_OUT}"
    rf"|(?<!there )(?:is|are|remains?|would be) (?:also |still |not )?(?:possible|suspected"
    r"|questionable|questioned|unlikely|considered|uncertain|doubtful|favou?red(?! to)"
    r"|a possibility"
    # "is likely old" and "is likely a scar" doubt what follows
    r"|(?:likely|probable)(?=\s*[.,;)]|$| (?:present|in|on|at|given|and|but|although)\b)"
    r"|difficult to exclude)|(?:should|could|may|might) be considered"
    r"|difficult to (?:\w+ )?exclude(?=\s*[.;,]|$)"
    r"|(?:less|not) likely(?=\s*[.;,]|$)|\bunlikely|(?<=\w)\?(?!\w)|\(\?\)(?=\s*[.,;]|\s*$)",
    # negation that looks back
    "absent_post": rf"(?:{_BE} )?(?:not|never|no longer) (?:(?!an?\b|any\b)\w+ ){{0,2}}"
    rf"(?:{_SEEN}|there|developed|recurred|reaccumulated)"
    rf"|{_BE} (?:now |since |completely )*(?:absent|resolved|cleared|removed|ruled out|gone"
    # "withdrawn by 2 cm" and "pulled back" are still there
    rf"|taken out|pulled out|discontinued|(?:withdrawn|pulled){_THERE})|disappeared"
    rf"|(?:can ?not|can't|could not) be (?:\w+ )?{_SEEN}|(?:now|since) (?:resolved|cleared|removed)"
    rf"|{_BE} excluded|(?:(?<=: )|(?<=[-–—] )|(?<=—))(?:none|no|absent|negative)(?=\s*[.;,]|$)"
    rf"|no longer (?:visible|there)|(?:resolved|removed){_THERE}",
    # doubt between two: looks both ways; see also `alternatives`
    "versus": r"versus|vs\b\.?|or (?:an? |the )?(?:artifact|summation|overl[ay]|superimpos|nipple"
    r"|skin|vessel|vascular|confluen|technique|positioning)\w*",
    # doubt of a whole list
    "unsure_list": r"differential\b|considerations? (?:would |may |could )?includ\w+",
    # doubt that looks ahead
    "unsure_pre": r"(?:can ?not|can't|could not|difficult to|not|to|do(?:es)? not|unable to)"
    r" (?:\w+ )?(?:exclude|rule out)|rule[- ]out|\bexclude\b|r/o|evaluat\w+ for"
    r"|assess\w* for|symptoms of|if\b|maybe"
    r"|can (?:also )?(?:represent|reflect|indicate|be seen with)"
    r"|(?:thought|felt) to (?:be|represent|reflect)"
    r"|correlat\w+ (?:\w+ )?for|(?:look|search)\w* for|may or may not|doubt(?:ful)?\b"
    r"|may\b|might|could|possibl[ey]"
    r"|possibility|probabl[ey]|likely|suggest\w*|suspect(?:ed|s)?\b|suspicio(?:us for|us of|n)"
    r"|(?:concerning|suspicious|worrisome) (?:findings?|features?|changes?|appearances?) (?:for|of)"
    r"|question(?:able|ably|ed)?\b|equivocal|concern(?:ing)? (?:is )?(?:for|of|about)|worrisome for"
    r"|borderline|(?<!no )apparent\b|unclear|uncertain|(?<=favored )over|conceivabl[ey]"
    r"|potential(?:ly)?|perhaps|presum\w+|favou?r(?:ed|s|ing)?|consider(?:ation)?\b|query"
    r"|(?<!age[ -])indeterminate"
    # of two readings neither is sure; a word that was taken out of a text is most often "likely"
    r"|(?:compatible with|consistent with|in keeping with|(?:secondary|due) to|represent(?:s|ing)?"
    r"|reflect(?:s|ing)?)(?=[^.;,–—]*(?:\bor\b|\bvs\b|\w/\w))"
    r"|(?<!lymph )(?<!hilar )(?<!costophrenic )(?<!aortic )(?<!sternotomy )"
    r"x{4} (?:represents?|reflects?|indicates?|suggests?|(?:due|related|secondary) to|due at)"
    r"|(?:most|more|less) x{4}"
    r"|sensitive (?:for|in|to)|evaluation of (?!the\b|this\b|these\b)"
    r"|(?:(?<=, )|(?<=opacity )|(?<=opacities )|(?<=density )|(?<=densities )|(?<=disease )"
    r"|(?<=unchanged )|(?<=appearance )|(?<=costophrenic x{4} ))x{4}"
    r" (?!x{4}|at\b|consistent|compatible)(?=\w)(?!(?:\w+ ){0,3}(?:opacit|densit))"
    r"|(?<!\w)\?",
    # past: neither present nor absent now
    "past": r"no (?:\w+ )?history of|(?:past |prior |known |clinical )?history of|h/o|hx of"
    r"|patient with|diagnosis of",
    # what is gone, and so are those joined to it
    "gone": r"(?:interval |complete )*(?:resolution|clearing|removal|resorption) of",
    # negation that looks ahead
    "absent_pre": r"no\b|without|free (?:of|from)|clear (?:of|from)|negative for|absence of|lack of"
    r"|in(?:consistent|compatible) with|devoid of|neither|nor\b|not\b|never|resolved (?=\w)"
    r"|there's no|absent (?=\w)|nothing|(?:argu|speak|weigh|militat)\w* (?:strongly )?against"
    r"|(?:fails?|unable) to (?:show|reveal|identify)|rather than|instead of"
    r"|(?:lungs|chest) (?:are |is )?clear of"
    r"|exclud(?:es|ing)(?= (?:an? )?\w)",
}
# "pneumonia?": only a question mark stands close to the word before it.
_CUE = re.compile("|".join(rf"(?P<{k}>(?:(?<!\w)|(?=\?))(?:{p}))" for k, p in _CUES.items()))
_MEANING = {
    "unreal": UNCERTAIN,
    "unsure_post": UNCERTAIN,
    "unsure_list": UNCERTAIN,
    "absent_post": ABSENT,
    "versus": UNCERTAIN,
    "unsure_pre": UNCERTAIN,
    "past": PAST,
    "gone": ABSENT,
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
# "with" begins a new statement, save in "consistent with"; a blank may lack after a full stop.
_STOP = re.compile(
    rf"[;:]|{DASH}"
    r"|\((?=[^)]*\b(?:is|are|may|might|this)\b)|[.](?=[a-z]{2}|[^\w\s.,)])"
    r"|\b(?:but|however|although|though|except|excepting|besides|while|whereas|yet"
    # "no evidence that", "no infiltrate that would suggest pneumonia": one statement
    r"|(?:which|(?<!evidence )(?<!suggest )that)(?! (?:would )?(?:suggest|indicate)s?\b)"
    r"|other than|aside from|apart from|otherwise|status post|because|since"
    r"|superimposed (?:up)?on)\b"
    r"|(?<!consistent )(?<!compatible )(?<!keeping )(?<!associated )"
    r"\bwith\b(?! (?:(?:post-?)?obstructive|secondary|resultant))"
    rf"|(?:,(?: and)?|\band|[.])\s+(?:{_NEW})\b"
)
_BACK = re.compile(
    rf"[;(]|{DASH}"
    r"|[.](?=[a-z]{2}|[^\w\s.,)])"
    r"|\b(?:but|however|although|though|which|while|whereas|with|is|are|was|were|seen|noted|may"
    r"|represent\w*|suggest\w*|due to|secondary|associated|has|have|shows?|reveals?|because|if|and"
    r" (?:the|a|an|there))\b"
)
_LIST_STOP = re.compile(r"[;:(]|\b(?:but|however|although|recommend\w*|clinical)\b")
# Words that do not end a cue's first phrase: "possible left, and right, effusion".
_PLAIN = re.compile(
    r"(?: (?:(?:left|right|bilateral|upper|middle|lower|mid|lungs?|midlung|lobes?|bases?|basilar"
    r"|apical|perihilar|hilar|large|small|mild|minimal|moderate|tiny|trace|subtle|slight|focal"
    r"|patchy|early|old|new|acute|chronic|definite|significant|visible|displaced)[/-]?))+ ?"
)
# A piece after a comma that says where, or that it is there, is a statement of its own.
_AT = re.compile(
    r"\b(?:in|on|at|within) (?:the )?(?:\w+ )??"
    r"(?:left|right|upper|middle|lower|base|apex|lingula)\b"
)
_PRESENT = re.compile(r"\bpresent\s*[.]?\s*$")
_OR = re.compile(r"\bn?or\b|,")
_AND = re.compile(r"\band\b(?!/)")
_APART = re.compile(
    r"now |since |no longer |(?:resolved|removed|disappeared|none|no|absent|negative)$"
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
    full, places = spelled_out(text)
    if len(full) == len(text):
        return _cues(full)
    return [
        Cue(cue.meaning, *(places[at] for at in (cue.low, cue.high, cue.place)))
        for cue in _cues(full)
    ]


def _cues(text: str) -> list[Cue]:
    found: list[Cue] = []
    for match in _CUE.finditer(text):
        kind = match.lastgroup or ""
        meaning = _MEANING.get(kind)
        if meaning is None:
            continue
        if kind.endswith("_post") or kind in ("versus", "unreal"):
            # "a nodule, possibly artifact", "an effusion, now resolved": no words of their own
            apart = kind == "unreal" or _APART.match(match[0])
            # "scar - unlikely": nor behind a dash
            place = len(text[: match.start()].rstrip(" ,(:-–—" if apart else " -–—"))
            low = _reach_back(text, place)
            if kind == "versus":  # "A and B versus C" doubts B and C
                low = max([low, *(a.end() for a in _AND.finditer(text, low, match.start()))])
            found.append(Cue(meaning, low, match.start(), match.start()))
        if not kind.endswith("_post"):
            end = _end(text, match.end(), kind)
            found.append(Cue(meaning, match.start(), end, match.start()))
    return found


def _end(text: str, place: int, kind: str) -> int:
    """Where the reach of a cue ends that itself ends at `place`."""
    if kind == "unsure_list":
        stop = _LIST_STOP.search(text, place)
        return stop.start() if stop else len(text)
    end = len(text)
    for stop in _STOP.finditer(text, place):
        if kind == "gone" and stop[0].startswith("and"):
            continue
        joined = stop[0].startswith((",", "and"))
        if not joined or not _PLAIN.fullmatch(text, place, stop.start()):
            end = stop.start()
            break
    comma = text.find(",", place, end)
    return comma if kind == "absent_pre" and comma >= 0 and _own(text, place, comma, end) else end


def _own(text: str, place: int, comma: int, end: int) -> bool:
    """Whether what follows a negation's comma is denied no more: "no mass, scar present".

    A list goes on: "no mass on the left, scar on the right, or effusion".
    """
    if _OR.search(text, comma + 1, end):
        return False
    if _PRESENT.search(text[comma:end]):
        return True
    return bool(_AT.search(text, place, comma) and _AT.search(text, comma, end))


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
