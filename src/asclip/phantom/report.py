"""A radiologist's report of a study, by a grammar whose every sentence knows what it states.

    INDICATION: ...  COMPARISON: ...  FINDINGS: one sentence per statement ...  IMPRESSION: ...

Wording is in `phrases.json`: per finding, sentences that affirm, doubt or deny it, and short ones
for the impression. Absent findings are denied in part, mild ones are sometimes doubted or passed
over, and a prior study is compared with. The labels do not depend on what is mentioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asclip.phantom.findings import NAMES, Finding
from asclip.phantom.patients import Visit
from asclip.phantom.wording import comparison, compose, fill, phrases, pick, region

REGIONS = ("devices", "heart", "lungs", "pleura", "diaphragm", "bones")
DENIED = {
    "pleural effusion": 0.62,
    "pneumothorax": 0.58,
    "consolidation": 0.55,
    "cardiomegaly": 0.55,
    "pulmonary oedema": 0.35,
    "nodule": 0.25,
    "mass": 0.18,
    "rib fracture": 0.25,
    "atelectasis": 0.18,
    "elevated diaphragm": 0.2,
    "fibrosis": 0.15,
    "hiatal hernia": 0.1,
    "pacemaker": 0.05,
    "central line": 0.08,
    "endotracheal tube": 0.08,
}
"""How often each finding is denied where it is absent."""
LUNG = ("nodule", "mass", "consolidation", "atelectasis", "pulmonary oedema", "fibrosis")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one sentence says of one finding; `assertion` is "present", "possible" or "absent"."""

    sentence: str
    section: str
    finding: str
    assertion: str
    laterality: str = ""
    zone: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The text and its statements in order; `mentioned` names every finding that is stated."""

    text: str
    statements: tuple[Statement, ...]

    @property
    def mentioned(self) -> tuple[str, ...]:
        """Findings with at least one statement, in the catalogue's order."""
        stated = {s.finding for s in self.statements}
        return tuple(name for name in NAMES if name in stated)


def write(visit: Visit, rng: np.random.Generator) -> Report:
    """The report of `visit`; all choices of words are drawn from `rng`."""
    body: dict[str, list[Statement]] = {region: [] for region in REGIONS}
    spoken: list[tuple[Finding, str]] = []
    for finding in visit.findings:
        mild = finding.grade < 1 / 3 and not finding.kind.device
        if mild and rng.random() < 0.08:
            continue  # overlooked
        doubt = mild and bool(phrases()[finding.name]["possible"]) and rng.random() < 0.3
        assertion = "possible" if doubt else "present"
        spoken.append((finding, assertion))
        sentence = compose(finding, assertion, rng)
        body[region(finding.name)].append(_state(finding, sentence, "findings", assertion))
        compared = comparison(finding, rng)
        if compared and not doubt and rng.random() < 0.8:
            body[region(finding.name)].append(_state(finding, compared, "findings", "present"))
    for statement in _negations(visit, rng):
        body[region(statement.finding)].append(statement)
    order = list(REGIONS)
    if rng.random() < 0.5:
        start = int(rng.integers(1, len(order)))
        order = order[start:] + order[:start]
    stated = [s for region in order for s in body[region]]
    if not stated:
        stated = [_deny("pleural effusion", rng)]
    impression = _impression(visit, spoken, rng)
    parts = ([s.sentence for s in stated], [s.sentence for s in impression])
    return Report(sheet(visit, *parts), tuple(stated + impression))


def sheet(visit: Visit, findings: Sequence[str], impression: Sequence[str]) -> str:
    """The text of a report of `visit` from its sentences, each once though given twice."""
    return "\n".join(
        [
            f"INDICATION: {visit.indication}.",
            f"COMPARISON: {'Previous chest radiograph.' if visit.prior else 'None.'}",
            f"FINDINGS: {' '.join(dict.fromkeys(findings))}",
            f"IMPRESSION: {' '.join(dict.fromkeys(impression))}",
        ]
    )


def _state(finding: Finding, sentence: str, section: str, assertion: str) -> Statement:
    severity = "" if finding.kind.device else finding.severity
    name, side, zone = finding.name, finding.side, finding.zone
    return Statement(sentence, section, name, assertion, side, zone, severity)


def _deny(name: str, rng: np.random.Generator, section: str = "findings") -> Statement:
    return Statement(pick(phrases()[name]["absent"], rng), section, name, "absent")


def _negations(visit: Visit, rng: np.random.Generator) -> list[Statement]:
    """What the report denies: resolved findings, and some of those that are absent."""
    present = {f.name for f in visit.findings}
    absent = [name for name in NAMES if name not in present]
    found = []
    for name in visit.resolved:
        if name not in present and rng.random() < 0.85:
            noun = "cardiomegaly" if name == "cardiomegaly" else phrases()[name]["noun"]
            word = "been removed" if name in NAMES[-3:] else "resolved"
            sentence = f"The previously seen {noun} has {word}."
            found.append(Statement(sentence, "findings", name, "absent"))
    said = {s.finding for s in found}
    if not present.intersection(LUNG) and rng.random() < 0.5:
        sentence = pick(
            ["The lungs are clear.", "Clear lungs.", "Both lungs are clear.", "Lungs are clear."],
            rng,
        )
        found += [Statement(sentence, "findings", n, "absent") for n in LUNG if n not in said]
        said.update(LUNG)
    both = ("pleural effusion", "pneumothorax")
    if not present.intersection(both) and not said.intersection(both) and rng.random() < 0.4:
        sentence = pick(
            [
                "No pleural effusion or pneumothorax.",
                "There is no effusion and no pneumothorax.",
                "Neither pleural effusion nor pneumothorax is seen.",
            ],
            rng,
        )
        found += [Statement(sentence, "findings", name, "absent") for name in both]
        said.update(both)
    for name in absent:
        if name not in said and rng.random() < DENIED[name]:
            found.append(_deny(name, rng))
    return found


def _impression(
    visit: Visit, spoken: list[tuple[Finding, str]], rng: np.random.Generator
) -> list[Statement]:
    """The conclusion: the findings in short, or that there are none."""
    if not spoken:
        options = [
            "No acute cardiopulmonary abnormality.",
            "Normal chest radiograph.",
            "No acute findings.",
            "Unremarkable chest radiograph.",
            "No evidence of acute chest disease.",
            "Normal examination of the chest.",
        ]
        sentence = pick(options, rng)
        names = ("consolidation", "pleural effusion", "pneumothorax", "pulmonary oedema")
        absent = [n for n in names if all(f.name != n for f in visit.findings)]
        return [Statement(sentence, "impression", name, "absent") for name in absent]
    found = []
    for finding, assertion in spoken:
        if finding.kind.device and len(spoken) > 1 and rng.random() < 0.5:
            continue
        key = "possible" if assertion == "possible" else "impression"
        sentence = fill(pick(phrases()[finding.name][key], rng), finding, rng)
        found.append(_state(finding, sentence, "impression", assertion))
    if not found:
        finding, assertion = spoken[0]
        found = [_state(finding, compose(finding, assertion, rng), "impression", assertion)]
    return found
