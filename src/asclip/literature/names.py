"""Names of people: "Given Family" as in the catalogue, "Family, Given" as in reference managers."""

from __future__ import annotations

PARTICLES = frozenset("al ben bin da de del den der di dos du el la le ten ter van von zu".split())
SUFFIXES = frozenset(["jr", "jr.", "junior", "sr", "sr.", "ii", "iii", "iv"])


def split_name(name: str) -> tuple[str, str]:
    """(given, family) of a name; particles and suffixes belong to the family.

    >>> split_name("Tom van Sonsbeek"), split_name("Edson Amaro Junior"), split_name("OpenAI")
    (('Tom', 'van Sonsbeek'), ('Edson', 'Amaro Junior'), ('', 'OpenAI'))
    """
    if "," in name:
        family, _, given = name.partition(",")
        return given.strip(), family.strip()
    words = name.split()
    start = len(words) - 1
    if start > 1 and words[start].lower() in SUFFIXES:
        start -= 1
    while start > 1 and words[start - 1].lower() in PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def turned(name: str) -> str:
    """The form "Family, Given" of a name.

    >>> turned("Gerard de Melo")
    'de Melo, Gerard'
    """
    given, family = split_name(name)
    return f"{family}, {given}" if given else family


def straight(name: str) -> str:
    """The form "Given Family" of a name in either order; "Family, Jr, Given" too.

    >>> straight("de Melo, Gerard"), straight("King, Jr, Martin"), straight("Gerard de Melo")
    ('Gerard de Melo', 'Martin King Jr', 'Gerard de Melo')
    """
    parts = [" ".join(part.split()) for part in name.split(",") if part.strip()]
    if len(parts) < 2:
        return " ".join(parts)
    return " ".join([parts[-1], parts[0], *parts[1:-1]])
