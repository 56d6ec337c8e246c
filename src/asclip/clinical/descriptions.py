"""The bank of descriptions: what a finding looks like, and sentences that state or deny it."""

from __future__ import annotations

from collections.abc import Sequence

from asclip.clinical.bank import anatomies, canonical, canonical_anatomy, findings, version
from asclip.errors import DataError

_PRESENT = (
    "There is {name}.",
    "{Name} is seen.",
    "{Name} in the {place}.",
    "Findings consistent with {name}.",
    "The image shows {name}.",
)
_ABSENT = (
    "There is no {name}.",
    "No {name} is seen.",
    "No evidence of {name}.",
    "Negative for {name}.",
    "The image shows no {name}.",
)
_WELL = ("Normal study.", "No abnormality is seen.", "Everything looks normal.")
_ILL = ("Abnormal study.", "There is an abnormality.", "Something looks abnormal.")
_VERSIONS = {"1": (_PRESENT, _ABSENT)}


def definitions(names: Sequence[str], *, masked: bool = False) -> list[str]:
    """One text for each finding: "Nodule: a roundish white spot ...".

    With `masked` the definition alone, which never holds the finding's name: for a finding that is
    to be known by its definition only.

    >>> definitions(["bulla"], masked=True)[0].startswith("A thin-walled dark bubble")
    True
    """
    entries = [findings()[canonical(name)] for name in names]
    if masked:
        return [entry.definition for entry in entries]
    return [f"{_capital(entry.name)}: {_small(entry.definition)}" for entry in entries]


def places(names: Sequence[str]) -> list[str]:
    """One text for each anatomy: "Hilum: the root of the lung ..."."""
    entries = [anatomies()[canonical_anatomy(name)] for name in names]
    return [f"{_capital(entry.name)}: {_small(entry.definition)}" for entry in entries]


def sentences(name: str, *, present: bool = True, bank: str = "1") -> list[str]:
    """Sentences that state (or deny) one finding, in a fixed order, of the bank's version `bank`.

    >>> sentences("Edema", present=False)[0]
    'There is no pulmonary oedema.'
    """
    if bank not in _VERSIONS:
        raise DataError(f"the bank must be one of {', '.join(_VERSIONS)}; got {bank!r}")
    entry = findings()[canonical(name)]
    if entry.name == "no finding":
        return list(_WELL if present else _ILL)
    templates = _VERSIONS[bank][0 if present else 1]
    filled = {"name": entry.name, "Name": _capital(entry.name), "place": entry.anatomy}
    return [template.format(**filled) for template in templates]


def bank_version() -> str:
    """What a run records: the versions of the catalogue and of the newest sentences."""
    return f"findings-{version()}, sentences-{max(_VERSIONS)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    """A sentence's first letter small, unless its first word is an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
