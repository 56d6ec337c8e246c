"""What makes scores too good: what training has seen of a split, and what tells where films are of.

Ingest keeps a patient, and identical images, on one side (`data.leakage`). This looks at the data
set as it lies there: splits that came with a table, and copies that are not identical. What the
run itself was trained on is asked in `recipes.seen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.leakage import shared
from asclip.data.prompts import PromptSet
from asclip.data.tables import values_of
from asclip.errors import DataError
from asclip.recipes.exam import Encodings
from asclip.tasks.classification.truth import truth_of
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.trust.overlap import Shared, cells, near, said, same_texts
from asclip.trust.shortcut import NUISANCES, ends, shortcut
from asclip.trust.subgroups import Groups, groups
from asclip.types import Score

TASK = "leakage-guard"
# Of 3,955 Open-I reports, 1,441 have 40 words or more, and 15 of these stand twice or three times:
# a long text that only two patients have is one report, not a habit.
WORDS, PATIENTS = 40, 2


def guard(
    dataset: Dataset, split: str = "test", *, say: Callable[[str], None] = lambda text: None
) -> tuple[list[Score], list[str]]:
    """Shares of the studies of `split` that the other sides know, and a sentence where any is.

    Metrics, each a share of the studies (`n` of them): "patients", "identical_images",
    "near_duplicates" of other patients' pictures, "texts" (what training reads of a report, word
    for word) and "own_texts": long ones of few patients, which no two reports share by chance.
    """
    part = dataset.split(split)
    others = dataset.take(values_of(dataset.studies, "split") != split)
    if split == "all" or not len(part) or not len(others):
        say(f"leakage guard: {dataset.name} has nothing beside {split} to compare with")
        return [], []
    copies = _near_duplicates(part, others)
    texts = same_texts(part.texts(), others.texts())
    flags = {
        "patients": _same(part, others, "patient") | _same(part, others, "group"),
        "identical_images": _identical(part, others),
        "near_duplicates": copies,
        "texts": texts,
        "own_texts": texts & _few_say_it(dataset, part),
    }
    scores = [_score(dataset, split, name, found) for name, found in flags.items()]
    return scores, _said(split, flags)


def _same(part: Dataset, others: Dataset, column: str) -> np.ndarray:
    known = set(values_of(others.studies, column))
    return np.array([value in known for value in values_of(part.studies, column)], bool)


def _identical(part: Dataset, others: Dataset) -> np.ndarray:
    """[n] whether a study has an image whose decoded pixels are those of another side."""
    here, there = (values_of(one.images, "digest")[shown(one)] for one in (part, others))
    both = set(shared([("here", d) for d in here] + [("there", d) for d in there]))
    owner = values_of(part.images, "study")[shown(part)]
    return _studies(part, owner[[digest in both for digest in here]])


def _near_duplicates(part: Dataset, others: Dataset) -> np.ndarray:
    """[n] whether a study has a picture that is nearly one of another patient of another side."""
    colour = part.preprocessing.channels == 3
    x, owner, patient = [], [], []
    for one in (part, others):
        slots = values_of(one.images, "slot")
        rows = shown(one)[np.argsort(slots[shown(one)])]  # the disk is read in order
        x.append(cells(one.pixels[slots[rows]], colour=colour))
        owner.append(values_of(one.images, "study")[rows])
        patient.append(values_of(one.studies, "patient")[owner[-1]])
    common = Shared.of(np.concatenate(x))
    pairs = near(*(common.own(each) for each in x))
    apart = patient[0][pairs[:, 0]] != patient[1][pairs[:, 1]]
    return _studies(part, owner[0][pairs[apart, 0]])


def shown(part: Dataset) -> np.ndarray:
    """Rows of the image table that are not blank: one blank picture is like every other."""
    return np.flatnonzero(~values_of(part.images, "blank").astype(bool))


def _studies(part: Dataset, rows: np.ndarray) -> np.ndarray:
    found = np.zeros(len(part), bool)
    found[rows] = True
    return found


def _few_say_it(dataset: Dataset, part: Dataset) -> np.ndarray:
    """[n] whether a study's text has `WORDS` words, and at most `PATIENTS` patients have it."""
    owners: dict[str, set[str]] = {}
    for text, patient in zip(dataset.texts(), values_of(dataset.studies, "patient"), strict=True):
        owners.setdefault(said(text), set()).add(str(patient))
    texts = [said(text) for text in part.texts()]
    return np.array([len(t.split()) >= WORDS and len(owners[t]) <= PATIENTS for t in texts], bool)


def _score(dataset: Dataset, split: str, name: str, found: np.ndarray) -> Score:
    return Score(
        dataset=dataset.name,
        split=split,
        task=TASK,
        metric=name,
        label="",
        value=float(found.mean()),
        n=len(found),
        preprocessing=dataset.preprocessing.digest,
    )


def _said(split: str, flags: dict[str, np.ndarray]) -> list[str]:
    """One sentence where something leaks; equal short reports are no leak."""
    words = {
        "patients": "are of patients that are also on another side",
        "identical_images": "have an image that another side has, too",
        "near_duplicates": "have nearly the picture of another patient on another side",
        "own_texts": f"have a report of {WORDS} words or more that another side has, too",
    }
    n = len(flags["patients"])
    counts = {name: int(flags[name].sum()) for name in words}
    told = [f"{count:,} {words[name]}" for name, count in counts.items() if count]
    if not told:
        return []
    return [
        f"{split} is not apart from training: of {n:,} studies "
        f"{'; '.join(told)}. Scores may be too high; take these studies out, or ingest "
        "again without the table's split column"
    ]


def shortcuts(
    model: Encodings,
    dataset: Dataset,
    sets: Sequence[PromptSet],
    *,
    split: str = "test",
    seed: int = 0,
    resamples: int = 200,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[list[Score], list[str]]:
    """Is a finding told by the site or device? For every column of `NUISANCES` and every label.

    Which group has the label more often is what the training split says. Sets of one class of
    several are not asked.
    """
    part, train = dataset.split(split), dataset.split("train")
    scores: list[Score] = []
    warnings: list[str] = []
    sides = values_of(dataset.studies, "split")
    for name in dataset.meta_names:
        if name.lower() not in NUISANCES:
            continue
        try:
            every = groups(name, dataset.meta(name).tolist())
            here, there = (
                Groups(name, every.names, every.member[sides == side]) for side in (split, "train")
            )
            for prompts in sets:
                if not prompts.single_label:
                    found = _by_site(model, (part, here), (train, there), prompts, seed, resamples)
                    scores += found[0]
                    warnings += found[1]
        except (ValueError, DataError) as error:
            say(f"shortcut probe: {error}")
    return scores, warnings


def _by_site(
    model: Encodings,
    asked: tuple[Dataset, Groups],
    known: tuple[Dataset, Groups],
    prompts: PromptSet,
    seed: int,
    resamples: int,
) -> tuple[list[Score], list[str]]:
    (part, here), (train, there) = asked, known
    found = ZeroShot(prompts, seed=seed).predict(model, part)
    truth = truth_of(prompts, train)
    tied = [ends(truth.values[:, truth.labels.index(label)], there) for label in found.labels]
    vectors = model.encode_images(part).pooled.numpy()
    return shortcut(vectors, found, here, tied, seed=seed, resamples=resamples)
