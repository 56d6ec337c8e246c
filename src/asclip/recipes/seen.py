"""Which of the scored images a run has learned from, whatever data set they lie in now.

`recipes.guard` compares the sides of the evaluated data set with one another. That says nothing of
a run that was trained on another one, such as the same table with another split, nor of scores of
the very side that it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asclip.card.privacy import clean
from asclip.data.dataset import Dataset
from asclip.data.tables import values_of
from asclip.errors import DataError
from asclip.recipes.exam import Exam
from asclip.recipes.guard import TASK, shown
from asclip.trust.overlap import share_known
from asclip.types import Score

METRICS = {"train": "images_trained_on", "val": "images_chosen_on"}
NONE = "no image of the split is not blank"


def seen(
    exam: Exam, *, say: Callable[[str], None] = lambda text: None
) -> tuple[list[Score], list[str]]:
    """Shares of the scored images that are in the run's own train and val, and a sentence.

    Metrics "images_trained_on" and "images_chosen_on" (`n` images that are not blank; digests are
    of pixels prepared as the run's). NaN with the reason where its own data set cannot be asked.
    """
    try:
        own = learned_from(exam)
    except DataError as error:
        why = f"what the run was trained on was not checked: {error}"
        return [_score(exam, metric, float("nan"), 0, why) for metric in METRICS.values()], [why]
    here = _digests(exam.part)
    found = {side: share_known(here, _digests(own.split(side))) for side in METRICS}
    say(f"{len(here):,} images compared with those that the run was trained on, {own.name}")
    scores = [_score(exam, METRICS[side], one, len(here), NONE) for side, (_, one) in found.items()]
    if own is exam.dataset:
        return scores, _of_its_own(exam.split)
    return scores, _of_another(exam.split, len(here), found["train"][0], found["val"][0])


def learned_from(exam: Exam) -> Dataset:
    """The data set that the run was trained on: the evaluated one itself where it is the same.

    Raises:
        DataError: it is not known, not there any more, of another format, or its images lie on
            other sides than they did.
    """
    record = exam.record["data"]
    if exam.dataset.split_hash == record.get("split"):
        return exam.dataset
    if record.get("folder") is None:
        raise DataError(
            f"{exam.run.name} must know the data set that it was trained on, and it was not "
            "trained here; ask those who published it"
        )
    folder = (exam.run / record["folder"]).resolve()
    if not folder.is_dir():
        raise DataError(
            f"the run's own data set must be where it was in training, and {folder.name}/ is not "
            "there any more; put it back"
        )
    own = Dataset.open(folder)
    if own.split_hash != record.get("split"):
        raise DataError(
            f"{folder.name}/ must have each image on the side where it was in training, and it was "
            "made anew; ingest it as it was"
        )
    return own


def _digests(part: Dataset) -> list[str]:
    return np.asarray(values_of(part.images, "digest"))[shown(part)].tolist()


def _of_its_own(split: str) -> list[str]:
    """Of test the guard has said what there is to say."""
    told = {
        "train": "the run was trained on train: its scores tell what it remembers",
        "val": "val is not new to the run: weights and settings may have been chosen on it",
        "all": "all holds what the run was trained on: its scores tell what it remembers, too",
    }
    return [f"{told[split]}; for new patients, evaluate --split test"] if split in told else []


def _of_another(split: str, images: int, trained: int, chosen: int) -> list[str]:
    if not trained and not chosen:
        return []
    return [
        f"{split} is not new to the run, which was trained on another data set: of {images:,} "
        f"images {trained:,} are in its train and {chosen:,} in its val. Scores may be too high; "
        "take these studies out, or evaluate test of the run's own data set"
    ]


def _score(exam: Exam, metric: str, value: float, images: int, why: str) -> Score:
    return Score(
        exam.dataset.name, exam.split, TASK, metric, "", value, n=images,
        preprocessing=exam.dataset.preprocessing.digest,
        why_nan=clean(why) if value != value else "",
    )  # fmt: skip
