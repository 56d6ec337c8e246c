"""An identical image, or a patient, must not be on two sides of a split."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from asclip.errors import LeakageError


def joined(links: Iterable[tuple[str, str]], patients: Iterable[str]) -> dict[str, list[str]]:
    """Patients that `links` connect, as groups: any member -> the sorted list of all members.

    >>> joined([("a", "b"), ("b", "c")], ["a", "b", "c", "d"])["c"]
    ['a', 'b', 'c']
    """
    parent = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            parent[patient] = parent[parent[patient]]
            patient = parent[patient]
        return patient

    for first, second in links:
        parent[root(first)] = root(second)
    members: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(parent):
        members[root(patient)].append(patient)
    return {patient: members[root(patient)] for patient in parent}


def shared(images: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Digest of the decoded pixels -> the patients that have this image, where there are several.

    Files of the same bytes decode to the same pixels, so this finds them too, and also the same
    picture saved in two formats without loss.

    >>> shared([("a", "x"), ("b", "x"), ("b", "y")])
    {'x': ['a', 'b']}
    """
    owners: dict[str, dict[str, None]] = defaultdict(dict)
    for patient, digest in images:
        owners[digest][patient] = None
    return {digest: list(found) for digest, found in owners.items() if len(found) > 1}


def in_both(first: Iterable[object], second: Iterable[object]) -> int:
    """How many patients are in both columns: what is fitted on one tells nothing of the other.

    >>> in_both(["a", "a", "b"], ["a", "c"])
    1
    """
    return len({str(one) for one in first} & {str(one) for one in second})


def groups(
    owners: Mapping[str, Sequence[str]], patients: Iterable[str], rank: Callable[[str], int]
) -> dict[str, str]:
    """Patient -> the one who speaks for its group: the member of the lowest `rank`.

    The order of the table plays no part, so the same patients always give the same groups.
    """
    links = [(found[0], other) for found in owners.values() for other in found[1:]]
    everyone = joined(links, patients)
    heads: dict[str, str] = {}
    for members in everyone.values():
        if members[0] not in heads:
            heads[members[0]] = min(members, key=lambda patient: (rank(patient), patient))
    return {patient: heads[members[0]] for patient, members in everyone.items()}


def report(
    owners: Mapping[str, Sequence[str]],
    *,
    alone: Mapping[str, str],
    sides: Mapping[str, str],
    heads: Mapping[str, str],
) -> dict[str, int]:
    """Counts for dataset.json: what would have leaked, had each patient been split alone."""
    apart = [found for found in owners.values() if len({alone[p] for p in found}) > 1]
    involved = {patient for found in owners.values() for patient in found}
    return {
        "images_of_several_patients": len(owners),
        "patients_joined": len(involved),
        "groups": len({heads[patient] for patient in involved}),
        "images_that_would_leak": len(apart),
        "patients_moved": sum(alone[patient] != sides[patient] for patient in alone),
    }


def refuse(owners: Mapping[str, Sequence[str]], sides: Mapping[str, str]) -> None:
    """Stop where an identical image is on two sides.

    Raises:
        LeakageError: with counts, never with patients.
    """
    apart = [found for found in owners.values() if len({sides[p] for p in found}) > 1]
    if apart:
        patients = len({patient for found in apart for patient in found})
        raise LeakageError(
            f"an identical image must not be on two sides of a split; {len(apart)} images of "
            f"{patients} patients are. Pass --on-leak move to keep these patients on one side, or "
            "remove the copies"
        )


def conflicts(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Identical images whose studies state different labels, one row per study and label.

    `rows` have `digest`, `study` and `labels` (name -> 1, 0, NaN); NaN contradicts nothing.
    """
    seen: dict[str, dict[str, Mapping[str, float]]] = defaultdict(dict)
    for row in rows:
        seen[row["digest"]][row["study"]] = row["labels"]
    result = []
    for digest, studies in seen.items():
        if len(studies) < 2:
            continue
        names = dict.fromkeys(name for found in studies.values() for name in found)
        for name in names:
            stated = {
                study: found[name]
                for study, found in studies.items()
                if not math.isnan(found.get(name, math.nan))
            }
            if len(set(stated.values())) > 1:
                result += [
                    {"digest": digest, "label": name, "study": study, "value": value}
                    for study, value in stated.items()
                ]
    return result
