"""Single lesions that differ in side and zone alone; every report says where."""

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
    truth,
)

LESIONS = {"mass": (0.35, 0.6), "consolidation": (0.35, 0.7)}
"""Grades: small, but still seen on a film of 64 x 64 pixels, as a nodule is not."""


def cases(seed: int, studies: int) -> list[Case]:
    """One lesion per study; kinds, sides and zones are all alike likely."""
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 1)
        kind = list(LESIONS)[rng.integers(len(LESIONS))]
        place = prompts.PLACES[rng.integers(len(prompts.PLACES))]
        visit = came(seed, patient, [lesion(kind, rng, grade=LESIONS[kind], place=place)])
        text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        meta = {"side": place[0], "zone": place[1], "place": " ".join(place)}
        labels = truth(tuple(LESIONS), visit.findings)
        found.append(Case(visit, split_of(seed, patient), text, labels, meta=meta))
    return found


def _measures() -> list[Measure]:
    places = tuple(" ".join(place) for place in prompts.PLACES)
    found = [
        Measure(
            f"place of the {kind}",
            "zero-shot",
            "balanced accuracy",
            f"prompts/{kind}-place.json",
            ("meta:place",),
            places,
            {f"label:{kind}": "1"},
            primary=True,
        )
        for kind in LESIONS
    ]
    columns = tuple(f"label:{kind}" for kind in LESIONS)
    kinds = Measure(
        "kind", "zero-shot", "macro auroc", "prompts/findings.json", columns, tuple(LESIONS)
    )
    return [*found, kinds]


CHALLENGE = Challenge(
    name="side_zone",
    question="Does the model know where a lesion is, when that is all that differs?",
    family="multiscale",
    measures=tuple(_measures()),
    prompts={
        "findings": prompts.findings(tuple(LESIONS)),
        **{f"{kind}-place": prompts.places(kind) for kind in LESIONS},
    },
    cases=cases,
    notes=(
        "The score is the mean of the primary measures.",
        "A mirrored film shows the other side: augment without mirroring.",
    ),
)
