"""Texts without absolute paths and without identifiers of patients and studies.

The page is passed around, so it names files by their last part only, and no person. Identifiers
are known from the predictions; one that could be an ordinary number (fewer than five digits) or
word (no digit) is not searched for in running text, since it would blot out figures and words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REMOVED = "[removed]"
SECRET_KEYS = re.compile(
    r"^(patients?|studys?|studies|accessions?|mrn|person|subject)(_?(id|ids|name|names|number))?$",
    re.IGNORECASE,
)
WHOLE_PATH = re.compile(r"^(/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\|file:/)")
# A path inside a text: at least two parts, not the tail of a relative path, a fraction or a URL.
PATH_IN_TEXT = re.compile(
    r"file:/+[^\s'\",;)\]]+"
    r"|(?<![\w./~])~?/(?!/)(?:[^\s/'\",;:)\]]+/)+[^\s/'\",;:)\]]*"
    r"|(?<![\w./])/(?:home|root|tmp|data|mnt|media|Users|scratch|work|srv|var|opt)\b"
    r"|(?<!\w)[A-Za-z]:[\\/][^\s'\",;)\]]+"
    r"|\\\\[^\s\\]+\\[^\s'\",;)\]]+"
)


def searchable(identifiers: Iterable[object]) -> frozenset[str]:
    """The identifiers that cannot be mistaken for an ordinary number or word.

    >>> sorted(searchable(["7", "10432", "P12", "anna"]))
    ['10432', 'P12']
    """
    found = {str(one) for one in identifiers}
    return frozenset(
        one
        for one in found
        if any(c.isdigit() for c in one) and len(one) >= (5 if one.isdigit() else 3)
    )


def clean(value: Any, identifiers: frozenset[str] = frozenset()) -> Any:
    """`value` with every text cleaned, keys of mappings included; numbers stay as they are.

    An entry whose key names a patient or study and whose value is a text is left out.

    >>> clean({"table": "/home/user/in/reports.csv", "patient_id": "P12", "note": "see /a/b/c.txt"})
    {'table': 'reports.csv', 'note': 'see c.txt'}
    """
    if isinstance(value, str):
        return _text(value, identifiers)
    if isinstance(value, Mapping):
        return {
            clean(key, identifiers): clean(item, identifiers)
            for key, item in value.items()
            if not (SECRET_KEYS.match(str(key)) and _is_text(item))
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [clean(item, identifiers) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(str(value), identifiers)


def _is_text(item: Any) -> bool:
    if isinstance(item, Sequence) and not isinstance(item, str):
        return any(isinstance(one, str) for one in item)
    return isinstance(item, str)


def _text(text: str, identifiers: frozenset[str]) -> str:
    if WHOLE_PATH.match(text) and not re.search(r"\s/|[.!?]\s", text):
        return _last_part(text)
    text = PATH_IN_TEXT.sub(lambda found: _last_part(found.group()), text)
    if not identifiers:
        return text
    # One pass over the words is fast with any number of identifiers.
    return re.sub(
        r"[\w-]+(?:\.[\w-]+)*",
        lambda found: REMOVED if found.group() in identifiers else found.group(),
        text,
    )


def _last_part(path: str) -> str:
    return re.split(r"[\\/]+", path.rstrip("\\/"))[-1] or "/"
