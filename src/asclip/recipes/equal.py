"""What the methods of a comparison have in common, and the plain CLIP that each is compared with.

A method is a recipe, or a recipe with changed parameters: `clip:texts=report`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from asclip.errors import DataError, nearest
from asclip.recipes.options import choose, parameters

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
    """
    recipe, _, changed = method.partition(":")
    if recipe in LEFT_OUT:
        raise DataError(f"{recipe} cannot be compared: it {LEFT_OUT[recipe]}")
    own: dict[str, Any] = {}
    for part in changed.split(","):
        key, _, value = part.partition("=")
        own |= {key: value} if key else {}
    known = parameters(recipe)
    for key in own:
        if key.replace("-", "_") not in known:
            hint = nearest(key, list(known))
            raise DataError(f"{method}: recipe {recipe} has no parameter {key!r}; {hint}")
    given = {key: value for key, value in common.items() if key in known}
    return recipe, given | {"seed": seed} | own


def whole(recipe: str, given: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a run as JSON has them: another version may have other defaults."""
    common, own = choose(recipe, elsewhere(given))
    return json.loads(json.dumps({**own, **asdict(common)}))


def elsewhere(given: dict[str, Any]) -> dict[str, Any]:
    """What a run is given, wherever OUT is: the hospital's own definitions without their folder."""
    known = Path(str(given.get("knowledge", "")))
    own = known.name == "knowledge.json" and known.parent.parent.name == "hospitals"
    return given | {"knowledge": f"{known.parent.name}/{known.name}"} if own else given
