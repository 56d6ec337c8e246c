"""Report -> mentions of findings, each present, absent or uncertain, with its places; by rules.

Rules were written for English reports, chest first. Sections that tell of the past or of a question
(indication, history, comparison, technique ...) do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from asclip.clinical.assertions import ABSENT, PRESENT, UNCERTAIN
from asclip.clinical.bank import canonical, canonical_anatomy, findings, lineage
from asclip.clinical.sentence import NORMAL, Mention, of_sentence
from asclip.clinical.wordings import finding_wordings, patterned
from asclip.errors import DataError
from asclip.files.report import sections, sentences

COUNTED = ("text", "findings", "impression", "addendum")
# Words that make a denial one of a sort: a scar, scoliosis or a cyst is not acute and not focal.
_SORT = re.compile(
    r"\b(?:acute|active|focal|air ?-?spaces?|alveolar|confluent|lobar|dense|large|significant"
    r"|suspicious|aggressive|destructive|new|gross|intact|displaced)\b"
)
_CLAUSE = re.compile(
    r"[.;:(]|,? (?:and )?the\b|\b(?:but|with|while|is|are|was|were|appears?|remains?)\b"
)
# What such a denial takes along: "no acute bony abnormality" is no fracture, "no airspace disease"
# no consolidation.
_ACUTE = {
    "fracture",
    "dislocation",
    "consolidation",
    "infiltrate",
    "pleural effusion",
    "pneumothorax",
    "epidural haematoma",
    "subarachnoid haemorrhage",
}
# A text without full stops must not cost the square of its length.
_LONGEST = 1000


def mentions(text: str) -> list[Mention]:
    """All mentions of a report or of one sentence, in order; [] for an empty text.

    >>> [(m.finding, m.assertion) for m in mentions("No effusion. Possible pneumonia.")]
    [('pleural effusion', 'absent'), ('pneumonia', 'uncertain')]
    """
    found: list[Mention] = []
    number = 0
    for name, part in sections(text).items():
        if name not in COUNTED:
            continue
        for sentence in sentences(part):
            for piece in _short(sentence):
                for mention in of_sentence(piece):
                    found.append(replace(mention, number=number) if number else mention)
            number += 1
    return found


def _short(sentence: str) -> Iterable[str]:
    """The sentence itself, or pieces of it that end at a blank where it is too long for one."""
    while len(sentence) > _LONGEST:
        cut = sentence.rfind(" ", 1, _LONGEST)
        cut = _LONGEST if cut < 0 else cut
        yield sentence[:cut].strip()
        sentence = sentence[cut:]
    yield sentence


def report_findings(
    text: str,
    names: Sequence[str] | None = None,
    *,
    uncertain: str = "nan",
    inherit: bool = True,
) -> np.ndarray:
    """What a report says of each finding, [F] float32: 1 present, 0 absent, NaN not stated.

    `names` are findings, synonyms or label names ("Edema"); all findings if None. Of several
    mentions present wins over uncertain, and uncertain over absent. `uncertain` says what a doubt
    counts as: "nan", "present" or "absent". With `inherit` a present finding makes its parents
    present (pneumonia: consolidation, lung opacity) and an absent one its children absent, unless
    the words deny one sort of it only ("no acute bony abnormality": no fracture). "No finding" is 1
    where the report says so and names nothing but devices, 0 where it does.
    """
    table = {"nan": np.nan, "present": 1.0, "absent": 0.0}
    if uncertain not in table:
        raise DataError(f"uncertain must be 'nan', 'present' or 'absent'; got {uncertain!r}")
    wanted = list(findings()) if names is None else [canonical(name) for name in names]
    values = {
        name: table[uncertain] if what == UNCERTAIN else float(what == PRESENT)
        for name, what in states(mentions(text), inherit=inherit).items()
    }
    return np.array([values.get(name, np.nan) for name in wanted], np.float32)


def states(found: Iterable[Mention], *, inherit: bool = True) -> dict[str, str]:
    """Finding -> what a report says of it in all; see `report_findings` for the rules."""
    rank = (ABSENT, UNCERTAIN, PRESENT)
    said: dict[str, str] = {}
    whole: set[str] = set()  # denied as a whole
    for mention in found:
        before = said.get(mention.finding, ABSENT)
        said[mention.finding] = max(before, mention.assertion, key=rank.index)
        if inherit and mention.assertion == ABSENT and not _in_part(mention):
            whole.add(mention.finding)
    if inherit:
        said = _inherited(said, whole)
    pathology = {
        what
        for name, what in said.items()
        if name != NORMAL and findings()[name].family != "devices"
    }
    if PRESENT in pathology:
        said[NORMAL] = ABSENT
    elif UNCERTAIN in pathology:
        said.pop(NORMAL, None)
    return said


def _in_part(mention: Mention) -> bool:
    """Whether a denial is of one sort only: "no acute bony abnormality", "bones are intact".

    What stands before the words counts where they are the finding's own, not a structure's
    ("No focal infiltrate, clear lungs").
    """
    words = mention.words.lower()
    named = finding_wordings().find(words) or patterned(words)
    before = _CLAUSE.split(mention.sentence[: mention.start].lower())[-1] if named else ""
    return bool(_SORT.search(before + words))


def _inherited(said: dict[str, str], whole: set[str]) -> dict[str, str]:
    full = dict(said)
    for name, what in said.items():
        if what == PRESENT:
            # Even over a denial: "no acute fracture" beside an old one of a rib means the acute.
            full |= dict.fromkeys(lineage(name), PRESENT)
    for name in findings():
        above = lineage(name)
        # A parent that is present after all (by another child) says nothing of this one.
        if name in full or any(full.get(parent) == PRESENT for parent in above):
            continue
        line = (name, *above)
        for far, parent in enumerate(above, 1):
            acute = parent in _ACUTE or not _ACUTE.isdisjoint(line[:far])
            if said.get(parent) == ABSENT and (parent in whole or acute):
                full[name] = ABSENT
    return full


def triplets(text: str) -> list[tuple[str, str, str]]:
    """(finding, relation, thing) of what a report affirms or suspects, in order, each once.

    `located_at` leads to an anatomy, `modify` comes from a side or a word of degree, and
    `suggestive_of` leads from a finding to the doubtful ones that follow it in its sentence.
    """
    found: dict[tuple[str, str, str], None] = {}
    sign: Mention | None = None  # the present finding that was named last
    for mention in mentions(text):
        if mention.assertion == ABSENT or mention.finding == NORMAL:
            continue
        for anatomy in mention.anatomy:
            found[mention.finding, "located_at", anatomy] = None
        for word in _modifiers(mention):
            found[word, "modify", mention.finding] = None
        if mention.assertion == PRESENT:
            sign = mention
        elif sign is not None and sign.sentence == mention.sentence:
            if sign.number == mention.number and sign.finding != mention.finding:
                found[sign.finding, "suggestive_of", mention.finding] = None
    return list(found)


_DEGREE = re.compile(
    r"\b(?:mild|moderate|severe|small|large|minimal|trace|tiny|marked|chronic|acute|subtle|patchy"
    r"|stable|unchanged|new|increased|improved|worsening|calcified|diffuse|focal|linear|multiple)\b"
)


def _modifiers(mention: Mention) -> list[str]:
    before = mention.sentence[: mention.start].lower()
    clause = re.split(r"[,;.]|\band\b|\bwith\b", before)[-1]
    words = _DEGREE.findall(clause)
    return [*words, mention.side] if mention.side else words


def location_matrix(
    text: str, names: Sequence[str], places: Sequence[str], *, default: bool = False
) -> np.ndarray:
    """Where a report puts its present findings, [F, A] float32 of 0 and 1.

    `default` puts a finding without a named place at the usual one of the catalogue. A finding's
    parents are where it is: they are present for its sake.
    """
    rows = {canonical(name): row for row, name in enumerate(names)}
    columns = {canonical_anatomy(name): column for column, name in enumerate(places)}
    matrix = np.zeros((len(names), len(places)), np.float32)
    for mention in mentions(text):
        if mention.assertion != PRESENT:
            continue
        usual = (findings()[mention.finding].anatomy,) if default else ()
        named = [
            rows[name] for name in (mention.finding, *lineage(mention.finding)) if name in rows
        ]
        for column in (columns[a] for a in mention.anatomy or usual if a in columns):
            matrix[named, column] = 1.0
    return matrix
