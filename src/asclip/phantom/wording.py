"""Words of a report: which sentence to take from `phrases.json` and how to fill its slots."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

import numpy as np

from asclip.phantom.findings import SEVERITIES, Finding


@cache
def phrases() -> dict[str, dict]:
    """The wording of each finding: noun, region, degree, present, possible, absent, impression."""
    return json.loads(files("asclip.phantom").joinpath("phrases.json").read_text("utf-8"))


def region(name: str) -> str:
    """The part of the chest in whose turn a finding is reported."""
    return phrases()[name]["region"]


def pick(options: list[str], rng: np.random.Generator) -> str:
    """One of `options`, all alike likely."""
    return options[int(rng.integers(len(options)))]


def slots(finding: Finding, rng: np.random.Generator) -> dict[str, str]:
    """The words that fill a sentence's slots for `finding`.

    `where` is a place with its preposition, `place` without it, `size` in mm or cm.
    """
    zone = finding.zone
    if zone:
        noun = pick(["zone", "zone", "lung zone", "lung"], rng)
        if finding.name == "rib fracture":
            noun = "chest"
        if finding.side == "bilateral":
            places = [f"{zone} {noun}s", f"{zone} {noun}s on both sides"]
            place = pick([f"both {places[0]}", places[1]], rng)
        else:
            place = f"{finding.side} {zone} {noun}"
        where = f"in {place}" if place.startswith("both") else f"in the {place}"
    elif finding.side == "bilateral":
        where, place = pick(["on both sides", "bilaterally"], rng), "lungs"
    else:
        where = pick([f"on the {finding.side}", f"on the {finding.side} side"], rng)
        place = f"{finding.side} lung"
    degree = phrases()[finding.name]["degree"][SEVERITIES.index(finding.severity)]
    size = finding.size
    shown = ""
    if np.isfinite(size):
        shown = f"{size:.0f} mm" if size < 10 or rng.random() < 0.6 else f"{size / 10:.1f} cm"
    return {
        "where": where,
        "place": place,
        "side": finding.side,
        "zone": f"{zone} zone" if zone else "",
        "degree": degree,
        "size": shown,
    }


def compose(finding: Finding, assertion: str, rng: np.random.Generator) -> str:
    """A sentence that affirms ("present") or doubts ("possible") `finding`."""
    return fill(pick(phrases()[finding.name][assertion], rng), finding, rng)


def fill(template: str, finding: Finding, rng: np.random.Generator) -> str:
    """`template` with the words for `finding`; the article and the plural are put right."""
    words = " ".join(template.format(**slots(finding, rng)).split())
    words = re.sub(r"\b([Aa]) (?=8\b|8\.|11\b|18\b)", r"\1n ", words)  # an 8 mm nodule
    if finding.side == "bilateral":
        words = re.sub(r"\ba (small|moderate|large) effusion", r"\1 effusions", words)
    return words[0].upper() + words[1:]


def comparison(finding: Finding, rng: np.random.Generator) -> str:
    """A sentence on the change since the prior, or ""."""
    noun = phrases()[finding.name]["noun"]
    if finding.name == "cardiomegaly":
        noun = "cardiac silhouette"
    options = {
        "": [""],
        "new": [
            f"The {noun} is new since the prior study.",
            f"New {noun} compared with the previous radiograph.",
        ],
        "larger": [
            f"The {noun} has increased since the prior study.",
            f"Compared with the previous radiograph, the {noun} is more pronounced.",
            f"Progression of the {noun}.",
        ],
        "smaller": [
            f"The {noun} has decreased since the prior study.",
            f"Compared with the previous radiograph, the {noun} is less pronounced.",
            f"Partial regression of the {noun}.",
        ],
        "unchanged": [
            f"The {noun} is unchanged.",
            f"No change of the {noun} since the prior study.",
            f"Stable {noun} compared with the previous radiograph.",
        ],
    }[finding.change]
    if finding.change == "new" and finding.name == "cardiomegaly":
        return "Enlargement of the heart is new since the prior study."
    return pick(options, rng)
