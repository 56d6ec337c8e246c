"""A site that goes with a finding in training and with its absence in the test."""

from __future__ import annotations

from functools import cache

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
from asclip.phantom.patients import SITES

BOUND = "pleural effusion"
FREE = ("consolidation", "mass", "cardiomegaly")
FINDINGS = (BOUND, *FREE)
MARKED, PLAIN = "Harbour", "Northgate"
AGREE = 0.9
"""How often the marked site has the finding in training and lacks it in the test."""


def cases(seed: int, studies: int) -> list[Case]:
    """Films of one site bear a mark; train and val tie it to effusion, the test to its absence."""
    found = []
    for patient in range(studies):
        rng, split = rng_of(seed, patient, 10), split_of(seed, patient)
        names = [n for n in FINDINGS if rng.random() < (0.5 if n == BOUND else 0.25)]
        agrees = rng.random() < (AGREE if split != "test" else 1 - AGREE)
        site = MARKED if (BOUND in names) == agrees else PLAIN
        device = SITES[site][int(rng.integers(len(SITES[site])))]
        grown = [lesion(n, rng, grade=(0.1, 0.5) if n == BOUND else (0.35, 1.0)) for n in names]
        visit = came(seed, patient, grown, site=site, device=device)
        text = report.write(visit, np.random.default_rng([*visit.seed, 1])).text
        labels = truth(FINDINGS, visit.findings)
        found.append(Case(visit, split, text, labels, {}, {"site": site}, marked=site == MARKED))
    return found


@cache
def mark(size: int) -> np.ndarray:
    """The letter R in the upper corner of a film: [size, size] bool."""
    letter = np.array([list(row) for row in ("###.", "#..#", "###.", "#.#.", "#..#")]) == "#"
    grown = np.kron(letter, np.ones([max(size // 64, 1)] * 2, bool))
    found = np.zeros((size, size), bool)
    edge = max(size // 32, 1)
    found[edge : edge + len(grown), edge : edge + grown.shape[1]] = grown
    return found


def _measure(name: str, of: tuple[str, ...], *, primary: bool) -> Measure:
    columns = tuple(f"label:{label}" for label in of)
    file = "prompts/findings.json"
    return Measure(name, "zero-shot", "macro auroc", file, columns, of, primary=primary)


CHALLENGE = Challenge(
    name="shortcut",
    question="Does the model see the finding, or the site that it came with in training?",
    family="disentanglement",
    measures=(
        _measure("effusion when the site misleads", (BOUND,), primary=True),
        _measure("findings that no site goes with", FREE, primary=False),
        Measure(
            "site from the embedding",
            "probe",
            "balanced accuracy of a linear probe",
            columns=("meta:site", f"label:{BOUND}"),
            of=(MARKED, PLAIN),
            better="lower",
            rule="a logistic regression on frozen image embeddings, fitted and scored by "
            "cross-validation over patients of the test split; the four pairs of site and "
            "effusion weigh the same in the fit and in the accuracy",
        ),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    notes=(
        f"In train and val {AGREE:.0%} of studies have effusion and the site {MARKED}, or neither; "
        f"in the test {1 - AGREE:.0%} have. Films of {MARKED} bear the letter R and another look.",
        "AUROC below 0.5 means that the site is read in place of the finding.",
        "val has the bias of train: what is chosen on it is chosen for the shortcut.",
    ),
)
