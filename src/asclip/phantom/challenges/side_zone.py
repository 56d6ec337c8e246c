"""One lesion per study: reports differ in its kind, side and zone alone."""

from __future__ import annotations

import numpy as np

from asclip.phantom import report
from asclip.phantom.challenges import prompts
from asclip.phantom.challenges.bounds import MARGIN
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

LESIONS = {"mass": (0.75, 1.0), "consolidation": (0.35, 0.6)}
"""Grades: what tells a mass from a consolidation at 64 x 64 pixels, see `composition`."""
CLASSES = tuple((kind, *place) for kind in LESIONS for place in prompts.PLACES)


def cases(seed: int, studies: int) -> list[Case]:
    """One lesion per study; kinds, sides and zones are all alike likely."""
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 1)
        kind, side, zone = CLASSES[rng.integers(len(CLASSES))]
        grown = lesion(kind, rng, grade=LESIONS[kind], place=(side, zone))
        visit = came(seed, patient, [grown])
        text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        labels = truth(tuple(LESIONS), visit.findings)
        meta = {"truth:lesion": f"{kind} {side} {zone}"}
        found.append(Case(visit, split_of(seed, patient), text, labels, meta=meta, boxed=True))
    return found


CHALLENGE = Challenge(
    name="side_zone",
    question="Does the model know what lesion is where, when that is all that differs?",
    family="multiscale",
    measures=(
        Measure(
            "lesion and place",
            "zero-shot",
            "balanced accuracy",
            "prompts/lesions.json",
            ("meta:truth:lesion",),
            tuple(" ".join(one) for one in CLASSES),
            primary=True,
        ),
        Measure(
            "pointing at the lesion",
            "pointing",
            "hits above others",
            "prompts/findings.json",
            tuple(f"meta:truth:box {kind}" for kind in LESIONS),
            tuple(LESIONS),
            primary=True,
            rule="the region that answers the affirming prompts best has its centre in the "
            f"lesion's box, widened by {MARGIN:.1%} of the film's side; less the share of other "
            "films' boxes that it would lie in, so that one point for all films has 0",
        ),
    ),
    prompts={
        "findings": prompts.findings(tuple(LESIONS)),
        "lesions": prompts.prompt_set(
            "lesions",
            {" ".join(one): (prompts.at(*one), ()) for one in CLASSES},
            about="Kind, side and zone of a lesion",
            column="truth:lesion",
        ),
    },
    cases=cases,
    notes=(
        "The score is the mean of the primary measures.",
        "A mirrored film shows the other side: augment without mirroring.",
    ),
)
