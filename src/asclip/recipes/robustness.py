"""What a run's scores lose to bad images, other words, missing views, other sites, one attack.

Pixels are changed as the model gets them, after decoding and resizing. What encodes images anew
takes `STUDIES` of the part, drawn by patients with the seed; the record's `n` says how many. Text
is changed on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet
from asclip.data.tables import values_of
from asclip.errors import DataError, ModelError
from asclip.recipes.exam import Encodings
from asclip.recipes.robust_words import absent_texts, words
from asclip.tasks.classification.supervised import Supervised
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.trust.adversarial import direction, moved
from asclip.trust.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from asclip.trust.robustness import (
    Quality,
    by_group,
    compared,
    mean_quality,
    quality,
    relative_drop,
    score_of,
    warnings_of,
)
from asclip.trust.shortcut import NUISANCES
from asclip.trust.subgroups import groups
from asclip.types import Encoded, Predictions, Score

STUDIES = 100
LEVELS = (1, 2, 3, 4)  # grey levels of the attack
Say = Callable[[str], None]


def robustness(
    model: Encodings,
    part: Dataset,
    sets: Sequence[PromptSet],
    *,
    seed: int,
    resamples: int = 200,
    studies: int = STUDIES,
    faults: Sequence[str] = tuple(CORRUPTIONS),
    say: Say = lambda text: None,
) -> tuple[list[Score], list[str]]:
    """Records of the tasks "robustness-...", and sentences about what a user must know.

    `faults` are names of `CORRUPTIONS`.

    Labels: "clean", "blur-3", "blur" (mean of five), "fgsm-1" (grey levels; "random-4" is as large
    a change at random), "typing-2", "least template", "denied", "without LATERAL", "site Harbour".
    A supervised run is asked without its prompts: `sets` do not matter.
    """
    reader: Any = _Reader(model.model)
    supervised = model.model.classifier is not None
    asked: list[PromptSet | None] = [None] if supervised else list(sets)
    tasks = [Supervised(part.labels, seed=seed) if one is None else ZeroShot(one, seed=seed)
             for one in asked]  # fmt: skip
    draw = {"seed": seed, "resamples": resamples}
    scores: list[Score] = []
    few = _some(part, studies, seed)
    say(f"robustness: images of {len(few):,} studies, words on {len(part):,}")
    once = Encodings(reader)
    told = [(pair, task, found) for pair, task in zip(asked, tasks, strict=True)
            if (found := _told(task, once, few, say)) is not None]  # fmt: skip
    clean = [found for _, _, found in told]
    scores += _faults(reader, few, [task for _, task, _ in told], clean, faults, draw)
    for prompts, task, before in told:
        scores += _attacked(reader, few, (prompts, task), before, draw)
    several = _some(_with_views(part), studies, seed)
    if len(several):
        scores += _views(reader, several, tasks, draw, say)
    whole = [task.predict(model, part) for task in tasks]
    for prompts, predictions in zip(asked, whole, strict=True):
        scores += _sites(part, predictions, draw, say)
        if prompts is not None:
            scores += words(model, part, prompts, predictions, draw)
    if not supervised:
        scores += absent_texts(model, part, draw)
    return scores, warnings_of(scores)


class _Reader:
    """A model that remembers the texts it has encoded: the same prompts for every fault."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.known: dict[tuple[str, ...], Encoded] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_texts(self, texts: Sequence[str]) -> Encoded:
        """`Model.encode_texts`, once for a list of texts."""
        key = tuple(texts)
        if key not in self.known:
            self.known[key] = self.model.encode_texts(texts)
        return self.known[key]


def _predict(reader: Any, data: Dataset, tasks: Sequence[Any]) -> list[Predictions]:
    """Predictions of all tasks, from one encoding of the images."""
    once = Encodings(reader)
    return [task.predict(once, data) for task in tasks]


def _told(task: Any, once: Encodings, data: Dataset, say: Say) -> Predictions | None:
    """Predictions, or None where these studies do not tell what is asked, such as their view."""
    try:
        return task.predict(once, data)
    except DataError as error:
        say(f"robustness: left out for {len(data):,} of the studies: {error}")
        return None


def _some(part: Dataset, studies: int, seed: int) -> Dataset:
    """About so many studies, of patients in a random order, with pixels of their own in memory."""
    _, first, place = np.unique(part.patient_codes(), return_index=True, return_inverse=True)
    # Numbered by first appearance: other pseudonyms for the same patients change no draw.
    number = first.argsort().argsort()[place]
    order = np.random.default_rng(seed).permutation(len(first))[number]
    few = part.take(np.sort(np.argsort(order, kind="stable")[:studies]))
    slots = values_of(few.images, "slot")
    pixels = np.stack([part.pixels[slot] for slot in slots]) if len(slots) else part.pixels[:0]
    return replace(few, pixels=pixels, images=few.images.assign(slot=np.arange(len(slots))))


