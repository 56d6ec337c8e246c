"""Lesions at places where training has never shown them."""

from __future__ import annotations

import numpy as np

from asclip.phantom import report
from asclip.phantom.challenges import prompts
from asclip.phantom.challenges.case import (
    Case,
    Challenge,
    Measure,
    came,
    lesion,
    rng_of,
    split_of,
)

LESIONS = {"mass": (0.75, 1.0), "consolidation": (0.35, 0.6)}
"""Grades: the mass is large and dense, so that 64 x 64 pixels tell it from a consolidation."""
LEFT_OUT = (
    ("mass", "left", "lower"),
    ("consolidation", "right", "upper"),
    ("mass", "right", "mid"),
)
Combination = tuple[str, str, str]
ALL: tuple[Combination, ...] = tuple((kind, *place) for kind in LESIONS for place in prompts.PLACES)
SEEN = tuple(c for c in ALL if c not in LEFT_OUT)
SHARE = 0.4
"""How many test studies have a combination that training lacks."""


def label(combination: Combination) -> str:
    """The name of its column."""
    return "{} in the {} {} zone".format(*combination)


def cases(seed: int, studies: int) -> list[Case]:
    """One lesion per study; the left-out combinations are in the test split alone."""
    found = []
    for patient in range(studies):
        rng, split = rng_of(seed, patient, 7), split_of(seed, patient)
        new = split == "test" and rng.random() < SHARE
        options = LEFT_OUT if new else SEEN
        kind, side, zone = chosen = options[rng.integers(len(options))]
        visit = came(seed, patient, [lesion(kind, rng, grade=LESIONS[kind], place=(side, zone))])
        text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        labels = {label(c): int(c == chosen) for c in ALL}
        meta = {"truth:kind": kind, "truth:place": f"{side} {zone}", "truth:new": int(new)}
        found.append(Case(visit, split, text, labels, meta=meta))
    return found


def _measure(
    name: str, of: tuple[Combination, ...], place: str = "", *, primary: bool = False
) -> Measure:
    """Among films with a lesion at `place`, if one is given.

    There who knows the place knows no more; among all films the place alone would give .96, for it
    seldom holds the other kind.
    """
    names = tuple(label(c) for c in of)
    return Measure(
        name,
        "zero-shot",
        "macro auroc",
        "prompts/combinations.json",
        tuple(f"label:{n}" for n in names),
        names,
        {"meta:truth:place": place} if place else {},
        primary=primary,
    )


CHALLENGE = Challenge(
    name="composition",
    question="Does the model put known lesions and known places together in new ways?",
    family="multiscale",
    measures=(
        *(
            _measure(f"{label(new)}, of lesions there", (new,), " ".join(new[1:]), primary=True)
            for new in LEFT_OUT
        ),
        _measure("new combinations, among all", LEFT_OUT),
        _measure("seen combinations, among all", SEEN),
    ),
    prompts={
        "combinations": prompts.prompt_set(
            "combinations",
            {label(c): (prompts.at(*c), ()) for c in ALL},
            about="Whether a lesion of this kind is at this place",
        )
    },
    cases=cases,
    notes=("Left out of training and val: " + "; ".join(label(c) for c in LEFT_OUT) + ".",),
)
