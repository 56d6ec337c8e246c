"""More supervision from the same texts: shuffled sentences, other words, prompts from findings.

All of it is made once, before training: `mine` adds variants and prompts to the `Pieces` of the
training studies. What a report states, denies or doubts is the same in each of its variants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from asclip.clinical import acquisition
from asclip.data.dataset import Dataset
from asclip.data.eda import keeps_findings, reworded
from asclip.data.label_prompts import labelled, prompts, stated, with_places, wordings
from asclip.data.texts import Pieces, same
from asclip.errors import DataError
from asclip.files.report import sections, sentences

WAYS = ("shuffle", "eda", "prompts", "acquisition")
EACH = 4  # variants of a text, of each kind
_WORD = re.compile(r"\w+")


def shuffled(text: str, rng: np.random.Generator) -> str:
    """The same sentences in another order, each in its own section.

    >>> shuffled("Clear lungs. No effusion.", np.random.default_rng(0))
    'No effusion. Clear lungs.'
    """
    parts = []
    for name, body in sections(text).items():
        heading = {"text": "", "signature": "SIGNED BY: "}.get(name, f"{name.upper()}: ")
        lines = [s if s[-1] in ".!?" else f"{s}." for s in sentences(body)]
        mixed = [lines[k] for k in rng.permutation(len(lines))]
        parts.append(heading + " ".join(mixed if mixed != lines else lines[1:] + lines[:1]))
    new = "\n".join(parts)
    return new if keeps_findings(text, new) else text


def rewritten(text: str, rewrite: Callable[[str], str]) -> str:
    """What `rewrite` makes of a text (there and back through another language, say).

    The text itself where a finding, its side or place, a doubt or a number would change.
    """
    new = rewrite(text)
    return new if new.strip() and keeps_findings(text, new) else text


def mine(
    found: Pieces,
    dataset: Dataset,
    ways: Iterable[str],
    *,
    seed: int = 0,
    rewrite: Callable[[str], str] | None = None,
    required: bool = True,
) -> Pieces:
    """`found`, the texts of `dataset`, with what the `ways` add.

    "shuffle", "eda": variants of every text, a batch brings one of them in its place. "prompts":
    sentences made of label columns and, where those do not say, of what the report states; they
    join the study's sentences, each with its wordings as variants, and a study without any text
    gets all of them as its whole text. "acquisition": a sentence that says the modality and the
    plane, where the study's own text names them ("T2 FLAIR" is magnetic resonance). `rewrite`
    gives one more variant of a text; see `rewritten`.

    Raises:
        DataError: an unknown way, or nothing to add although that is `required`.
    """
    ways = tuple(ways)
    if unknown := set(ways) - set(WAYS):
        raise DataError(f"mining must be of {', '.join(WAYS)}; got {sorted(unknown)[0]!r}")
    pool = _Pool(found)
    rng = np.random.default_rng([seed, 5])
    sentence_variants: dict[str, list[str]] = {}
    changes = {"shuffle": shuffled, "eda": partial(reworded, known=sentence_variants)}
    mined: dict[str, set[int]] = {way: set() for way in ways}
    for number, text in enumerate(found.texts):
        for way in (way for way in ways if way in changes):
            if pool.vary(number, [changes[way](text, rng) for _ in range(EACH)]):
                mined[way].add(number)
        if rewrite is not None:
            pool.vary(number, [rewritten(text, rewrite)])
    if "prompts" in ways:
        before, found = found, _prompted(found, dataset, pool, rng)
        mined["prompts"] = _joined(before, found)
    if "acquisition" in ways:
        before, found = found, _acquired(found, pool)
        mined["acquisition"] = _joined(before, found)
    if required and ways and not pool.variants and len(pool.texts) == pool.own:
        raise DataError(
            f"mining ({', '.join(ways)}) must find something to change or to add, and found "
            "nothing; leave it out, or give texts of several sentences or label columns"
        )
    made = len(pool.texts) - pool.own
    return replace(
        found,
        texts=pool.texts,
        variants=pool.variants,
        made=made,
        mined={way: frozenset(numbers) for way, numbers in mined.items()},
    )


def corpus(found: Pieces, patient: np.ndarray) -> tuple[list[str], list[str]]:
    """What a tokenizer learns from: (one text a patient, words that are nobody's).

    All that is said of a patient is one document: a name that stands in many sentences and reports
    of one patient stays a word of one document, and out of the vocabulary (`Tokenizer.train`).
    Words that mining brought, but no report has, come from the catalogue and are no names.
    """
    count = len(found.texts) - found.made
    said: dict[int, dict[int, None]] = {}
    for row, owner in enumerate(patient.tolist()):
        own = [found.whole[row : row + 1], found.parts[row], found.further[row]]
        numbers = np.concatenate(own).astype(np.int64).tolist()
        said.setdefault(owner, {}).update(dict.fromkeys(n for n in numbers if 0 <= n < count))
    documents = [" ".join(found.texts[n] for n in numbers) for numbers in said.values() if numbers]
    documents += [found.texts[n] for n in found.loose.tolist() if n < count]
    new = dict.fromkeys(_words(found.texts[count:]))
    for word in _words(documents):
        new.pop(word, None)
    return documents, list(new)


def _words(texts: Iterable[str]) -> Iterator[str]:
    return (word for text in texts for word in _WORD.findall(text.lower()))


class _Pool:
    """Distinct texts and their variants, growing."""

    def __init__(self, found: Pieces) -> None:
        self.texts, self.own = list(found.texts), len(found.texts)
        self.known = {same(text): number for number, text in enumerate(found.texts)}
        self.variants = dict(found.variants)

    def number(self, text: str) -> int:
        """The number of a text; texts that say the same share it."""
        text = " ".join(text.split())
        number = self.known.setdefault(same(text), len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def vary(self, number: int, texts: Iterable[str]) -> bool:
        """Add those of the texts that differ from the one of this number; whether any does."""
        before = self.variants.get(number, ())
        new = {self.number(text) for text in texts} - {number}
        if new:
            self.variants[number] = np.array(sorted({*before, *new}), np.int64)
        return bool(new)


def _joined(before: Pieces, after: Pieces) -> set[int]:
    """The texts that studies have after and did not have before."""
    parts = [np.setdiff1d(b, a) for a, b in zip(before.parts, after.parts, strict=True)]
    whole = after.whole[after.whole != before.whole]
    return set(np.concatenate([whole, *parts]).tolist())


def _prompted(found: Pieces, dataset: Dataset, pool: _Pool, rng: np.random.Generator) -> Pieces:
    """With prompts among the sentences, and as the text of studies without any."""
    whole, parts = found.whole.copy(), []
    for row, values in enumerate(dataset.label_matrix()):
        text = found.texts[whole[row]] if whole[row] >= 0 else ""
        said = stated(text)
        told = {**said, **with_places(labelled(dataset.labels, values), said)}
        own = []
        for name, (present, place) in told.items():
            choices = wordings(name, present, place)
            if choices:
                own.append(pool.number(choices[0]))
                pool.vary(own[-1], choices[1:])
        if own and whole[row] < 0 and not len(found.further[row]):
            whole[row] = pool.number(" ".join(prompts(told, rng)))
            pool.vary(whole[row], [" ".join(prompts(told, rng)) for _ in range(EACH)])
        parts.append(np.unique(np.concatenate([found.parts[row], np.array(own, np.int64)])))
    return replace(found, whole=whole, parts=parts)


def _acquired(found: Pieces, pool: _Pool) -> Pieces:
    """With a sentence on how the image was made, where the study's whole text tells it."""
    parts = []
    for number, own in zip(found.whole.tolist(), found.parts, strict=True):
        choices = acquisition.wordings(found.texts[number]) if number >= 0 else ()
        numbers = [pool.number(text) for text in choices]
        if numbers:
            pool.vary(numbers[0], choices[1:])
        parts.append(np.unique(np.concatenate([own, np.array(numbers[:1], np.int64)])))
    return replace(found, parts=parts)
