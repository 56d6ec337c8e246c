"""Reports that tell only a part; what is left out shows in other studies of the same group."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

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
from asclip.phantom.findings import Finding
from asclip.phantom.patients import Visit
from asclip.phantom.report import sheet
from asclip.phantom.wording import compose, fill, phrases, pick

GROUPS = (
    ("cardiomegaly", "pulmonary oedema", "pleural effusion"),
    ("consolidation", "pleural effusion", "elevated diaphragm"),
    ("mass", "elevated diaphragm", "pneumothorax"),
    ("pneumothorax", "consolidation", "cardiomegaly"),
)
"""Findings that come together; each is in more than one group or is seen with one that is."""
FINDINGS = tuple(dict.fromkeys(name for group in GROUPS for name in group))
OWN, OTHER = 0.8, 0.06


def cases(seed: int, studies: int) -> list[Case]:
    """Patients of two or three studies, all of one group; a report tells one or two findings."""
    found: list[Case] = []
    patient = 0
    while len(found) < studies:
        found += _patient(seed, patient)
        patient += 1
    return found[:studies]


def _patient(seed: int, patient: int) -> list[Case]:
    rng, split = rng_of(seed, patient, 8), split_of(seed, patient)
    group = int(rng.integers(len(GROUPS)))
    known = {name: lesion(name, rng) for name in FINDINGS}
    first = came(seed, patient)
    found: list[Case] = []
    for number in range(1, 3 + int(rng.integers(2))):
        chance = {name: OWN if name in GROUPS[group] else OTHER for name in FINDINGS}
        shown = [known[name] for name in FINDINGS if rng.random() < chance[name]]
        visit = replace(
            first,
            study=f"{first.patient}-{number}",
            findings=tuple(shown),
            prior=found[-1].visit.study if found else "",
            day=first.day + timedelta(60 * (number - 1)),
            seed=(seed, patient, number),
        )
        count = min(len(shown), 1 + int(rng.integers(2)))
        told = [shown[k] for k in rng.permutation(len(shown))[:count]]
        meta = {"truth:group": group, "truth:mentioned": ";".join(f.name for f in told)}
        labels = truth(FINDINGS, shown)
        found.append(Case(visit, split, _text(visit, told, rng), labels, meta=meta))
    return found


def _text(visit: Visit, told: list[Finding], rng: np.random.Generator) -> str:
    """A report of the findings in `told` alone; it denies nothing."""
    if not told:
        return sheet(visit, ["No acute findings."], ["Normal chest radiograph."])
    body = [compose(f, "present", rng) for f in told]
    short = [fill(pick(phrases()[f.name]["impression"], rng), f, rng) for f in told]
    return sheet(visit, body, short)


COLUMNS = tuple(f"label:{name}" for name in FINDINGS)
CHALLENGE = Challenge(
    name="hyperedges",
    question="Does the model learn all findings from reports that each tell only some of them?",
    family="frontier",
    measures=(
        Measure(
            "findings",
            "zero-shot",
            "macro auroc",
            "prompts/findings.json",
            COLUMNS,
            FINDINGS,
            primary=True,
        ),
        Measure(
            "images alike",
            "precision",
            "precision@10",
            columns=COLUMNS,
            of=FINDINGS,
            rule="image to images of other patients; right if the findings of both are at least "
            "half of the findings of either; images without findings ask nothing",
        ),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=("A report tells one or two of the study's findings and denies none.",),
)
