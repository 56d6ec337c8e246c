"""Names and synonyms -> one compiled pattern that finds them all in a sentence of small letters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from asclip.clinical.bank import anatomies, findings, plain, spellings

# Words that look like a finding and are none: they are matched first and dropped.
_IGNORED = (
    "mass effect",
    "body mass index",
    "infection control",
    "degenerative joint space",
    "cystic fibrosis",
    "thoracic cavity",
    "chest cavity",
    "pleural cavity",
    "abdominal cavity",
    "peritoneal cavity",
    "covid 19 infection",
    "urinary tract infection",
    "wound infection",
)
_GAP = re.compile(r" of (?:the |a )?")


@dataclass(frozen=True, slots=True)
class Wordings:
    """A pattern and the table from a match, tidied by `plain`, to a name ("" to drop it)."""

    pattern: re.Pattern[str]
    names: dict[str, str]

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """(name, start, end) of each wording in `text` (small letters), left to right."""
        found = []
        for match in self.pattern.finditer(text):
            name = self._name(match[0])
            if name:
                found.append((name, match.start(), match.end()))
        return found

    def _name(self, words: str) -> str:
        key = plain(words)
        name = self.names.get(key)
        if name is not None:
            return name
        # "elevation of the left hemidiaphragm": the table holds "elevation of * hemidiaphragm".
        head, _, rest = key.partition(" of ")
        tail = rest.split()
        for first in range(len(tail)):
            name = self.names.get(f"{head} of * {' '.join(tail[first:])}")
            if name is not None:
                return name
        return ""


def _forms(phrase: str) -> set[str]:
    """Singular and plural of a phrase's last word, and of its head before " of "."""
    forms = {phrase}
    if phrase[-1] == "y" and phrase[-2:-1] not in tuple("aeiou"):
        forms.add(phrase[:-1] + "ies")
    elif phrase.endswith(("sis", "xis")):
        forms.add(phrase[:-2] + "es")
    elif phrase.endswith(("s", "x", "ch", "sh")):
        forms.add(phrase + "es")
    else:
        forms.add(phrase + "s")
    head, gap, tail = phrase.partition(" of ")
    if gap:
        forms |= {form + gap + tail for form in (head + "s", head + "es")}
    return forms


def compiled(phrases: Iterable[tuple[str, str]]) -> Wordings:
    """Wordings for (phrase, name) pairs; of two with the same phrase the first one counts.

    A phrase of signs that `plain` drops ("-") is none.
    """
    names: dict[str, str] = {}
    for phrase, name in phrases:
        for spelling in spellings(plain(phrase)):
            for form in _forms(spelling) if spelling else ():
                names.setdefault(form, name)
                if " of " in form:
                    head, tail = _GAP.split(form, maxsplit=1)
                    names.setdefault(f"{head} of * {tail}", name)
    # Last, so that an ontology may name one of them as its own: "cystic fibrosis".
    for word in _IGNORED:
        names.setdefault(plain(word), "")
    # Longest first, so that "pericardial effusion" wins; by first letter, so that a place in the
    # text is compared with few of them.
    ordered = sorted(names, key=lambda key: (key[0], -len(key), key))
    groups = []
    for letter, keys in groupby(ordered, key=lambda key: key[0]):
        first = re.escape(letter)
        rest = "|".join(_regular(key)[len(first) :] for key in keys)
        groups.append(f"{first}(?:{rest})")
    # "non-enlarged heart" is no enlarged heart; a name may begin or end with a sign: "HER2+".
    return Wordings(re.compile(rf"(?<!\w)(?<!\bnon-)(?:{'|'.join(groups)})(?!\w)"), names)


def _regular(key: str) -> str:
    pieces = [re.escape(word) for word in key.split(" ")]
    text = r"[\s-]+".join(pieces)
    return text.replace(r"[\s-]+\*[\s-]+", r"[\s-]+(?:[\w-]+\s+){0,4}?")


@cache
def finding_wordings() -> Wordings:
    """All wordings of all findings; "no finding" itself begins too many other sentences."""
    return compiled(
        (word, entry.name)
        for entry in findings().values()
        for word in (entry.name, *entry.synonyms)
        if word != "no finding"
    )


@cache
def _patterns() -> re.Pattern[str] | None:
    rules = [
        f"(?P<r{number}_{index}>{rule})"
        for number, entry in enumerate(findings().values())
        for index, rule in enumerate(entry.patterns)
    ]
    # A pattern begins with a word; to look at the other characters costs most of the time.
    return re.compile(rf"(?<!\w)(?=[a-z])(?:{'|'.join(rules)})") if rules else None


def patterned(text: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of the wordings that are no fixed phrase, in a text of small letters."""
    rules, names = _patterns(), list(findings())
    if rules is None:
        return []
    return [
        (names[int((match.lastgroup or "r0_").partition("_")[0][1:])], match.start(), match.end())
        for match in rules.finditer(text)
    ]


@cache
def anatomy_wordings() -> Wordings:
    """All wordings of all anatomies; "upper lobe" with a side is the lobe of that side."""
    return compiled(
        (word, entry.name)
        for entry in anatomies().values()
        for word in (entry.name, *entry.synonyms)
    )
