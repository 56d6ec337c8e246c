"""What a challenge is: its cases (studies before any picture is made) and its measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from asclip.phantom import patients
from asclip.phantom.findings import Finding, draw
from asclip.phantom.patients import Visit

FAMILIES = ("multiscale", "data-efficient", "knowledge", "disentanglement", "frontier")
KINDS = (
    "zero-shot",
    "retrieval",
    "precision",
    "change-probe",
    "probe",
    "cross-modal",
    "negation",
    "pointing",
)
SHARES = ("train",) * 6 + ("val",) + ("test",) * 3


@dataclass(frozen=True, slots=True)
class Case:
    """One study: what is shown, what is written and what is true.

    `labels` are 1 or 0 by name, `further` texts by name, `meta` what goes beyond age, sex, site,
    device, date and prior (and replaces these). `marked` films have a white mark burnt in; of
    `boxed` ones the findings' boxes are written.
    """

    visit: Visit
    split: str
    text: str
    labels: Mapping[str, int]
    further: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)
    views: tuple[str, ...] = ("PA",)
    marked: bool = False
    boxed: bool = False

    @property
    def facts(self) -> tuple[tuple[str, str, str, str], ...]:
        """All that a report may say of the findings: name, side, zone and severity of each."""
        return tuple((f.name, f.side, f.zone, f.severity) for f in self.visit.findings)

    def value(self, column: str) -> str:
        """The cell of a column "label:NAME" or "meta:NAME", as text."""
        kind, _, name = column.partition(":")
        return str((self.labels if kind == "label" else self.meta)[name])


@dataclass(frozen=True, slots=True)
class Measure:
    """One number to take on the test split.

    `prompts` is a file of the folder; `columns` hold the truth; `of` are the labels (or values)
    that are meant, all of the prompts where it is empty; `where` keeps the studies whose columns
    have these values. `better` is "higher" or "lower".
    """

    name: str
    kind: str
    metric: str
    prompts: str = ""
    columns: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    primary: bool = False
    better: str = "higher"
    rule: str = ""

    def meant(self, cases: Sequence[Case]) -> list[Case]:
        """The test cases on which this measure is taken."""
        kept = [c for c in cases if c.split == "test"]
        return [c for c in kept if all(c.value(k) == v for k, v in self.where.items())]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; `cases(seed, studies)` are its studies, `prompts` its prompt sets by name.

    `extras` are further JSON files by name. `given` is what a recipe that has such a parameter has
    to be told of these studies: which column names the groups.
    """

    name: str
    question: str
    family: str
    measures: tuple[Measure, ...]
    prompts: Mapping[str, dict[str, Any]]
    cases: Callable[[int, int], list[Case]]
    notes: tuple[str, ...] = ()
    extras: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)


def split_of(seed: int, patient: int) -> str:
    """The split of a patient: of every ten, six are train, one is val, three are test."""
    block, place = divmod(patient, len(SHARES))
    order = np.random.default_rng([seed, block, 10]).permutation(len(SHARES))
    return SHARES[order[place]]


def rng_of(seed: int, patient: int, purpose: int) -> np.random.Generator:
    """Random numbers of one patient for one purpose, whatever the number of studies."""
    return np.random.default_rng([seed, patient, 20, purpose])


def came(seed: int, patient: int, findings: Sequence[Finding] = (), **changes: Any) -> Visit:
    """The first visit of patient number `patient`, standing, with these findings instead."""
    first = patients.visits(seed, patient)[0]
    fixed = {"findings": tuple(findings), "resolved": (), "prior": "", "bedside": False}
    pose = replace(first.pose, inspiration=max(first.pose.inspiration, -8.0))
    return replace(first, **({"pose": pose} | fixed | changes))


def lesion(
    name: str,
    rng: np.random.Generator,
    *,
    grade: tuple[float, float] = (0.35, 1.0),
    place: tuple[str, str] | None = None,
) -> Finding:
    """A random finding with a grade in the range, at `place` (side, zone) where it is given."""
    found = draw(name, rng, grade=float(rng.uniform(*grade)))
    return found if place is None else replace(found, side=place[0], zone=place[1])


def truth(names: Sequence[str], findings: Sequence[Finding]) -> dict[str, int]:
    """1 or 0 for each name."""
    present = {f.name for f in findings}
    return {name: int(name in present) for name in names}
