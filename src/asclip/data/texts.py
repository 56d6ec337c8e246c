"""What a study says, in pieces: its whole report, its sentences, its further texts.

Every distinct piece is stored once, so that it is tokenised once and recognised when another study
says the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from asclip.files.report import sections, sentences

_TOLD = ("findings", "impression", "text")
_SPACE = re.compile(r"\s+")


def same(text: str) -> str:
    """The form in which two texts are compared: lower case, single spaces, no closing stop.

    >>> same("No  effusion. ") == same("no effusion")
    True
    """
    return _SPACE.sub(" ", text).strip().rstrip(".").lower()


def told(text: str) -> str:
    """The part of a report that describes the images: findings and impression if it has them.

    >>> told("INDICATION: cough. FINDINGS: Clear lungs. IMPRESSION: Normal.")
    'Clear lungs. Normal.'
    """
    parts = sections(text)
    kept = [parts[name].strip() for name in _TOLD if parts.get(name, "").strip()]
    return " ".join(kept) or text.strip()


@dataclass(frozen=True, slots=True)
class Pieces:
    """Distinct texts and, per study, the indices of its whole text, sentences and further texts.

    `whole` [n] is -1 where a study has no usable text; `parts` and `further` are lists of arrays.
    `loose` are texts that belong to none of the studies. `variants` maps a text to others that may
    stand in its place, and the last `made` texts were not written but made; `mined` tells the texts
    that each way of mining varied or brought; see `mining`.
    """

    texts: list[str]
    whole: np.ndarray
    parts: list[np.ndarray]
    further: list[np.ndarray]
    loose: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    variants: dict[int, np.ndarray] = field(default_factory=dict)
    made: int = 0
    mined: dict[str, frozenset[int]] = field(default_factory=dict)

    @property
    def usable(self) -> np.ndarray:
        """Rows of the studies that have any text."""
        some = [
            w >= 0 or len(p) > 0 or len(f) > 0
            for w, p, f in zip(self.whole, self.parts, self.further, strict=True)
        ]
        return np.flatnonzero(some)


def pieces(
    reports: list[str],
    further: dict[str, list[str]] | None = None,
    loose: list[str] | None = None,
    *,
    findings_only: bool = False,
) -> Pieces:
    """Cut every report into pieces; empty texts give none.

    `further` maps a name (title, impression ...) to one text per study, `loose` are texts of no
    study. With `findings_only` the whole text is the findings section, where a report has both it
    and an impression; the impression is then a further text.

    >>> p = pieces(["Clear lungs. No effusion.", "no effusion"])
    >>> len(p.texts), p.whole.tolist(), [x.tolist() for x in p.parts]
    (3, [0, 2], [[1, 2], [2]])
    """
    known: dict[str, int] = {}
    texts: list[str] = []

    def index(text: str) -> int:
        key = same(text)
        if key not in known:
            known[key] = len(texts)
            texts.append(_SPACE.sub(" ", text).strip())
        return known[key]

    whole, parts, more = [], [], []
    for row, report in enumerate(reports):
        text = told(report) if report.strip() else ""
        apart = ""
        if findings_only and text:
            found = sections(report)
            if found.get("findings", "").strip() and found.get("impression", "").strip():
                text, apart = found["findings"].strip(), found["impression"]
        whole.append(index(text) if text else -1)
        own = [index(s) for s in sentences(text) if same(s)] if text else []
        parts.append(np.array(sorted(set(own)), dtype=np.int64))
        others = [index(t[row]) for t in (further or {}).values() if t[row].strip()]
        others += [index(apart)] if same(apart) else []
        more.append(np.array(sorted(set(others)), dtype=np.int64))
    unowned = np.array([index(text) for text in loose or [] if same(text)], dtype=np.int64)
    return Pieces(texts, np.array(whole, dtype=np.int64), parts, more, np.unique(unowned))
