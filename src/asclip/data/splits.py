"""Which side of a split a patient is on: a hash of the patient, stable when data is added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from asclip.errors import DataError, LeakageError, nearest
from asclip.types import Study

SIDES = ("train", "val", "test")
FRACTIONS = (0.7, 0.1, 0.2)
SPELLINGS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "validate", "dev", "tune"),
    "test": ("test", "testing"),
}


def uniform(patient: str, *, seed: int = 0) -> float:
    """A number in [0, 1) that depends on the patient and the seed alone.

    The first 53 bits of BLAKE2b (RFC 7693) of seed and patient, so that no patient moves when
    others are added. Another seed is another, independent split.

    >>> uniform("a") == uniform("a"), uniform("a") == uniform("a", seed=1)
    (True, False)
    """
    return (_hash(patient, seed) >> 11) / 2**53


def rank(patient: str, *, seed: int = 0) -> int:
    """An order of patients, independent of `uniform`: the lowest of a group speaks for it.

    Were it `uniform` itself, large groups would all fall into the first side.
    """
    return _hash(f"rank\0{patient}", seed)


def _hash(word: str, seed: int) -> int:
    data = f"asclip\0{seed}\0{word}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def side(value: float, fractions: Sequence[float] = FRACTIONS) -> str:
    """Where a number in [0, 1) falls: train, val or test.

    >>> side(0.69), side(0.75), side(0.99)
    ('train', 'val', 'test')
    """
    train, val, _ = fractions
    # The sum of the first two is rounded: 0.7 + 0.1 is 0.7999999999999999 in binary.
    return SIDES[0] if value < train else SIDES[1] if value < round(train + val, 12) else SIDES[2]


def check(fractions: Sequence[float]) -> tuple[float, float, float]:
    """The three fractions, if they are not negative and sum to 1.

    Raises:
        DataError: they do not.
    """
    values = tuple(float(value) for value in fractions)
    if len(values) != 3 or not min(values) >= 0 or abs(sum(values) - 1) > 1e-6:
        raise DataError(
            f"the split fractions (train, val, test) must be three numbers that are not negative "
            f"and sum to 1, got {values}; for instance 0.7, 0.1, 0.2"
        )
    return values[0], values[1], values[2]


def side_named(word: str, *, where: str = "the table") -> str:
    """The side that a word of a `split` column means.

    >>> side_named("Validate")
    'val'

    Raises:
        DataError: another word.
    """
    for name, spellings in SPELLINGS.items():
        if word.strip().lower() in spellings:
            return name
    known = [spelling for spellings in SPELLINGS.values() for spelling in spellings]
    raise DataError(
        f"{where}: a split must be train, val or test, got {word[:20]!r}; {nearest(word, known)}"
    )


def given(studies: Iterable[Study]) -> dict[str, str]:
    """Patient -> side, for the patients whose side the source states.

    Raises:
        LeakageError: a patient whose studies are stated to be in two splits; it has counts only.
    """
    result: dict[str, str] = {}
    torn: set[str] = set()
    for study in studies:
        if study.split and result.setdefault(study.patient, study.split) != study.split:
            torn.add(study.patient)
    if torn:
        raise LeakageError(
            f"a patient must be in one split; {len(torn)} of {len(result)} patients are in two by "
            "the split column. Correct the column, or drop it and let the patients be hashed"
        )
    return result


def assign(
    groups: Mapping[str, str],
    *,
    stated: Mapping[str, str] | None = None,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
) -> dict[str, str]:
    """Patient -> side. `groups` maps each patient to the one who speaks for the group.

    A stated side wins over the hash; where the members of a group have several stated sides, the
    most held-out one wins (test, then val), so that no test study is ever trained on.

    >>> assign({"a": "a", "b": "a"}, stated={"b": "val"})
    {'a': 'val', 'b': 'val'}
    """
    fractions = check(fractions)
    told: dict[str, str] = {}
    for patient, name in (stated or {}).items():
        head = groups[patient]
        told[head] = max(told.get(head, name), name, key=SIDES.index)
    heads = {
        head: told.get(head) or side(uniform(head, seed=seed), fractions)
        for head in dict.fromkeys(groups.values())
    }
    return {patient: heads[head] for patient, head in groups.items()}
