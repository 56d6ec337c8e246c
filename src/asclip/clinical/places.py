"""Where a finding lies, by the words near it: anatomies and a side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from asclip.clinical.alternatives import Said
from asclip.clinical.bank import anatomies, findings
from asclip.clinical.wordings import anatomy_wordings

_SIDE = re.compile(
    r"\b(?:(?P<bilateral>bilateral(?:ly)?|both|bibasilar|bibasal|biapical|bihilar|on both sides)"
    r"|(?P<right>right|rightward|right-sided)|(?P<left>left|leftward|left-sided))\b"
)
_EDGE = re.compile(
    r"[;:]|,|\b(?:but|however|although|which|while|may represent|versus|with|without)\b"
    r"|\band (?=the\b)"
)
_JOIN = re.compile(r",? ?\b(?:and/or|and|or)\b|[,/]")
# Places that are one of a side's own; an upper or lower zone is none, for it may lie in two lobes.
_SIDED = {
    "lung base": "lung base",
    "lung apex": "lung apex",
    "lung": "lung",
}
# "left upper and lower lobes": the side and the noun are said once for all.
_SIDES, _LEVELS = "right|left|both|bilateral", "upper|middle|mid|lower"
_LEVEL = re.compile(rf"\b(?:{_LEVELS})\b")
_RUN = re.compile(
    rf"\b(?:(?:{_SIDES}|{_LEVELS}|the)\b(?:,? (?:and/or|and|or|to)\b|[,/-])? ?)+"
    r"(?P<noun>lobes?|(?:lung )?zones?|lung fields?|lungs?)\b"
)
_LOBE = re.compile(r"(upper|lower) lobes?")
_PAIRED = {"lung", "pleura", "hilum"}
_LITTLE = re.compile(r"[\s,]|\b(?:and|or|the|in|of|at|within)\b")


def located(text: str, rows: Sequence[Said]) -> list[tuple[tuple[str, ...], str]]:
    """(anatomies, side) of each finding of a sentence of small letters; `rows` from left to right.

    The clause counts that holds the words; where it names no place of its own, the words up to the
    next finding of the sentence count too ("opacity, in the left base"). Findings that are joined
    ("right effusion and left atelectasis") have a clause each, unless one place is said for all
    ("scar and atelectasis in the left base").
    """
    joints = list(_joints(text, rows))
    commas = [match.span() for match in _EDGE.finditer(text) if not _goes_on(text, match)]
    edges = sorted([*commas, *joints])
    runs = [match.span() for match in _RUN.finditer(text)]
    edges = [edge for edge in edges if not any(a <= edge[0] and edge[1] <= b for a, b in runs)]
    found = []
    for row in rows:
        _, _, start, end = row
        low = max([last for _, last in edges if last <= start], default=0)
        high = min([first for first, _ in edges if first >= end], default=len(text))
        # Other words for the same ("blunting of the angle" in "... of the costophrenic angle") hide
        # no place.
        others = [(a, b) for _, _, a, b in rows if b <= start or a >= end]
        names, side = _named(text, low, high, others, (start, end))
        if not names and not side:
            later = [first for first, _ in (*others, *joints) if first >= end]
            reach = min(later, default=len(text))
            names, side = _named(text, low, max(reach, high), others, (start, end))
        found.append((names, side))
    return found


def _goes_on(text: str, edge: re.Match[str]) -> bool:
    """Whether a comma only parts places: "in the right apex, left base and lingula"."""
    if edge[0] != ",":
        return False
    piece = re.split(r"[,;:.]", text[edge.end() :], maxsplit=1)[0]
    rest = _SIDE.sub("", anatomy_wordings().pattern.sub("", _RUN.sub("", piece)))
    return _placed(piece) and not _LITTLE.sub("", rest)


def _joints(text: str, rows: Sequence[Said]) -> Iterator[tuple[int, int]]:
    """Where "and", "or", a comma or a stroke parts two findings that do not share their place."""
    stops = [0, *(end for *_, end in rows)]
    starts = [*(start for _, _, start, _ in rows), len(text)]
    for n in range(1, len(rows)):
        end, start = stops[n], starts[n]
        joins = list(_JOIN.finditer(text, end, start)) if end < start else []
        if not joins:
            continue
        ahead, behind = text[stops[n - 1] : starts[n - 1]], text[stops[n + 1] : starts[n + 1]]
        apart = _placed(text[end:start]) or (_placed(ahead) and _placed(behind))
        if apart or _paired(rows[n - 1][0]) != _paired(rows[n][0]):
            # "Scar and right and left effusions" ends at the first "and", for it stands at once;
            # "scar on the right and left effusion" at the last.
            at_once = joins[0].start() - end <= 1 and joins[0][0].strip() != ","
            yield (joins[0] if at_once else joins[-1]).span()


def _placed(words: str) -> bool:
    return bool(_SIDE.search(words) or anatomy_wordings().pattern.search(words))


@cache
def _paired(name: str) -> bool:
    """Whether a finding's usual place has two sides; the side of an effusion is not the heart's."""
    place: str | None = findings()[name].anatomy
    while place is not None and place not in _PAIRED:
        place = anatomies()[place].parent
    return place is not None


def _named(
    text: str, low: int, high: int, others: Sequence[tuple[int, int]], span: tuple[int, int]
) -> tuple[tuple[str, ...], str]:
    """The places and the side between `low` and `high`, less those in the words of other findings.

    `span` are the finding's own words.
    """

    def inside(first: int, last: int, spans: Sequence[tuple[int, int]]) -> bool:
        return any(s <= first + low and last + low <= e for s, e in spans)

    piece = text[low:high]
    sides = {
        match.lastgroup or ""
        for match in _SIDE.finditer(piece)
        if not inside(*match.span(), others)
    }
    side = _joined(sides)
    found: dict[str, None] = {}
    for name, words, first, last in sorted(_places(piece), key=lambda row: row[2]):
        # An adjective within a finding's name is no place: "pulmonary nodule".
        if inside(first, last, [*others, span]) and not _whole(words):
            continue
        own = anatomies()[name].laterality
        lobe = _LOBE.fullmatch(words)
        if own:
            sides.add(own)
        elif lobe and "bilateral" in sides:
            found |= {f"{which} {lobe[1]} lobe": None for which in ("right", "left")}
            continue
        elif lobe and len(sides) == 1:
            name = f"{next(iter(sides))} {lobe[1]} lobe"
        found[_sided(name, side or _joined(sides))] = None
    return tuple(found), _joined(sides)


def _joined(sides: set[str]) -> str:
    return "bilateral" if "bilateral" in sides or len(sides) > 1 else next(iter(sides), "")


def _places(piece: str) -> Iterator[tuple[str, str, int, int]]:
    """(anatomy, words, start, end) of each place; a run names one at each of its levels."""
    runs = [match for match in _RUN.finditer(piece) if _LEVEL.search(match[0])]
    for name, first, last in anatomy_wordings().find(piece):
        if not any(match.start() <= first and last <= match.end() for match in runs):
            yield name, piece[first:last], first, last
    for match in runs:
        lobes = match["noun"].startswith("lobe")
        sides: list[str] = []
        placed = False  # a level has followed the sides: the next side begins anew
        for word in re.finditer(rf"{_SIDES}|{_LEVELS}", match[0]):
            first, last = match.start() + word.start(), match.start() + word.end()
            if _LEVEL.fullmatch(word[0]):
                placed = True
                middle = word[0] in ("mid", "middle")
                words = f"{word[0]} {'lobe' if lobes else 'zone'}"
                if not lobes or not (middle or sides):
                    yield f"{'mid' if middle else word[0]} lung zone", words, first, last
                elif middle:
                    yield "right middle lobe", words, first, last
                else:
                    for side in sides:
                        yield f"{side} {word[0]} lobe", words, first, last
            else:
                both = word[0] in ("both", "bilateral")
                sides = ([] if placed else sides) + (["right", "left"] if both else [word[0]])
                placed = False


def _whole(words: str) -> bool:
    """A noun within the finding's name still says where it is: "atelectasis of the lung base"."""
    return words in ("lung base", "lung bases", "right lung", "left lung")


def _sided(name: str, side: str) -> str:
    if side in ("left", "right") and name in _SIDED:
        full = f"{side} {_SIDED[name]}"
        return full if full in anatomies() else name
    return name
