"""Laboratory values and age that carry what reports leave out."""

from __future__ import annotations

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
from asclip.phantom.report import sheet
from asclip.phantom.wording import compose, fill, phrases, pick

FINDINGS = ("pulmonary oedema", "pleural effusion", "consolidation", "cardiomegaly", "mass")
TOLD = 0.5
MISSING = 0.3
SEVERE = "severe pulmonary oedema"


def cases(seed: int, studies: int) -> list[Case]:
    """Each finding is told in half of its reports; three values of ten are missing."""
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 9)
        age = came(seed, patient).person.age
        chance = {"cardiomegaly": 1 / (1 + np.exp(-(age - 60) / 6)), "pulmonary oedema": 0.4}
        names = [name for name in FINDINGS if rng.random() < chance.get(name, 0.3)]
        visit = came(seed, patient, [lesion(name, rng, grade=(0.15, 1.0)) for name in names])
        told = [f for f in visit.findings if rng.random() < TOLD]
        body = [compose(f, "present", rng) for f in told] or ["Follow-up as agreed."]
        short = [fill(pick(phrases()[f.name]["impression"], rng), f, rng) for f in told]
        text = sheet(visit, body, short or ["Clinical correlation is advised."])
        labels = truth(FINDINGS, visit.findings)
        labels[SEVERE] = int(any(f.name == FINDINGS[0] and f.grade > 0.6 for f in visit.findings))
        values = {"age": age, **laboratory(visit.findings, rng)}
        meta = {name: "" if rng.random() < MISSING else v for name, v in values.items()}
        meta["truth:mentioned"] = ";".join(f.name for f in told)
        found.append(Case(visit, split_of(seed, patient), text, labels, meta=meta))
    return found


def laboratory(findings: tuple[Finding, ...], rng: np.random.Generator) -> dict[str, int]:
    """BNP (pg/ml) rises with oedema and, less, with effusion; CRP (mg/l) with consolidation."""
    grade = {f.name: 0.3 + f.grade for f in findings}
    strain = max(grade.get("pulmonary oedema", 0.0), 0.6 * grade.get("pleural effusion", 0.0))
    bnp = np.exp(3.6 + 2.8 * strain + rng.normal(0, 0.35))
    crp = np.exp(1.2 + 2.8 * grade.get("consolidation", 0.0) + rng.normal(0, 0.4))
    return {"bnp": round(float(bnp)), "crp": round(float(crp))}


CHALLENGE = Challenge(
    name="metadata",
    question="Does the model learn from values in the record what the report leaves out?",
    family="frontier",
    measures=(
        Measure(
            "findings",
            "zero-shot",
            "macro auroc",
            "prompts/findings.json",
            tuple(f"label:{name}" for name in FINDINGS),
            FINDINGS,
            primary=True,
        ),
        Measure(
            "severity of the oedema",
            "zero-shot",
            "macro auroc",
            "prompts/severity.json",
            (f"label:{SEVERE}",),
            (SEVERE,),
            {f"label:{FINDINGS[0]}": "1"},
        ),
    ),
    prompts={
        "findings": prompts.findings(FINDINGS),
        "severity": prompts.prompt_set(
            "severity",
            {
                SEVERE: (
                    ["Severe pulmonary oedema.", "There is severe pulmonary oedema."],
                    ["Mild pulmonary oedema.", "There is mild pulmonary oedema."],
                )
            },
            about="How severe a pulmonary oedema is",
        ),
    },
    cases=cases,
    notes=(
        "meta:bnp rises with oedema and effusion, meta:crp with consolidation, and the chance of "
        "cardiomegaly with meta:age; three values of ten are missing, each on its own.",
        "A finding is told in half of its reports, and none is denied.",
    ),
)
