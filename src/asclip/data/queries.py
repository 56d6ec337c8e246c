"""Which findings and places the training studies can teach, and in what words to ask for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asclip.clinical import descriptions
from asclip.clinical.bank import anatomies, canonical, findings
from asclip.clinical.extract import location_matrix, report_findings
from asclip.data.dataset import Dataset
from asclip.data.texts import Pieces
from asclip.errors import DataError

SELDOM = 5  # studies of the training split in which a finding or a place must occur


def catalogued(name: str) -> str:
    """The catalogue's name of a label, or the label itself."""
    try:
        return canonical(name)
    except DataError:
        return name


def frequent_findings(train: Dataset, pieces: Pieces, source: str) -> tuple[str, ...]:
    """Findings that are present in `SELDOM` training studies, by their reports or labels.

    Raises:
        DataError: there is none.
    """
    counts: dict[str, int] = {}
    if source != "labels":
        everything = list(findings())
        told = [pieces.texts[w] for w in pieces.whole if w >= 0]
        present = sum((np.nan_to_num(report_findings(t)) for t in told), np.zeros(len(everything)))
        families = findings()
        for name, count in zip(everything, present, strict=True):
            if families[name].family != "normal" and name != "no finding":
                counts[name] = int(count)
    if source != "report":
        for name, column in zip(train.labels, train.label_matrix().T, strict=True):
            known = catalogued(name)
            counts[known] = max(counts.get(known, 0), int((column == 1).sum()))
    names = tuple(name for name, count in counts.items() if count >= SELDOM)
    if not names:
        raise DataError(
            f"this recipe learns from findings that {SELDOM} training studies or more have; of "
            f"{len(train)} studies none has one so often (from {source}); use --facts labels with "
            "label columns, or a recipe without findings"
        )
    return names


def frequent_places(train: Dataset, pieces: Pieces, names: tuple[str, ...]) -> tuple[str, ...]:
    """Places at which `SELDOM` training reports put a finding; else those that findings have."""
    places = list(anatomies())
    told = [pieces.texts[w] for w in pieces.whole if w >= 0]
    known = [name for name in names if name in findings()]
    counts = np.zeros(len(places))
    for text in told:
        counts += location_matrix(text, known, places).any(0)
    chosen = tuple(p for p, count in zip(places, counts, strict=True) if count >= SELDOM)
    # A method that asks where findings lie must be able to run where reports seldom say it.
    return chosen or tuple(dict.fromkeys(findings()[name].anatomy for name in known))


def answerable(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which findings have a yes and a no in the training studies [n, F], and which nobody denies.

    What fewer than `SELDOM` reports deny is absent where it is not stated: a query that hears only
    yes learns to say yes to every image. What then is absent nowhere teaches nothing. Both [F]
    bool; where nothing has both answers, all findings are asked.

    >>> some = np.array([[1, 1, 1]] * 5 + [[np.nan, 0, 1]] * 5)
    >>> [x.tolist() for x in answerable(some)]
    [[True, True, False], [True, False, True]]
    """
    undenied = (values == 0).sum(0) < SELDOM
    absent = np.where(undenied, (values != 1).sum(0), (values == 0).sum(0))
    asked = absent >= SELDOM
    return asked if asked.any() else np.ones_like(asked), undenied


def defined(name: str, concepts: Mapping[str, str]) -> str:
    """A finding with its definition: the user's own one, the catalogue's, or the name alone."""
    if name in concepts:
        return f"{name}: {concepts[name]}"
    return descriptions.definitions([name])[0] if name in findings() else name


def wordings(name: str, concepts: Mapping[str, str]) -> tuple[str, ...]:
    """In what words to ask for a finding: name, name and definition, definition, sentences."""
    if name in findings():
        alone = concepts.get(name) or findings()[name].definition
        said = descriptions.sentences(name)
    else:
        alone, said = concepts.get(name, name), [f"There is {name}.", f"{name} is seen."]
    return name, defined(name, concepts), alone, *said