def _faults(
    reader: Any,
    few: Dataset,
    tasks: Sequence[Any],
    clean: Sequence[Predictions],
    faults: Sequence[str],
    draw: dict[str, int],
) -> Iterator[Score]:
    """Every corruption at every severity; each image has its own chance, the same at all five."""
    bases = [quality(one, **draw) for one in clean]
    for one, base in zip(clean, bases, strict=True):
        yield score_of(one, "images", "clean", base)
    for name in faults:
        lost: list[list[Quality]] = [[] for _ in tasks]
        for severity in SEVERITIES:
            chance = [draw["seed"], crc32(name.encode())]
            pixels = [
                corrupt(item, name, severity, np.random.default_rng([*chance, row]))
                for row, item in enumerate(few.pixels)
            ]
            found = _predict(reader, replace(few, pixels=np.stack(pixels)), tasks)
            for task, (one, base) in enumerate(zip(found, bases, strict=True)):
                now = quality(one, **draw)
                lost[task].append(relative_drop(base, now))
                yield score_of(one, "images", f"{name}-{severity}", now)
                yield score_of(one, "images", f"{name}-{severity}", lost[task][-1])
        for one, drops in zip(clean, lost, strict=True):
            yield score_of(one, "images", name, mean_quality(drops))


def _attacked(
    reader: Any,
    few: Dataset,
    question: tuple[PromptSet | None, Any],
    clean: Predictions,
    draw: dict[str, int],
) -> Iterator[Score]:
    prompts, task = question
    if prompts is not None:
        known = [label for label in clean.labels if label in prompts.classes]
        prompts = prompts.only(*known)
        columns = [clean.labels.index(label) for label in prompts.labels]
    else:
        columns = list(range(len(clean.labels)))
    owner = values_of(few.images, "study")
    try:
        signs = direction(reader, few.pixels, clean.truth[owner][:, columns], prompts)
    except ModelError as error:
        nothing = Quality("relative_drop", float("nan"), np.empty(0), len(few), 0.0)
        yield replace(score_of(clean, "attack", f"fgsm-{LEVELS[0]}", nothing), why_nan=str(error))
        return
    coin = np.random.default_rng(draw["seed"]).integers(0, 2, signs.shape, np.int8) * 2 - 1
    changes = {f"fgsm-{e}": (signs, e) for e in LEVELS}
    changes |= {f"random-{LEVELS[-1]}": (coin, LEVELS[-1])}
    found = {
        label: _predict(reader, replace(few, pixels=moved(few.pixels, *change)), [task])[0]
        for label, change in changes.items()
    }
    for both in compared(clean, found, "attack", **draw).values():
        yield from both


def _names(part: Dataset) -> np.ndarray:
    """The view of each image, or its place where the view is not known."""
    views = [str(view or "") for view in values_of(part.images, "view")]
    owner = values_of(part.images, "study")
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return np.array([v or f"image {p + 1}" for v, p in zip(views, place, strict=True)], object)


def _with_views(part: Dataset) -> Dataset:
    """The studies with images of two views or more."""
    owner, names = values_of(part.images, "study"), _names(part)
    kinds = [len(set(names[owner == study])) for study in range(len(part))]
    return part.take(np.array(kinds, int) > 1)


def _views(
    reader: Any, part: Dataset, tasks: Sequence[Any], draw: dict[str, int], say: Say
) -> Iterator[Score]:
    """Each view left out of the studies that have another one, too."""
    names, owner = _names(part), values_of(part.images, "study")
    for view in sorted(set(names)):
        rows = np.unique(owner[names == view])
        here = part.take(rows)
        kept = here.images[_names(here) != view].reset_index(drop=True)
        whole, reduced = Encodings(reader), Encodings(reader)
        for task in tasks:
            one = _told(task, whole, here, say)
            if one is None:
                continue
            other = task.predict(reduced, replace(here, images=kept))
            if not np.array_equal(one.truth, other.truth, equal_nan=True):
                continue  # what is asked is the view itself
            label = f"without {view}"
            yield from compared(one, {label: other}, "missing", **draw)[label]


def _sites(
    part: Dataset, predictions: Predictions, draw: dict[str, int], say: Say
) -> Iterator[Score]:
    for name in part.meta_names:
        if name.lower() not in NUISANCES:
            continue
        try:
            among = groups(name, part.meta(name).tolist())
        except ValueError as error:
            say(f"robustness: {error}")
            continue
        if len(among.names) > 1:
            for both in by_group(predictions, among, **draw):
                yield from both
