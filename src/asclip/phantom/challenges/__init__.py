"""Challenges: hospitals in which the truth is known and one way of pre-training has a lead.

`write(name, out)` puts a challenge on disk as an ordinary hospital folder:

OUT/reports.csv       image, text, patient, study, view, split, text:*, label:*, meta:*
OUT/prompts/*.json    prompt sets in the packaged form
OUT/challenge.json    question, family, measures, ceiling and chance of each, notes; `counting` is
                      what the number of findings of a film reaches, without knowing which
OUT/dicom/<patient>/<study>/<view>.dcm (or CT.png)

A split column sends patients to train, val and test (6 : 1 : 3). Patient p of seed s is the same in
a challenge of any size. A challenge is one file here: its cases and its measures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from asclip.errors import DataError, nearest
from asclip.phantom.challenges import (
    composition,
    definition,
    hyperedges,
    metadata,
    modalities,
    negation,
    normals,
    shortcut,
    side_zone,
    subgroup,
    temporal,
    unpaired,
    writing,
)
from asclip.phantom.challenges.case import Challenge

CHALLENGES: dict[str, Challenge] = {
    module.CHALLENGE.name: module.CHALLENGE
    for module in (
        side_zone,
        normals,
        unpaired,
        definition,
        composition,
        hyperedges,
        metadata,
        shortcut,
        temporal,
        modalities,
        negation,
        subgroup,
    )
}
NAMES: tuple[str, ...] = tuple(CHALLENGES)


def write(
    name: str,
    out: str | Path,
    studies: int = 800,
    seed: int = 0,
    size: int = 64,
    progress: Callable[[int], object] | None = None,
    workers: int | None = None,
) -> Path:
    """Write the challenge `name` into the folder `out`; the path of its reports.csv.

    Images have `size` x `size` pixels. `progress` is called with the number of studies just done.
    `workers` processes work (default: one per processor, 0: this one alone). Run again with the
    same arguments it does nothing, after an interruption it goes on.

    Raises:
        DataError: no such challenge, an argument out of range, or `out` holds something else.
        ResourceError: no space or no permission.
    """
    found = _find(name)
    tell = progress or (lambda count: None)
    return writing.write(found, Path(out), studies, seed, size, tell, workers)


def describe(name: str) -> dict[str, Any]:
    """Question, family, measures and notes of a challenge, without writing it.

    >>> describe("negation")["question"]
    'Does the model hear the word no?'
    """
    return writing.describe(_find(name))


def _find(name: str) -> Challenge:
    if name not in CHALLENGES:
        raise DataError(f"there is no challenge {name!r}; {nearest(name, list(NAMES))}")
    return CHALLENGES[name]


__all__ = ["CHALLENGES", "NAMES", "describe", "write"]
