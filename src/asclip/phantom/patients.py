"""Who comes to the hospital and what they have: patients, their findings over time, sites, devices.

Patient p of seed s is drawn from `numpy.random.default_rng([s, p])` alone, so that a hospital of
more studies holds the same first ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from asclip.phantom.findings import KINDS, NAMES, ZONES, Finding, draw
from asclip.phantom.layout import Person, Pose
from asclip.phantom.xray import Device

SITES: dict[str, tuple[Device, ...]] = {
    "Northgate": (
        Device("NG-1", photons=5e5, edge=0.55),
        Device("NG-2", photons=2.5e5, edge=0.35, blur=1.2, gamma=1.15),
    ),
    "Harbour": (Device("HB-1", bits=14, inverted=True, photons=4e5, edge=0.7, gamma=0.92),),
    "Lakeside": (Device("LS-1", photons=1.5e5, scatter=0.1, edge=0.45, field=384.0),),
}
"""The hospital's sites and their X-ray units; Harbour's stores MONOCHROME1 with 14 bits."""

SYNDROMES: dict[str, tuple[float, dict[str, float], tuple[str, ...]]] = {
    "none": (0.42, {}, ("Routine examination", "Pre-operative examination", "Chest discomfort")),
    "heart failure": (
        0.12,
        {"cardiomegaly": 0.9, "pulmonary oedema": 0.8, "pleural effusion": 0.55, "pacemaker": 0.4},
        ("Shortness of breath", "Swollen legs and dyspnoea", "Known heart disease"),
    ),
    "infection": (
        0.12,
        {"consolidation": 1.0, "pleural effusion": 0.3, "atelectasis": 0.15},
        ("Cough and fever", "Raised inflammatory markers", "Productive cough"),
    ),
    "tumour": (
        0.14,
        {
            "mass": 0.65,
            "nodule": 0.7,
            "pleural effusion": 0.2,
            "atelectasis": 0.2,
            "central line": 0.2,
        },
        ("Weight loss", "Haemoptysis", "Follow-up in a smoker"),
    ),
    "trauma": (
        0.10,
        {"rib fracture": 1.0, "pneumothorax": 0.5, "pleural effusion": 0.3, "atelectasis": 0.2},
        ("After a fall", "Traffic accident", "Chest pain after injury"),
    ),
    "intensive care": (
        0.10,
        {
            "endotracheal tube": 0.8,
            "central line": 0.8,
            "atelectasis": 0.3,
            "pleural effusion": 0.3,
            "consolidation": 0.3,
            "pneumothorax": 0.2,
        },
        ("Check of tube and line", "Intensive care, ventilated", "After surgery"),
    ),
    "interstitial": (
        0.08,
        {"fibrosis": 1.0, "nodule": 0.2, "pneumothorax": 0.12},
        ("Chronic cough", "Progressive dyspnoea", "Known lung disease"),
    ),
    "diaphragm": (
        0.06,
        {"elevated diaphragm": 1.0, "atelectasis": 0.35, "hiatal hernia": 0.15},
        ("Abdominal pain", "Hiccups", "Dyspnoea when lying"),
    ),
    "digestive": (0.08, {"hiatal hernia": 1.0}, ("Heartburn", "Difficulty in swallowing")),
}
"""Patterns of disease: weight, probability of each finding, indications."""
EXTRA = 0.085
LASTING = ("hiatal hernia", "fibrosis", "elevated diaphragm", "cardiomegaly", "pacemaker")
BEDSIDE = ("endotracheal tube",)


@dataclass(frozen=True, slots=True)
class Visit:
    """One study of one patient, before any picture is made.

    `resolved` names findings of the prior that are gone; `prior` is the id of the study before,
    "" if there is none; `bedside` films are AP; `seed` is that of noise and wording.
    """

    study: str
    patient: str
    person: Person
    pose: Pose
    findings: tuple[Finding, ...]
    resolved: tuple[str, ...]
    prior: str
    day: date
    site: str
    device: Device
    indication: str
    bedside: bool
    seed: tuple[int, int, int]


def visits(seed: int, patient: int) -> list[Visit]:
    """The 1-4 studies of patient number `patient` in order of time."""
    rng = np.random.default_rng([seed, patient])
    person = _person(rng)
    names = list(SYNDROMES)
    weight = np.array([SYNDROMES[n][0] for n in names])
    syndrome = names[rng.choice(len(names), p=weight / weight.sum())]
    findings, resolved = _first(syndrome, rng), ()
    site = list(SITES)[rng.choice(3, p=[0.45, 0.30, 0.25])]
    day = date(2015, 1, 1) + timedelta(int(rng.integers(0, 2500)))
    found: list[Visit] = []
    name = f"PH{patient:06d}"
    for number in range(1, 1 + int(rng.choice(4, p=[0.58, 0.24, 0.12, 0.06]) + 1)):
        if number > 1:
            day += timedelta(int(np.exp(rng.uniform(0.5, 6.2))))
            findings, resolved = _later(findings, rng)
        bedside = any(f.name in BEDSIDE for f in findings) or rng.random() < 0.08
        depth = rng.normal(-9.0 if bedside else 0.0, 4.5)
        devices = SITES[site]
        found.append(
            Visit(
                study=f"{name}-{number}",
                patient=name,
                person=replace(person, age=person.age + (day - date(2015, 1, 1)).days // 365),
                pose=Pose(float(np.clip(depth, -20, 12)), float(rng.normal(0, 2.2))),
                findings=findings,
                resolved=resolved,
                prior=found[-1].study if found else "",
                day=day,
                site=site,
                device=devices[int(rng.integers(len(devices)))],
                indication=str(rng.choice(SYNDROMES[syndrome][2])),
                bedside=bool(bedside),
                seed=(seed, patient, number),
            )
        )
    return found


def studies(seed: int, num: int) -> Iterator[list[Visit]]:
    """Visits, patient by patient, until there are `num` studies; the last patient is cut short."""
    patient = 0
    while num > 0:
        found = visits(seed, patient)[:num]
        num -= len(found)
        patient += 1
        yield found


def _person(rng: np.random.Generator) -> Person:
    sex = "F" if rng.random() < 0.48 else "M"
    size = rng.normal(0.95 if sex == "F" else 1.02, 0.035)
    return Person(
        age=int(np.clip(rng.normal(56, 18), 18, 84)),
        sex=sex,
        size=float(np.clip(size, 0.86, 1.12)),
        fat=float(np.clip(rng.gamma(4.0, 4.0), 5, 40)),
        seed=int(rng.integers(2**31)),
    )


def _first(syndrome: str, rng: np.random.Generator) -> tuple[Finding, ...]:
    """The findings of a first study: those of the syndrome and, rarely, others."""
    likely = SYNDROMES[syndrome][1]
    found: list[Finding] = []
    side = str(rng.choice(["right", "left"]))  # findings of an injury or a tumour share a side
    for name in NAMES:
        chance = likely.get(name, 0.0) if syndrome == "none" else likely.get(name, EXTRA)
        finding = draw(name, rng, side=side if syndrome in ("trauma", "tumour") else "")
        if rng.random() < chance:
            found.append(finding)
    return _apart(found)


def _apart(findings: list[Finding]) -> tuple[Finding, ...]:
    """The findings, a nodule in a zone that no larger opacity of its side fills."""
    taken = {
        (side, f.zone) for f in findings if f.name in ("mass", "consolidation") for side in f.sides
    }
    moved = []
    for finding in findings:
        free = [zone for zone in ZONES if (finding.side, zone) not in taken]
        if finding.name == "nodule" and free and finding.zone not in free:
            finding = replace(finding, zone=free[finding.seed % len(free)])
        moved.append(finding)
    return tuple(moved)


def _later(
    findings: tuple[Finding, ...], rng: np.random.Generator
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The next study's findings, each with its change, and the names of those that resolved."""
    kept: list[Finding] = []
    gone: list[str] = []
    for finding in findings:
        move = float(rng.choice([-1.0, 0.0, 1.0])) * float(rng.uniform(0.18, 0.4))
        leaves = rng.random() < (0.0 if finding.name in LASTING else 0.22)
        if leaves:
            gone.append(finding.name)
            continue
        steady = KINDS[finding.name].device or finding.name in ("rib fracture", "hiatal hernia")
        if steady or not 0 <= finding.grade + move <= 1:
            move = 0.0
        change = "larger" if move > 0 else "smaller" if move < 0 else "unchanged"
        kept.append(finding.graded(finding.grade + move, change))
    if rng.random() < 0.3:
        name = NAMES[int(rng.integers(len(NAMES)))]
        new = draw(name, rng)
        if name not in gone and all(f.name != name for f in kept):
            # what was there stays where it was: only the new one is moved out of the way
            kept = [*kept, _apart([*kept, replace(new, change="new")])[-1]]
    kept.sort(key=lambda f: NAMES.index(f.name))
    return tuple(kept), tuple(gone)
