"""Reports that speak of every finding, mostly to deny it."""

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
from asclip.phantom.patients import Visit
from asclip.phantom.report import sheet
from asclip.phantom.wording import pick

FINDINGS = (
    "mass",
    "consolidation",
    "pleural effusion",
    "pneumothorax",
    "cardiomegaly",
    "pulmonary oedema",
)
YES = ["There is {a}.", "{Name} is present.", "{Name} can be seen.", "The film shows {a}."]
NO = ["There is no {name}.", "{Name} is not present.", "{Name} cannot be seen.",
      "The film shows no {name}."]  # fmt: skip


def cases(seed: int, studies: int) -> list[Case]:
    """Every report affirms or denies each finding, in words that differ by the negation alone."""
    found = []
    for patient in range(studies):
        rng, split = rng_of(seed, patient, 13), split_of(seed, patient)
        names = [name for name in FINDINGS if rng.random() < 0.28]
        visit = came(seed, patient, [lesion(name, rng) for name in names])
        labels = truth(FINDINGS, visit.findings)
        wording = int(rng.integers(2**31))
        flipped = pick(list(FINDINGS), rng)
        twin = labels | {flipped: 1 - labels[flipped]}
        further = {"twin": _text(visit, twin, wording) if split == "test" else ""}
        meta = {"truth:flipped": flipped if split == "test" else ""}
        found.append(Case(visit, split, _text(visit, labels, wording), labels, further, meta))
    return found


def _text(visit: Visit, labels: dict[str, int], wording: int) -> str:
    """A report of these facts; with the same `wording` only the negations differ."""
    rng = np.random.default_rng(wording)
    body = []
    for name in rng.permutation(FINDINGS):
        which = int(rng.integers(len(YES)))
        template = (YES if labels[str(name)] else NO)[which]
        words = {"a": prompts.article(name), "name": name, "Name": name.capitalize()}
        body.append(template.format(**words))
    return sheet(visit, body, ["As described above."])


CHALLENGE = Challenge(
    name="negation",
    question="Does the model hear the word no?",
    family="knowledge",
    measures=(
        Measure(
            "affirmed against denied",
            "negation",
            "macro auroc",
            "prompts/findings.json",
            tuple(f"label:{name}" for name in FINDINGS),
            FINDINGS,
            primary=True,
            rule="score of an image: similarity to the affirming less that to the denying prompts",
        ),
        Measure(
            "report against its twin",
            "negation",
            "right of two",
            columns=("text", "text:twin"),
            of=FINDINGS,
            primary=True,
            rule="the image is nearer to its report than to text:twin, which says the contrary of "
            "one finding, meta:truth:flipped; mean of the twins that add one and that deny one",
        ),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=(
        "text:twin is false of the image and is filled in the test split alone.",
        "The impression repeats nothing, so that the findings must be read.",
    ),
)
