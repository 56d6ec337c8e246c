"""Many normal studies whose reports say nearly the same, and few abnormal ones."""

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
from asclip.phantom.wording import pick

FINDINGS = ("mass", "consolidation", "pleural effusion", "cardiomegaly")
NORMAL = {"train": 0.8, "val": 0.8, "test": 0.5}
HEART = ["Heart size is normal.", "The heart is normal in size.", "Normal heart size."]
LUNGS = ["The lungs are clear.", "Both lungs are clear.", "Lungs are clear."]
PLEURA = ["No pleural effusion or pneumothorax.", "Neither pleural effusion nor pneumothorax."]
ALL = ["No acute cardiopulmonary abnormality.", "Normal chest radiograph.", "No acute findings."]


def cases(seed: int, studies: int) -> list[Case]:
    """Four of five studies are normal, one of two in the test split."""
    found = []
    for patient in range(studies):
        rng, split = rng_of(seed, patient, 2), split_of(seed, patient)
        visit = came(seed, patient)
        if rng.random() < NORMAL[split]:
            body = [pick(options, rng) for options in (HEART, LUNGS, PLEURA)]
            text = report.sheet(visit, body, [pick(ALL, rng)])
        else:
            num = 1 + int(rng.random() < 0.4)
            names = [FINDINGS[k] for k in sorted(rng.permutation(len(FINDINGS))[:num])]
            visit = came(seed, patient, [lesion(name, rng) for name in names])
            text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        labels = truth(FINDINGS, visit.findings)
        meta = {"truth:normal": int(not visit.findings)}
        found.append(Case(visit, split, text, labels, meta=meta))
    return found


CHALLENGE = Challenge(
    name="normals",
    question="Does the model learn from few abnormal studies among many normal reports alike?",
    family="data-efficient",
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
            "abnormal reports",
            "retrieval",
            "recall@5",
            columns=("text",),
            where={"meta:truth:normal": "0"},
            rule="image to its own report, among the abnormal studies of the test split",
        ),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=("Four of five training studies are normal, half of the test studies.",),
)
