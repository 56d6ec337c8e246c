"""Labels and extracted findings -> sentences in the form of a prompt.

In the manner of CXR-CLIP (You et al. 2023, arXiv:2310.13292): "There is X in the Y.", "No X.". What
is doubtful or not known gives no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from asclip.clinical import descriptions
from asclip.clinical.assertions import ABSENT, PRESENT
from asclip.clinical.bank import canonical, findings, plain
from asclip.clinical.extract import mentions, report_findings, states
from asclip.clinical.sentence import Mention
from asclip.errors import DataError

_HERE = ("There is {name} {place}.", "{Name} {place}.", "{Name} is seen {place}.")
_PRESENT = ("There is {name}.", "{Name} is seen.", "The image shows {name}.")
_ABSENT = ("No {name}.", "There is no {name}.", "No {name} is seen.", "No evidence of {name}.")
# Finding -> (present, where: "in the left lower lobe", "on both sides" or "").
Stated = Mapping[str, tuple[bool, str]]


def stated(text: str) -> dict[str, tuple[bool, str]]:
    """The findings that a report states or denies, and where; doubtful ones are left out.

    >>> stated("Small left effusion. Possible nodule.")
    {'pleural effusion': (True, 'on the left'), 'no finding': (False, '')}
    """
    found = mentions(text)
    told: dict[str, tuple[bool, str]] = {}
    for name, what in states(found, inherit=False).items():
        if what not in (PRESENT, ABSENT):
            continue
        here = [m for m in found if m.finding == name and m.assertion == PRESENT]
        places = [place for m in here if (place := _place(m))]
        told[name] = (what == PRESENT, places[0] if places else "")
    return told


def labelled(names: Sequence[str], values: np.ndarray) -> dict[str, tuple[bool, str]]:
    """The same from one study's label columns [K]; what is not known (NaN) is left out."""
    told: dict[str, tuple[bool, str]] = {}
    for name, value in zip(names, values, strict=True):
        if value == value:
            key = _catalogued(name)
            told[key] = (bool(value > 0.5) or told.get(key, (False, ""))[0], "")
    return told


@cache
def wordings(name: str, present: bool, place: str = "") -> tuple[str, ...]:
    """The sentences that state or deny a finding; () where none is read as it is meant.

    >>> wordings("pleural effusion", True, "on the left")[0]
    'There is pleural effusion on the left.'
    """
    known = name in findings()
    templates = (_HERE if place else _PRESENT) if present else _ABSENT
    filled = {"name": name, "Name": name[:1].upper() + name[1:], "place": place}
    made = [] if name == "no finding" else [template.format(**filled) for template in templates]
    if known and not place:
        made += descriptions.sentences(name, present=present)
    if known:
        made = [text for text in made if report_findings(text, [name])[0] == float(present)]
        made = [text for text in made if all(m.finding == name for m in mentions(text))]
    return tuple(dict.fromkeys(made))


def prompts(told: Stated, rng: np.random.Generator) -> list[str]:
    """A sentence for each finding, by a template drawn for each; what is present comes first.

    >>> prompts({"nodule": (False, ""), "mass": (True, "")}, np.random.default_rng(0))
    ['Mass in the lung.', 'No evidence of nodule.']
    """
    names = [list(told)[k] for k in rng.permutation(len(told))]
    made = []
    for name in sorted(names, key=lambda name: not told[name][0]):
        choices = wordings(name, *told[name])
        if choices:
            made.append(choices[rng.integers(len(choices))])
    return made


def with_places(labels: Stated, text: Stated) -> dict[str, tuple[bool, str]]:
    """What the labels say, with the place that the report names for the same finding."""
    return {
        name: (present, text[name][1] if present and name in text else "")
        for name, (present, _) in labels.items()
    }


def _catalogued(name: str) -> str:
    try:
        return canonical(name)
    except DataError:
        return plain(name)


def _place(mention: Mention) -> str:
    """Where a finding is, in words that are read as the same place; '' where there are none."""
    sided = {"left": "on the left", "right": "on the right", "bilateral": "on both sides"}
    places = " and ".join(mention.anatomy)
    choices = [f"in the {places}", f"in the {mention.side} {places}"] if places else []
    for words in (*choices, sided.get(mention.side, "")):
        again = mentions(f"There is {mention.finding} {words}.") if words else []
        if [(m.finding, m.assertion) for m in again] == [(mention.finding, PRESENT)]:
            if again[0].side == mention.side and (set(again[0].anatomy) <= set(mention.anatomy)):
                return words
    return ""
