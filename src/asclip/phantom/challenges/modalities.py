"""A film and a coronal CT view of the same body; some studies lack one of them."""

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

FINDINGS = ("mass", "consolidation", "pleural effusion", "pneumothorax", "cardiomegaly")
MISSING = 0.3
BOTH = ("PA", "CT")


def cases(seed: int, studies: int) -> list[Case]:
    """Seven studies of ten have both images, the others a film or a CT view."""
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 12)
        names = [name for name in FINDINGS if rng.random() < 0.3]
        visit = came(seed, patient, [lesion(name, rng) for name in names])
        views = (BOTH[rng.integers(2)],) if rng.random() < MISSING else BOTH
        text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        labels = truth(FINDINGS, visit.findings)
        meta = {"film": int("PA" in views), "ct": int("CT" in views)}
        found.append(Case(visit, split_of(seed, patient), text, labels, {}, meta, views))
    return found


def _zero_shot(view: str, flag: str) -> Measure:
    return Measure(
        f"findings from the {view}",
        "zero-shot",
        "macro auroc",
        "prompts/findings.json",
        tuple(f"label:{name}" for name in FINDINGS),
        FINDINGS,
        {f"meta:{flag}": "1"},
        primary=True,
        rule=f"the image of view {'PA' if flag == 'film' else 'CT'}",
    )


CHALLENGE = Challenge(
    name="modalities",
    question="Does the model bind the film and the CT of one body, though some lack one?",
    family="frontier",
    measures=(
        Measure(
            "CT of the film",
            "cross-modal",
            "recall@5",
            columns=("view",),
            of=("PA", "CT"),
            where={"meta:film": "1", "meta:ct": "1"},
            primary=True,
            rule="PA image to CT image of the same study, among test studies that have both",
        ),
        Measure(
            "film of the CT",
            "cross-modal",
            "recall@5",
            columns=("view",),
            of=("CT", "PA"),
            where={"meta:film": "1", "meta:ct": "1"},
            rule="CT image to PA image of the same study, among test studies that have both",
        ),
        _zero_shot("film", "film"),
        _zero_shot("CT", "ct"),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=(
        "Three studies of ten lack the film or the CT view. CT.png is the mean of a coronal slab "
        "in the window -1000 to 300 HU.",
    ),
)
