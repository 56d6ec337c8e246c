"""What the methods of a comparison have in common, and the plain CLIP that each is compared with.

A method is a recipe, or a recipe with changed parameters: `clip:texts=report`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asclip.errors import AsclipError, DataError, nearest
from asclip.recipes.options import choose, parameters, typed

EQUAL: dict[str, Any] = {
    "image_tower": "micro",
    "text_tower": "words",
    "batch": 64,
    "steps": 300,
    "lr": 2e-3,
    "evaluations": 1,
    "precision": "auto",
}
BASELINE = "clip"
BY = ("compute", "steps")
TEXTS = ("texts", "per_study", "whole")  # what a study's report brings to a batch
# Recipes that the equal settings would make into something else, and why.
LEFT_OUT = {
    "supervised": "learns labels and answers no prompt",
    "locked": "is about packaged towers, and here all methods have the same",
    "m-flag": "is about a frozen language model, and here all methods have the same tower",
    "clip-reports": "is clip:texts=report, which is run as a baseline",
    "clip-few": "is clip with the settings that all methods have here",
    "mrm": "restores what is hidden and compares no image with a text",
    "ecamp": "restores what is hidden and compares no image with a text",
    "kad-knowledge": "learns from an ontology, not from studies",
    "ct-clip": "is clip with a tower for volumes, and here all methods have the same",
}


def baseline(method: str, common: dict[str, Any] = EQUAL) -> str:
    """Plain CLIP with the texts that `method` brings to a batch; of plain CLIP itself `clip`.

    >>> baseline("gloria"), baseline("clip:texts=report")
    ('clip:texts=sentence', 'clip')
    """
    recipe, given = settings(method, common, 0)
    if recipe == BASELINE:
        return BASELINE
    own, plain = choose(recipe, given)[0], choose(BASELINE, {})[0]
    read = {"sentences": TEXTS, "mixed": ("texts", "whole")}.get(own.texts, ("texts",))
    changed = [f"{k}={getattr(own, k)}" for k in read if getattr(own, k) != getattr(plain, k)]
    return f"{BASELINE}:{','.join(changed)}" if changed else BASELINE


def settings(method: str, common: dict[str, Any], seed: int) -> tuple[str, dict[str, Any]]:
    """The recipe of a method and what it is given.

    Raises:
        DataError: the recipe cannot be compared, or has no such parameter.
        ModelError: there is no such recipe, or a value is of the wrong type.
    """
    recipe, _, changed = method.partition(":")
    if recipe in LEFT_OUT:
        raise DataError(f"{recipe} cannot be compared: it {LEFT_OUT[recipe]}")
    own, known = dict[str, Any](), parameters(recipe)
    for part in filter(None, changed.split(",")):
        name, _, value = part.partition("=")
        key = name.replace("-", "_")
        if key not in known:
            hint = nearest(name, list(known))
            raise DataError(f"{method}: recipe {recipe} has no parameter {name!r}; {hint}")
        own[key] = typed(key, value, known[key][0])
    given = {key: value for key, value in common.items() if key in known}
    return recipe, given | {"seed": seed} | own


def whole(recipe: str, given: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a run as JSON has them: another version may have other defaults."""
    common, own = choose(recipe, elsewhere(given))
    return json.loads(json.dumps({**own, **asdict(common)}))


def differing(recipe: str, record: dict[str, Any], given: dict[str, Any]) -> set[str]:
    """Parameters in which a run that is on record is not one with what is given now.

    A parameter that the record does not have, since it is newer, was at today's default; a record
    of before all parameters were kept has those that were given.
    """
    try:
        now = whole(recipe, given)
        then = record["whole"] if "whole" in record else whole(recipe, record["given"])
    except AsclipError:  # a parameter or a value that there is no more
        return set(record["given"])
    if now.keys() - then.keys():
        then = whole(recipe, {}) | then
    return {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)}


def elsewhere(given: dict[str, Any]) -> dict[str, Any]:
    """What a run is given, wherever OUT is: the hospital's own definitions without their folder."""
    known = Path(str(given.get("knowledge", "")))
    own = known.name == "knowledge.json" and known.parent.parent.name == "hospitals"
    return given | {"knowledge": f"{known.parent.name}/{known.name}"} if own else given
