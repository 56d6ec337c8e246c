"""Report text -> sections and sentences, by rules; fast, no model, no state.

Rules were written for English radiology reports: headed ("FINDINGS: ..."), marked up (HTML,
Markdown) or plain; wrapped lines, numbered lists, measurements, abbreviations.
"""

from __future__ import annotations

import html
import re
from itertools import pairwise

# Canonical section -> the headings that open it (upper case, without plural s).
HEADINGS: dict[str, tuple[str, ...]] = {
    "findings": (
        "FINDING",
        "FINDINGS AND IMPRESSION",
        "FINDINGS/IMPRESSION",
        "OBSERVATION",
        "RADIOGRAPHIC FINDING",
        "IMAGING FINDING",
        "DESCRIPTION",
        "REPORT",
        "RESULT",
    ),
    "impression": (
        "IMPRESSION",
        "CONCLUSION",
        "OPINION",
        "SUMMARY",
        "ASSESSMENT",
        "INTERPRETATION",
        "DIAGNOSIS",
        "FINAL DIAGNOSIS",
    ),
    "indication": (
        "INDICATION",
        "CLINICAL INDICATION",
        "REASON FOR EXAM",
        "REASON FOR EXAMINATION",
        "REASON FOR STUDY",
        "REASON FOR THE EXAM",
        "REASON FOR THIS EXAMINATION",
        "REASON",
        "CLINICAL QUESTION",
    ),
    "history": (
        "HISTORY",
        "CLINICAL HISTORY",
        "PATIENT HISTORY",
        "MEDICAL HISTORY",
        "CLINICAL INFORMATION",
        "CLINICAL DATA",
        "CLINICAL DETAIL",
    ),
    "comparison": ("COMPARISON", "COMPARISON STUDY", "COMPARISON EXAM", "PRIOR STUDY", "PRIOR"),
    "technique": ("TECHNIQUE", "PROCEDURE", "PROTOCOL", "METHOD", "VIEW", "CONTRAST"),
    "examination": ("EXAMINATION", "EXAM", "STUDY", "TYPE OF EXAM", "EXAM TYPE"),
    "recommendation": ("RECOMMENDATION", "FOLLOW-UP", "FOLLOW UP"),
    "notification": ("NOTIFICATION", "COMMUNICATION"),
    "addendum": ("ADDENDUM", "ADDENDA"),
    "signature": ("ELECTRONICALLY SIGNED BY", "SIGNED BY", "DICTATED BY"),
}
_NAMES = {heading: name for name, headings in HEADINGS.items() for heading in headings}
_WORDS = "|".join(
    re.escape(heading) + r"(?:S|\(S\))?" for heading in sorted(_NAMES, key=len, reverse=True)
)
_MARK = r" ?[#*_>=\-]* ?"
# At a line's start in any case, with a colon or alone on the line; in the middle of a line only in
# capitals with a colon, or after a full stop: "past history: none" opens no section.
_HEADING = re.compile(
    rf"^{_MARK}(?P<line>{_WORDS}) ?[*_]* ?: ?[*_]*"
    rf"|^{_MARK}(?P<alone>{_WORDS}) ?[*_=\-]* ?$"
    rf"|(?<=[.!?;] )(?P<stop>{_WORDS}) ?: ?"
    rf"|(?<= )(?-i:(?P<caps>{_WORDS})) ?: ?",
    re.IGNORECASE | re.MULTILINE,
)
_BLANKS = re.compile(r"[ \t\xa0]+")
_BREAK = re.compile(r"< ?/? ?(?:br|p|div|li|tr|h[1-6])\b[^>]*>", re.IGNORECASE)
# Named tags only: "<XXXX>" marks a removed word, "< 5 mm" is a size.
_TAG = re.compile(
    r"</?(?:a|b|i|u|em|strong|span|font|small|su[bp]|pre|table|tbody|thead|t[dh]|[uod]l|d[dt]|html"
    r"|body|head|title|section|text|paragraph|content)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
# Sections of a few lines, after which some reports go on without a heading for the findings.
_BRIEF = frozenset(("indication", "history", "comparison", "technique", "examination"))
_EMPTY_LINE = re.compile(r"(?<=\S) ?\n ?\n")
_NOISE = re.compile(r"^ ?(?:FINAL REPORT|PRELIMINARY REPORT|[_=*\-]{3,}) ?$", re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The parts of a report under canonical names, in the report's order; {} for an empty one.

    Names: findings, impression (also CONCLUSION, OPINION ...), indication, history, comparison,
    technique, examination, recommendation, notification, addendum, signature. Text before the
    first heading, and a report without headings, is under "text"; so is, in a report without
    findings, what follows an empty line after an indication, history, comparison, technique or
    examination. Repeated sections are joined by a line break, "FINDINGS AND IMPRESSION" counts as
    findings; empty sections are left out.

    >>> sections("FINDINGS: Clear lungs. IMPRESSION: Normal.")
    {'findings': 'Clear lungs.', 'impression': 'Normal.'}
    >>> sections("Clear lungs.")
    {'text': 'Clear lungs.'}
    """
    plain = _NOISE.sub("", _plain(text))
    pieces: list[tuple[str, str]] = []
    name, start = "text", 0
    for match in _HEADING.finditer(plain):
        pieces.append((name, plain[start : match.start()]))
        name, start = _canonical(match[match.lastgroup or 0]), match.end()
    pieces.append((name, plain[start:]))
    if not any(name == "findings" for name, _ in pieces):
        pieces = [part for name, piece in pieces for part in _parted(name, piece)]
    parts: dict[str, list[str]] = {}
    for name, piece in pieces:
        if kept := _trimmed(piece):
            parts.setdefault(name, []).append(kept)
    return {name: "\n".join(kept) for name, kept in parts.items()}


def _parted(name: str, piece: str) -> list[tuple[str, str]]:
    """A brief section, and as text what follows an empty line after its words."""
    gap = _EMPTY_LINE.search(piece) if name in _BRIEF else None
    return [(name, piece[: gap.start()]), ("text", piece[gap.end() :])] if gap else [(name, piece)]


def _plain(text: str) -> str:
    """Text without HTML, with one kind of line break and single blanks.

    Single blanks also keep the patterns linear: two neighbouring stars on a long run are not.
    """
    text = _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    return html.unescape(text) if "&" in text else text


def _canonical(heading: str) -> str:
    words = " ".join(heading.upper().split()).replace("(S)", "")
    return _NAMES[words] if words in _NAMES else _NAMES[words.removesuffix("S")]


def _trimmed(piece: str) -> str:
    lines = (" ".join(line.split()) for line in piece.strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(" \n*_")


_ABBREVIATIONS = frozenset(
    """
    dr drs mr mrs ms prof st vs approx ca cf resp est incl excl max min fig figs ref refs pt pts
    hx sx dx rx tx wk wks mo mos yr yrs hr hrs sec dept jr sr inc e.g i.e a.m p.m s/p w/o
    """.split()
)
_UNITS = frozenset("mm cm m ml cc kg mg g in ft deg lat ant post sup inf bilat med".split())
_BULLET = re.compile(r"^ ?(?:[-–—*•‣·]|\(?\d{1,2}[.)]|\(?[a-hA-H]\)) (?=\S)")
# A run of stops is tried from its first one alone, so that ten thousand dots cost no square.
_PLACE = re.compile(r"(?P<end>(?<![.!?])[.!?]+[\"')\]]*)(?=\s)|(?P<break>\n)")
_LAST_WORD = re.compile(r"[\w./'-]+$")
# "2. " after the end of a sentence; "2) " also after a word, unless it closes "(see image 2)".
_NUMBERED = re.compile(r"(?<=[.!?;:] )\d{1,2}[.)] (?=[A-Z])|(?<=[a-zA-Z] )\d{1,2}\) (?=[A-Z\d])")


def sentences(text: str) -> list[str]:
    """The sentences of a report's text, in order, blanks tidied, list numbers and bullets removed.

    A full stop ends a sentence unless it belongs to an abbreviation (Dr., e.g., vs.), a number
    (1.5 cm), an initial or a unit before a small letter. A question mark before a word ends
    none ("? pneumonia"). A line break ends one before a list item or an empty line, or where a
    short line is followed by a capital letter; else it is a wrap. In a text of capitals it is one
    where the next word had no room on the line.

    >>> sentences("1. No effusion, e.g. at the base. 2. Nodule of 1.5 x 2 cm vs. scar.")
    ['No effusion, e.g. at the base.', 'Nodule of 1.5 x 2 cm vs. scar.']
    """
    plain = _unwrapped(_plain(text))
    plain = _NUMBERED.sub(lambda mark: mark[0] if _open(plain, mark) else "\n- ", plain)
    found: list[str] = []
    start = 0
    for match in _PLACE.finditer(plain):
        if match.start() < start:
            continue
        whole = match["end"] is not None
        if _ends(plain, start, match) if whole else _breaks(plain, start, match.start()):
            found.append(plain[start : match.end()])
            start = match.end()
    found.append(plain[start:])
    tidy = (" ".join(_BULLET.sub("", piece.strip(), count=1).split()) for piece in found)
    return [piece for piece in tidy if any(letter.isalnum() for letter in piece)]


def _open(text: str, mark: re.Match[str]) -> bool:
    """Whether a number closes a bracket."""
    before = text[max(0, mark.start() - 80) : mark.start()]
    return ")" in mark[0] and before.rfind("(") > before.rfind(")")


def _unwrapped(text: str) -> str:
    """A text of capitals without its wraps, and with an empty line for each other line break.

    A break is a wrap where the next word would not have fitted the longest line. Lines of a text
    without full stops are statements of their own, however long.
    """
    if "\n" not in text or "." not in text or not text.isupper():
        return text
    lines = [line.strip() for line in text.split("\n")]
    width = max(map(len, lines))
    pieces = lines[:1]
    for line, following in pairwise(lines):
        word = following.split(" ")[0]
        own = not line or not word or line.endswith(":") or _BULLET.match(following)
        full = line.endswith((",", "-", "/", "(")) or len(line) + 1 + len(word) > width
        # "WELL-" goes on without a blank.
        gap = "" if line[-2:-1].isalpha() and line[-1] == "-" else " "
        pieces += (gap if full and not own else "\n\n", following)
    return "".join(pieces)


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the punctuation at `match` ends a sentence."""
    following = text[match.end() : match.end() + 80].lstrip()
    if following and match["end"].strip("?)") == "" and _asks(text, start, match, following):
        return False
    if not following or match["end"][0] in "!?" or len(match["end"]) > 1:
        return True
    if match.start() - start < 20 and text[start : match.start()].strip().isdigit():
        return False  # the number of a list item
    before = _LAST_WORD.search(text, max(start, match.start() - 30), match.start())
    word = before[0].lower() if before else ""
    if not word:
        return True  # tokenised text: "clear ."
    small = following[0].islower()
    if word == "no" and following[0].isdigit():
        return False
    if word in ("a.m", "p.m"):
        return not small
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and before):
        # "vitamin C." ends a sentence at a line's end only; initials are far more frequent.
        return False
    return not (small and (word in _UNITS or "." in word))


def _asks(text: str, start: int, match: re.Match[str], following: str) -> bool:
    """Whether a question mark belongs to what follows: "opacity ? scar", "(?) scar"."""
    before = text[max(start, match.start() - 30) : match.start()]
    if len(before) < 30 and not any(letter.isalpha() for letter in before):
        return True
    return before[-1] in " (" and following[0].islower()


def _breaks(text: str, start: int, place: int) -> bool:
    """Whether the line break at `place` ends a sentence that no full stop has ended."""
    line_start = text.rfind("\n", 0, place) + 1
    line = text[max(line_start, start) : place].strip()
    rest = text[place + 1 : place + 81]
    if not line or not rest.strip() or rest.lstrip(" ").startswith("\n"):
        return True
    if _BULLET.match(rest) or line.endswith(":"):
        return True
    if line.endswith((",", "-", "/", "(")):
        return False
    return len(text[line_start:place].strip()) < 60 and rest.lstrip()[:1].isupper()
