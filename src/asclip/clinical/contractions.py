"""Short forms of a report spelled out: "isn't", "can't", "w/o", "w/"."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Spelled out, so that each rule on "not", "without" or "with" holds for these too.
_SHORT = re.compile(
    r"\b(?P<can>can't)|(?P<nt>(?<=\w)n't)\b|\b(?P<wo>w/o(?:ut)?\b)|\b(?P<w>w/ ?(?=[a-z]{3}))"
)
_LONG = {"can": "can not", "nt": " not", "wo": "without", "w": "with "}


def spelled_out(text: str) -> tuple[str, Sequence[int]]:
    """`text` with "is not" for "isn't", and the place in `text` of each place in that.

    >>> spelled_out("w/o scar")[0], spelled_out("isn't seen")[0]
    ('without scar', 'is not seen')
    """
    text = text.replace("’", "'")
    if not _SHORT.search(text):
        return text, range(len(text) + 1)
    pieces: list[str] = []
    places: list[int] = []
    last = 0
    for match in _SHORT.finditer(text):
        words = _LONG[match.lastgroup or ""]
        pieces += (text[last : match.start()], words)
        places += [*range(last, match.start()), *[match.start()] * len(words)]
        last = match.end()
    return "".join((*pieces, text[last:])), [*places, *range(last, len(text) + 1)]
