"""Sentences of known meaning: a finding, whether it is affirmed or denied, and a place.

Two wordings of one number differ in the negation alone; two numbers are paraphrases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from asclip.clinical.bank import findings
from asclip.clinical.extract import mentions
from asclip.clinical.sentence import NORMAL
from asclip.data.texts import told

AFFIRMED = (
    "There is {name}{place}.",
    "{name}{place} is seen.",
    "The image shows {name}{place}.",
    "{name}{place} is present.",
)
DENIED = (
    "There is no {name}{place}.",
    "No {name}{place} is seen.",
    "The image shows no {name}{place}.",
    "{name}{place} is not present.",
)
WORDINGS = len(AFFIRMED)
PLACES = ("right upper zone", "left upper zone", "right lower zone", "left lower zone")
LEAST, MOST = 3, 40  # reports that must speak of a finding; findings of a task
NOTHING = "fewer than 2 findings of the catalogue are stated by the reports of this split"


def version() -> str:
    """Name, version and digest of the sentences, as a prompt set has them.

    >>> version().split(":")[0]
    'text-pairs@1'
    """
    words = "\n".join((*AFFIRMED, *DENIED, *PLACES))
    return f"text-pairs@1:{sha256(words.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence as facts; `wording` numbers the templates, "" is no place."""

    finding: str
    present: bool = True
    wording: int = 0
    place: str = ""

    @property
    def text(self) -> str:
        """The sentence.

        >>> Said("nodule", False, 3, "left upper zone").text
        'Nodule in the left upper zone is not present.'
        """
        template = (AFFIRMED if self.present else DENIED)[self.wording]
        place = f" in the {self.place}" if self.place else ""
        text = template.format(name=self.finding, place=place)
        return text[0].upper() + text[1:]


def reports_of(data: Any) -> list[str]:
    """What each study's report says of its images, "" where it has none or a placeholder."""
    if "text" not in data.studies:
        return [""] * len(data)
    texts = data.studies["text"].tolist()
    flags = (
        data.studies["text_is_placeholder"].tolist()
        if "text_is_placeholder" in data.studies
        else [False] * len(texts)
    )
    return [
        "" if flag or not isinstance(text, str) or not text.strip() else told(text)
        for text, flag in zip(texts, flags, strict=True)
    ]


def spoken_of(texts: Sequence[str], *, least: int = LEAST, most: int = MOST) -> tuple[str, ...]:
    """Findings that at least `least` texts mention, whether there or not; the commonest first.

    >>> spoken_of(["No effusion."] * 3 + ["Pneumonia."])
    ('pleural effusion',)
    """
    counts = Counter(name for text in texts for name in {m.finding for m in mentions(text)})
    counts.pop(NORMAL, None)
    order = {name: place for place, name in enumerate(findings())}
    known = sorted(counts, key=lambda name: (-counts[name], order[name]))
    return tuple(name for name in known if counts[name] >= least)[:most]
