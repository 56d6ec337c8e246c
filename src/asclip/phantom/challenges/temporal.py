"""Two studies of each patient: worse, better or unchanged against the prior."""

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
from asclip.phantom.layout import Pose
from asclip.phantom.report import sheet
from asclip.phantom.wording import comparison, compose, pick

FINDINGS = ("pleural effusion", "pulmonary oedema", "pneumothorax")
CHANGES = {"worse": "larger", "unchanged": "unchanged", "better": "smaller"}
MOVE = (0.35, 0.5)


def cases(seed: int, studies: int) -> list[Case]:
    """A prior and a later study of each patient; only the later report speaks of change."""
    found: list[Case] = []
    patient = 0
    while len(found) < studies:
        found += _patient(seed, patient)
        patient += 1
    return found[:studies]


def _patient(seed: int, patient: int) -> list[Case]:
    rng, split = rng_of(seed, patient, 11), split_of(seed, patient)
    names = [n for n in FINDINGS if rng.random() < 0.55] or [pick(list(FINDINGS), rng)]
    changes = {n: list(CHANGES)[rng.integers(len(CHANGES))] for n in names}
    early, late = zip(*(_grown(n, changes[n], rng) for n in names), strict=True)
    first = came(seed, patient, early, pose=_pose(rng))
    second = replace(
        first,
        study=f"{first.patient}-2",
        findings=late,
        prior=first.study,
        day=first.day + timedelta(int(rng.integers(2, 90))),
        pose=_pose(rng),
        seed=(seed, patient, 2),
    )
    plain = sheet(
        first, [compose(f, "present", rng) for f in early], [f"{n.capitalize()}." for n in names]
    )
    compared = [comparison(f, rng) for f in late]
    short = [f"{n.capitalize()}, {changes[n]}." for n in names]
    labels = truth(FINDINGS, early)
    told = [dict.fromkeys(FINDINGS, ""), {n: changes.get(n, "") for n in FINDINGS}]
    return [
        Case(visit, split, text, labels, {}, {f"change:{n}": v for n, v in change.items()})
        for visit, text, change in zip(
            (first, second), (plain, sheet(second, compared, short)), told, strict=True
        )
    ]


def _grown(name: str, change: str, rng: np.random.Generator) -> tuple[Finding, Finding]:
    """The finding at both times; either grade alone says little of the change."""
    move = float(rng.uniform(*MOVE)) * {"worse": 1, "unchanged": 0, "better": -1}[change]
    grade = float(rng.uniform(max(0.1, 0.1 - move), min(1.0, 1.0 - move)))
    finding = lesion(name, rng, grade=(grade, grade))
    return finding, finding.graded(grade + move, CHANGES[change])


def _pose(rng: np.random.Generator) -> Pose:
    """Nearly the same stand and breath at both times."""
    return Pose(float(rng.normal(0, 2.0)), float(rng.normal(0, 1.0)))


def _prompts(name: str) -> dict[str, list[str]]:
    return {
        "worse": [f"The {name} has increased.", f"{name.capitalize()}, worse."],
        "unchanged": [f"The {name} is unchanged.", f"{name.capitalize()}, unchanged."],
        "better": [f"The {name} has decreased.", f"{name.capitalize()}, better."],
    }


def _measure(name: str) -> Measure:
    return Measure(
        f"change of the {name}",
        "change-probe",
        "balanced accuracy",
        f"prompts/change-{name.replace(' ', '-')}.json",
        (f"meta:change:{name}",),
        tuple(CHANGES),
        primary=True,
        rule="later studies whose column is filled, from the image and that of meta:prior",
    )


def _by_words(name: str) -> Measure:
    """The same question without a probe: which sentence is nearest to the pair of films."""
    return replace(
        _measure(name), name=f"{name}, by words", kind="zero-shot", primary=False,
        rule="later studies whose column is filled, beside the study before if the model does that",
    )  # fmt: skip


CHALLENGE = Challenge(
    name="temporal",
    question="Does the model see whether a finding grew or shrank since the prior film?",
    family="frontier",
    measures=(
        *(_measure(name) for name in FINDINGS),
        *(_by_words(name) for name in FINDINGS),
        Measure(
            "findings",
            "zero-shot",
            "macro auroc",
            "prompts/findings.json",
            tuple(f"label:{name}" for name in FINDINGS),
            FINDINGS,
        ),
    ),
    prompts={
        "findings": prompts.findings(FINDINGS),
        **{
            f"change-{name.replace(' ', '-')}": prompts.prompt_set(
                f"change-{name.replace(' ', '-')}",
                {change: (words, ()) for change, words in _prompts(name).items()},
                about=f"Change of a {name} since the prior study",
                column=f"change:{name}",
                beside="prior",
            )
            for name in FINDINGS
        },
    },
    cases=cases,
    notes=(
        "The score is the mean of the primary measures.",
        "The probe sees the vectors of both films of any model, so that who shows how much of a "
        "finding there is shows its change; by words only a model that compares films sees both.",
        "An oracle that sees the grade in one of the films, whichever, is right in 0.60.",
    ),
)
