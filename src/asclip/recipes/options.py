"""From words on the command line to a recipe's typed parameters."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_type_hints

from asclip.errors import ModelError, nearest
from asclip.recipes import data_efficient, fair, frontier, knowledge, masked, methods, multiscale
from asclip.towers.precision import chosen
from asclip.train.settings import Settings

FAMILIES = (methods, multiscale, masked, data_efficient, knowledge, frontier, fair)
RECIPES = {name: make for family in FAMILIES for name, make in family.RECIPES.items()}
OWN = {key: text for family in reversed(FAMILIES) for key, text in family.OWN.items()}
FROM_DATA = ("regions", "grid", "pixels", "vocabulary", "count", "findings")
"""Parameters that the towers and the data decide; they are recorded, and cannot be asked for."""


def recipe(name: str) -> Callable[..., Any]:
    """The recipe of that name; a typo lists near names."""
    if name not in RECIPES:
        raise ModelError(f"no recipe is called {name!r}; {nearest(name, list(RECIPES))}")
    return RECIPES[name]


def parameters(name: str) -> dict[str, tuple[type, Any]]:
    """Every parameter of a recipe, its type and default: its own first, then the common ones."""
    function = recipe(name)
    hints = get_type_hints(function)
    signature = inspect.signature(function).parameters
    own = {
        key: (hints[key], parameter.default)
        for key, parameter in signature.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    start = signature["settings"].default
    return own | {key: (kind, getattr(start, key)) for key, kind in Settings.types().items()}


def about() -> dict[str, str]:
    """What each parameter is, in words: `Settings`' own docstring and `methods.OWN`.

    >>> about()["chunk"]
    'studies encoded at once; 0 = the whole batch (plain step), else the cached step.'
    """
    lines = inspect.cleandoc(Settings.__doc__ or "").partition("Attributes:")[2]
    found = re.findall(r"^    (\w+): (.+(?:\n {8,}.+)*)", lines, re.MULTILINE)
    return {key: " ".join(text.split()) for key, text in found} | OWN


def choose(
    name: str, given: Mapping[str, Any], *, asked: bool = False
) -> tuple[Settings, dict[str, Any]]:
    """The settings of a recipe with what was given in place of its defaults, and its own part.

    The precision "auto" becomes this machine's.

    Values may be text, as from a command line; dashes in names are underscores. Unknown names and
    values of the wrong type are a `ModelError`, and so is one of `FROM_DATA` if a user `asked` for
    it: a recorded run has them, a new one would not do as it was told.
    """
    known = parameters(name)
    common, own = {}, {key: default for key, (_, default) in known.items()}
    for key, value in given.items():
        key = key.replace("-", "_")
        if key not in known:
            hint = nearest(key, list(known))
            raise ModelError(f"recipe {name!r} has no parameter {key!r}; {hint}")
        if asked and key in FROM_DATA:
            raise ModelError(f"{key} cannot be given: towers and data decide it; leave it out")
        own[key] = typed(key, value, known[key][0])
    for key in Settings.types():
        common[key] = own.pop(key)
    start: Settings = inspect.signature(recipe(name)).parameters["settings"].default
    common["precision"] = chosen(common["precision"])
    return replace(start, **common), own


def typed(key: str, value: Any, kind: type) -> Any:
    """`value` as `kind`.

    >>> typed("batch", "64", int), typed("lr", 1, float), typed("texts", "report", str)
    (64, 1.0, 'report')
    """
    if kind is bool and isinstance(value, str):
        if value.lower() in ("1", "true", "yes", "on"):
            return True
        if value.lower() in ("0", "false", "no", "off"):
            return False
        raise ModelError(f"{key} must be true or false; got {value!r}")
    try:
        found = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(f"{key} must be {kind.__name__}; got {value!r}") from None
    if isinstance(found, float) and not math.isfinite(found):
        raise ModelError(f"{key} must be a finite number; got {value}")
    return found
