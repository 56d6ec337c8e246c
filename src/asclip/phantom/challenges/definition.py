"""Two findings that no report names: they are only described."""

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
from asclip.phantom.patients import Visit
from asclip.phantom.report import sheet
from asclip.phantom.wording import compose, fill, phrases, pick

NAMED = ("mass", "consolidation", "cardiomegaly", "pulmonary oedema")
DESCRIBED: dict[str, dict[str, list[str]]] = {
    "pneumothorax": {
        "present": [
            "A dark rim without vessels separates the {side} lung from the chest wall.",
            "The {side} lung has come away from the chest wall and air surrounds it.",
            "Thin white line {where}, with darkness and no vessels between it and the ribs.",
            "Air outside the {side} lung, whose edge is seen.",
        ],
        "absent": [
            "The vessels of both lungs run out to the chest wall.",
            "No dark rim between lung and ribs.",
            "No air outside the lungs.",
        ],
        "impression": ["Air outside the {side} lung.", "{side} lung away from the chest wall."],
    },
    "pleural effusion": {
        "present": [
            "Even white at the base of the {side} lung, rising along the chest wall.",
            "Fluid has gathered around the base of the {side} lung.",
            "The corner between diaphragm and ribs {where} is filled with a white curve.",
            "Fluid lies between lung and diaphragm {where}.",
        ],
        "absent": [
            "The corners between diaphragm and ribs are sharp and dark.",
            "No fluid around the lungs.",
            "Nothing fills the corners beside the diaphragm.",
        ],
        "impression": ["Fluid around the {side} lung.", "White base {where} by fluid."],
    },
}
"""Sentences in place of the names."""
SECRET = tuple(DESCRIBED)
FINDINGS = NAMED + SECRET
KNOWLEDGE = {
    "pneumothorax": "Air between the lung and the chest wall: a dark rim without vessels.",
    "pleural effusion": "Fluid around the lung: a white base that rises along the chest wall.",
    "mass": "A round solid growth in the lung of more than three centimetres.",
    "consolidation": "Lung whose air is replaced by fluid or cells: a white area with vague edges.",
    "cardiomegaly": "A heart wider than half of the chest.",
    "pulmonary oedema": "Fluid in the lung from a failing heart: haze around both hila.",
}


def cases(seed: int, studies: int) -> list[Case]:
    """Up to three findings per study; no text holds the name of a described one."""
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 6)
        names = [name for name in FINDINGS if rng.random() < 0.27]
        visit = came(seed, patient, [lesion(name, rng) for name in names])
        labels = truth(FINDINGS, visit.findings)
        found.append(Case(visit, split_of(seed, patient), _text(visit, rng), labels))
    return found


def _text(visit: Visit, rng: np.random.Generator) -> str:
    body, told = [], []
    present: dict[str, Finding] = {f.name: f for f in visit.findings}
    for name in rng.permutation(FINDINGS):
        words = DESCRIBED.get(name) or phrases()[name]
        if name not in present:
            body += [pick(words["absent"], rng)] * int(rng.random() < 0.5)
        elif name in DESCRIBED:
            body.append(fill(pick(words["present"], rng), present[name], rng))
        else:
            body.append(compose(present[name], "present", rng))
        if name in present:
            told.append(fill(pick(words["impression"], rng), present[name], rng))
    return sheet(visit, body or ["Both lungs are clear."], told or ["Normal chest radiograph."])


def _described(name: str) -> tuple[list[str], list[str]]:
    plain = {
        "pneumothorax": ["A dark rim without vessels along the chest wall.", "Air outside a lung."],
        "pleural effusion": ["Even white at the base of a lung.", "Fluid around a lung."],
    }
    return plain[name], DESCRIBED[name]["absent"]


def _measure(name: str, prompts_file: str, of: tuple[str, ...], *, primary: bool) -> Measure:
    columns = tuple(f"label:{label}" for label in of)
    file = f"prompts/{prompts_file}.json"
    return Measure(name, "zero-shot", "macro auroc", file, columns, of, primary=primary)


CHALLENGE = Challenge(
    name="definition",
    question="Does the model find by name what it has only seen described?",
    family="knowledge",
    measures=(
        _measure("described findings by name", "names", SECRET, primary=True),
        _measure("described findings by definition", "definitions", SECRET, primary=False),
        _measure("named findings", "named", NAMED, primary=False),
    ),
    prompts={
        "names": prompts.findings(SECRET, "names", affirmed_only=True),
        "definitions": prompts.prompt_set(
            "definitions",
            {name: _described(name) for name in SECRET},
            about="Whether each finding is present, by what it looks like",
        ),
        "named": prompts.findings(NAMED, "named"),
    },
    cases=cases,
    notes=(
        "By name, a model without knowledge is at chance: a share of runs lies clearly above or "
        "below it, since the untrained words still point somewhere.",
        'By name they are asked in the affirmative only: what becomes of a name beside "no" is '
        "the question of the challenge negation.",
        "knowledge.json has a definition of each finding, in words that reports share.",
    ),
    extras={"knowledge": KNOWLEDGE},
)
