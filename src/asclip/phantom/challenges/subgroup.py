"""A mark that goes with a finding in most patients and with its absence in a small group."""

from __future__ import annotations

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
from asclip.phantom.report import sheet
from asclip.phantom.wording import compose

BOUND = "consolidation"
FREE = ("pleural effusion", "mass", "cardiomegaly")
FINDINGS = (BOUND, *FREE)
MARKED, PLAIN = "Harbour", "Northgate"
MANY, FEW = "full", "basic"
SHARE = 0.2
"""How many patients are of the small group, in every split."""
AGREE = 0.9
"""How often the mark has the finding in the large group and lacks it in the small one."""


def cases(seed: int, studies: int) -> list[Case]:
    """The ill of the large group are sent to the unit that marks its films, of the small one not.

    All splits are alike: the test is the hospital as it is.
    """
    found = []
    for patient in range(studies):
        rng = rng_of(seed, patient, 11)
        names = [n for n in FINDINGS if rng.random() < (0.5 if n == BOUND else 0.25)]
        few = rng.random() < SHARE
        agrees = rng.random() < (1 - AGREE if few else AGREE)
        grown = [lesion(n, rng) for n in names]
        marked = (BOUND in names) == agrees
        site = MARKED if marked else PLAIN
        device = SITES[site][int(rng.integers(len(SITES[site])))]
        visit = came(seed, patient, grown, site=site, device=device)
        told = [compose(f, "present", rng) for f in visit.findings]
        told += [str(rng.choice(prompts.denied(n))) for n in FINDINGS if n not in names]
        text = sheet(visit, told, ["As described above."])
        labels = truth(FINDINGS, visit.findings)
        meta = {"insurance": FEW if few else MANY, "site": site}
        split = split_of(seed, patient)
        found.append(Case(visit, split, text, labels, {}, meta, marked=marked))
    return found


def _measure(name: str, of: tuple[str, ...], group: str = "", *, primary: bool = False) -> Measure:
    return Measure(
        name,
        "zero-shot",
        "macro auroc",
        "prompts/findings.json",
        tuple(f"label:{label}" for label in of),
        of,
        {"meta:insurance": group} if group else {},
        primary=primary,
    )


CHALLENGE = Challenge(
    name="subgroup",
    question="Is the finding seen in the small group, too, in which the mark misleads?",
    family="frontier",
    measures=(
        _measure(f"{BOUND} in the small group", (BOUND,), FEW, primary=True),
        _measure(f"{BOUND} in the large group", (BOUND,), MANY),
        _measure(f"{BOUND} in all", (BOUND,)),
        _measure("findings that the mark does not go with", FREE),
    ),
    prompts={"findings": prompts.findings(FINDINGS)},
    cases=cases,
    given={"attribute": "insurance"},
    notes=(
        f"{SHARE:.0%} of the patients have meta:insurance {FEW}, the others {MANY}. Of the others "
        f"{AGREE:.0%} have {BOUND} and the letter R on their films, or neither; of the small group "
        f"{1 - AGREE:.0%} have. Reports say nothing of either, and name every finding or deny it.",
        "The splits are alike: a model that goes by the letter is right about most patients, and "
        "one that does not loses their part of the AUROC.",
    ),
)
