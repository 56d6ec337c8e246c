"""Where a comparison keeps its hospitals and runs, and what each run is given."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from asclip.phantom import challenges
from asclip.recipes.equal import settings
from asclip.recipes.options import parameters

Task = tuple[str, str, int]  # challenge, method, seed


def hospital_of(out: Path, name: str, seed: int) -> Path:
    """Where a challenge is."""
    return out / "hospitals" / f"{name}-{seed}"


def folder_of(out: Path, name: str, method: str, seed: int) -> Path:
    """Where the run of a method on a challenge is."""
    return out / "runs" / name / as_name(method) / str(seed)


def as_name(method: str) -> str:
    """A method as the name of one file or folder, another for every method.

    >>> as_name("lovt:per_study=8,whole=0.0"), as_name("concepts:knowledge=/data/k.json")
    ('lovt-per_study-8,whole-0.0', 'concepts-knowledge--data-k.json-8818a6a1')
    """
    name = re.sub(r"[:=]", "-", method)
    plain = re.sub(r"[^A-Za-z0-9_.,-]", "-", name)
    # Two paths may differ in nothing but what was replaced.
    own = "" if plain == name else f"-{hashlib.sha256(method.encode()).hexdigest()[:8]}"
    return plain[:100] + own if own else plain


def told_of(out: Path, common: dict[str, Any], task: Task) -> tuple[str, dict[str, Any]]:
    """The recipe of a run and what the method and the challenge give it, with the common steps."""
    name, method, seed = task
    recipe, given = settings(method, common, seed)
    known = hospital_of(out, name, seed) / "knowledge.json"
    given |= {"knowledge": str(known)} if known.exists() and "knowledge" not in given else {}
    told = challenges.describe(name)["given"]
    return recipe, {k: v for k, v in told.items() if k in parameters(recipe)} | given


def read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it is not there or damaged, as after a full disk."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
