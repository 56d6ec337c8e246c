"""Prompt sets of the challenges, in the form of the packaged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PLAIN = (
    "cardiomegaly",
    "consolidation",
    "atelectasis",
    "pulmonary oedema",
    "fibrosis",
)
PLACES = tuple((side, zone) for side in ("right", "left") for zone in ("upper", "mid", "lower"))


def article(name: str) -> str:
    """The name with "a" or "an" where one is used."""
    if name in PLAIN:
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def stated(name: str) -> list[str]:
    """Sentences which say that `name` is there."""
    return [f"There is {article(name)}.", f"{name.capitalize()}.", f"{name.capitalize()} is seen."]


def denied(name: str) -> list[str]:
    """Sentences which say that `name` is not there."""
    return [f"No {name}.", f"There is no {name}.", f"No {name} is seen."]


def prompt_set(
    name: str,
    classes: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    *,
    about: str,
    column: str = "",
    beside: str = "",
) -> dict[str, Any]:
    """A set with (positive, negative) sentences per class; "single-label" if `column` is given."""
    return ({"beside": beside} if beside else {}) | {
        "name": name,
        "version": "1",
        "source": "own wording, written before any model was scored",
        "seed": 0,
        "about": about,
        "kind": "single-label" if column else "multi-label",
        "column": column,
        "classes": {
            label: {"positive": list(positive), "negative": list(negative)}
            for label, (positive, negative) in classes.items()
        },
    }


def findings(
    names: Sequence[str], name: str = "findings", *, affirmed_only: bool = False
) -> dict[str, Any]:
    """A yes-no question for each finding, by its name; without denials if `affirmed_only`."""
    classes = {label: (stated(label), () if affirmed_only else denied(label)) for label in names}
    return prompt_set(name, classes, about="Whether each finding is present")


def at(kind: str, side: str, zone: str) -> list[str]:
    """Sentences which put `kind` at a place."""
    where = f"{side} {zone} zone"
    return [
        f"There is {article(kind)} in the {where}.",
        f"{kind.capitalize()} in the {where}.",
        f"{where.capitalize()} {kind}.",
    ]
