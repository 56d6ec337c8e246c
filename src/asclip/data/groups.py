"""The group that each study is of (a sex, a site, a band of age), as objectives read it.

An objective asks for it by the fact "facts.group:NAME", with edges where numbers are to be cut:
"facts.group:sex", "facts.group:age:40:65". The groups are those of the training studies.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.metadata import CATEGORIES
from asclip.data.queries import SELDOM
from asclip.errors import DataError

PREFIX = "group:"


def asked(needs: frozenset[str]) -> tuple[str, ...]:
    """The facts of this kind among `needs`, sorted.

    >>> asked(frozenset({"facts.group:sex", "facts.patient"}))
    ('group:sex',)
    """
    return tuple(sorted(n[6:] for n in needs if n.startswith(f"facts.{PREFIX}")))


def learn(train: Dataset, fact: str) -> tuple[str, ...]:
    """The names of the groups that `SELDOM` training patients are of; two at least.

    Raises:
        DataError: no such column, edges that are no numbers, or fewer than two groups, or more than
            `CATEGORIES` of them.
    """
    words = _words(train, fact)
    patient = train.patient_codes()
    seen = [(word, who) for word, who in zip(words, patient, strict=True) if word]
    names, counts = np.unique([word for word, _ in sorted(set(seen))] or [""], return_counts=True)
    frequent = [str(n) for n, c in zip(names, counts, strict=True) if n and c >= SELDOM]
    if not 2 <= len(frequent) <= CATEGORIES:
        raise DataError(
            f"{fact} must have 2 to {CATEGORIES} groups of {SELDOM} training patients or more, got "
            f"{len(frequent)}; choose another column, or give edges for numbers, such as age:40:65"
        )
    return tuple(frequent)


def codes(part: Dataset, fact: str, names: tuple[str, ...]) -> np.ndarray:
    """[n] int64, the place of each study's group in `names`; -1 where unknown or not in it."""
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(word, -1) for word in _words(part, fact)], np.int64)


def _words(part: Dataset, fact: str) -> list[str]:
    """The group of each study in words, "" where it is not known."""
    name, *cuts = fact.removeprefix(PREFIX).split(":")
    facts = part.meta(name)
    known = facts.notna().to_numpy()
    if not cuts:
        words = [f"{cell:g}" if isinstance(cell, float) else str(cell).strip() for cell in facts]
        return [word if stated else "" for word, stated in zip(words, known, strict=True)]
    try:
        edges = np.unique([float(cut) for cut in cuts])
        values = facts.to_numpy(np.float64)
    except ValueError:
        raise DataError(
            f"edges must be numbers and cut a column of numbers, got {fact!r}; leave them out for "
            "a column of words"
        ) from None
    bands = [f"under {edges[0]:g}", *(f"{a:g} to {b:g}" for a, b in pairwise(edges))]
    bands.append(f"{edges[-1]:g} and over")
    at = np.searchsorted(edges, values, side="right")
    return [bands[k] if stated else "" for k, stated in zip(at, known, strict=True)]
