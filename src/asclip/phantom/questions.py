"""Questions about a study with answers from the truth, not from the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asclip.phantom.findings import NAMES, Finding
from asclip.phantom.patients import Visit


@dataclass(frozen=True, slots=True)
class Question:
    """One question and its answer; `kind` is "closed" (yes or no) or "open"."""

    question: str
    answer: str
    kind: str
    finding: str = ""


def _article(name: str) -> str:
    plain = ("cardiomegaly", "consolidation", "atelectasis", "pulmonary oedema", "fibrosis")
    if name in plain:
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def ask(visit: Visit, view: str, rng: np.random.Generator, *, absent: int = 4) -> list[Question]:
    """Questions on every finding of `visit`, on `absent` others, and on the study as a whole."""
    present = {f.name for f in visit.findings}
    found: list[Question] = []
    for finding in visit.findings:
        found.append(_closed(finding.name, "yes", rng))
        found += _open(finding)
    others = [name for name in NAMES if name not in present]
    for k in rng.permutation(len(others))[:absent]:
        found.append(_closed(others[k], "no", rng))
    listed = ", ".join(f.name for f in visit.findings)
    devices = ", ".join(f.name for f in visit.findings if f.kind.device)
    normal = "no" if visit.findings else "yes"
    found += [
        Question("Is this chest radiograph normal?", normal, "closed"),
        Question("What is abnormal in this image?", listed or "nothing", "open"),
        Question("Which devices are seen?", devices or "none", "open"),
        Question("Which view is this?", view, "open"),
    ]
    return found


def _closed(name: str, answer: str, rng: np.random.Generator) -> Question:
    templates = ("Is there {}?", "Does the image show {}?", "Is {} present?", "Can {} be seen?")
    template = templates[int(rng.integers(len(templates)))]
    return Question(template.format(_article(name)), answer, "closed", name)


def _open(finding: Finding) -> list[Question]:
    """Side, zone, size and severity, where they are known."""
    name, found = finding.name, []
    if finding.side:
        side = "both sides" if finding.side == "bilateral" else finding.side
        found.append(Question(f"On which side is the {name}?", side, "open", name))
    if finding.zone:
        text = f"In which zone of the chest is the {name}?"
        found.append(Question(text, finding.zone, "open", name))
    if np.isfinite(finding.size):
        text = f"How many millimetres is the {finding.kind.what} of the {name}?"
        found.append(Question(text, f"{finding.size:.0f}", "open", name))
    elif not finding.kind.device:
        found.append(Question(f"How severe is the {name}?", finding.severity, "open", name))
    return found
