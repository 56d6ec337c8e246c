"""Where a finding lies, by the words near it: anatomies and a side."""

from __future__ import annotations

import re

from asclip.clinical.bank import anatomies
from asclip.clinical.wordings import anatomy_wordings

_SIDE = re.compile(
    r"\b(?:(?P<bilateral>bilateral(?:ly)?|both|bibasilar|bibasal|biapical|bihilar|on both sides)"
    r"|(?P<right>right|rightward|right-sided)|(?P<left>left|leftward|left-sided))\b"
)
_EDGE = re.compile(
    r"[;:]|,|\b(?:but|however|although|which|while|may represent|versus|with|without)\b"
    r"|\band (?=the\b)"
)
# "lower lobe" after a side is a lobe of its own; on both sides it stays a zone.
_SIDED = {
    "upper lung zone": "upper lobe",
    "lower lung zone": "lower lobe",
    "lung base": "lung base",
    "lung apex": "lung apex",
    "lung": "lung",
}


def located(
    text: str, start: int, end: int, spans: list[tuple[int, int]]
) -> tuple[tuple[str, ...], str]:
    """(anatomies, side) of the words from `start` to `end` in a sentence of small letters.

    The clause counts that holds them; where it names no place of its own, the words up to the next
    finding of the sentence count too ("opacity, in the left base").
    """
    low, high = _clause(text, start, end)
    names, side = _named(text, low, high, start, end)
    if not names and not side:
        later = [s for s, _ in spans if s > end]
        reach = min([*later, len(text)])
        names, side = _named(text, low, max(reach, high), start, end)
    return names, side


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    low, high = 0, len(text)
    for edge in _EDGE.finditer(text):
        if edge.end() <= start:
            low = edge.end()
        elif edge.start() >= end:
            high = edge.start()
            break
    return low, high


def _named(text: str, low: int, high: int, start: int, end: int) -> tuple[tuple[str, ...], str]:
    piece = text[low:high]
    sides = {match.lastgroup or "" for match in _SIDE.finditer(piece)}
    side = "bilateral" if "bilateral" in sides or len(sides) > 1 else next(iter(sides), "")
    found: dict[str, None] = {}
    for name, first, last in anatomy_wordings().find(piece):
        if first + low >= start and last + low <= end and not _whole(piece[first:last]):
            continue  # an adjective within the finding's own name: "pulmonary nodule"
        own = anatomies()[name].laterality
        if own and not side:
            side = own
        found[_sided(name, side)] = None
    return tuple(found), side


def _whole(words: str) -> bool:
    """A noun within the finding's name still says where it is: "atelectasis of the lung base"."""
    return words in ("lung base", "lung bases", "right lung", "left lung")


def _sided(name: str, side: str) -> str:
    if side in ("left", "right") and name in _SIDED:
        full = f"{side} {_SIDED[name]}"
        return full if full in anatomies() else name
    return name
