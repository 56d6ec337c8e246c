"""Few pairs; other studies have labels but no report, and sentences of studies without images."""

from __future__ import annotations

import numpy as np

from asclip.files.report import sentences
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
from asclip.phantom.patients import Visit

FINDINGS = ("mass", "consolidation", "pleural effusion", "pneumothorax", "cardiomegaly")
PAIRED = 0.1
IMAGELESS = 500_000
"""Patients from this number on have a report but no image."""


def cases(seed: int, studies: int) -> list[Case]:
    """One training study in ten is a pair; val and test studies all are."""
    found = []
    for patient in range(studies):
        split, visit = split_of(seed, patient), _visit(seed, patient)
        paired = split != "train" or rng_of(seed, patient, 4).random() < PAIRED
        labels = truth(FINDINGS, visit.findings)
        text, other = (_text(visit), "") if paired else ("", _other(seed, patient))
        meta = {"paired": int(paired)}
        found.append(Case(visit, split, text, labels, {"unpaired": other}, meta))
    return found


def _visit(seed: int, patient: int) -> Visit:
    rng = rng_of(seed, patient, 3)
    names = [name for name in FINDINGS if rng.random() < 0.3]
    return came(seed, patient, [lesion(name, rng) for name in names])


def _text(visit: Visit) -> str:
    return report.write(visit, np.random.default_rng([*visit.seed, 1])).text


def _other(seed: int, patient: int) -> str:
    """Sentences, in any order, of the report of a study that has no image."""
    text = _text(_visit(seed, IMAGELESS + patient))
    told = sentences(text.split("FINDINGS: ")[1].replace("\nIMPRESSION: ", " "))
    order = rng_of(seed, patient, 5).permutation(len(told))
    return " ".join(told[k] for k in order)


CHALLENGE = Challenge(
    name="unpaired",
    question="Does the model learn from images with labels and from texts that belong to neither?",
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
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=(
        "text:unpaired is never a report of the row's image: a method that pairs further texts "
        "with the image must not map this column.",
        "One training study in ten has a report; val and test studies all have one.",
    ),
)
