"""What a run is examined with: its model, a data set, a split, prompt sets and tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet, list_prompt_sets, load_prompt_set
from asclip.errors import DataError, ModelError
from asclip.recipes.pretraining import load, read_run
from asclip.tasks.classification.supervised import Supervised
from asclip.tasks.classification.truth import classes_in
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.tasks.crossmodal.retrieval import Retrieval
from asclip.tasks.crossmodal.signals import SignalRetrieval
from asclip.towers.model import Model
from asclip.types import Encoded


class Encodings:
    """A model that remembers the images it has encoded, so that tasks share the work."""

    def __init__(self, model: Model) -> None:
        self.model = model
        # The data set is kept beside: another could get the number of one that is gone.
        self.known: dict[tuple[int, bool], tuple[Dataset, Encoded]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_images(self, dataset: Dataset, **options: Any) -> Encoded:
        """`Model.encode_images`, once per data set object."""
        key = (id(dataset), bool(options.get("local")))
        if key not in self.known:
            self.known[key] = (dataset, self.model.encode_images(dataset, **options))
        return self.known[key][1]


@dataclass(frozen=True)
class Exam:
    """A run and what it is asked about; all blocks of an evaluation share it and its encodings.

    `part` is the `split` of `dataset` that scores tell about; `train` and `held_out` are the sides
    on which heads and thresholds are fitted and chosen.
    """

    run: Path
    record: dict[str, Any]
    model: Encodings
    dataset: Dataset
    part: Dataset
    split: str
    sets: tuple[PromptSet, ...]

    @cached_property
    def train(self) -> Dataset:
        """The training side."""
        return self.dataset.split("train")

    @cached_property
    def held_out(self) -> Dataset:
        """The validation side."""
        return self.dataset.split("val")

    @property
    def seed(self) -> int:
        """The run's own."""
        return int(self.record["parameters"]["seed"])

    @property
    def tasks(self) -> list[tuple[str, Any]]:
        """The vision-biased tasks, by the name that their predictions get."""
        return tasks_of(self.model.model, self.dataset, self.part, list(self.sets), self.seed)


def opened(
    run: Path,
    data: Path | None,
    split: str,
    prompts: Sequence[str],
    say: Callable[[str], None] = lambda text: None,
) -> Exam:
    """The exam of a run; `data` None is the data set that it was trained on.

    `prompts` are names or files; by default every packaged set whose classes the data set has.
    """
    record = read_run(run)
    model = Encodings(load(run))
    dataset = Dataset.open(data or own_data(run, record))
    check_preprocessing(model.model, dataset)
    part = dataset.split(split)
    sets = [load_prompt_set(name) for name in prompts] or _asked(dataset, part, split, say)
    if not prompts and dataset.labels and all(one.single_label for one in sets):
        say(
            f"no zero-shot scores for the labels: no packaged prompt set names "
            f"{', '.join(dataset.labels[:5])}; write one and give it with --prompts FILE"
        )
    return Exam(run, record, model, dataset, part, split, tuple(sets))


def own_data(run: Path, record: dict[str, Any]) -> Path:
    """Where the run's data set is, seen from the run."""
    if record["data"]["folder"] is None:
        raise DataError(
            f"{run.name} was not trained here and has no data set of its own; give one: "
            f"asclip evaluate {run.name} DATA"
        )
    folder = (run / record["data"]["folder"]).resolve()
    if not folder.is_dir():
        raise DataError(
            f"the data set of the run must be where it was in training; {folder.name}/ is not "
            f"there any more; give its place: asclip evaluate {run.name} DATA"
        )
    return folder


def tasks_of(
    model: Model, dataset: Dataset, part: Dataset, sets: list[PromptSet], seed: int
) -> list[tuple[str, Any]]:
    """The tasks of a run, by the name that their predictions get."""
    if model.classifier is not None:
        return [("supervised", Supervised(dataset.labels, seed=seed))]
    tasks: list[tuple[str, Any]] = [
        (f"zero-shot-{one.name}", ZeroShot(one, seed=seed)) for one in sets
    ]
    if any(part.texts()):
        tasks.append(("retrieval", Retrieval(seed=seed)))
    if model.encoder.signal is not None and part.signals is not None:
        tasks.append(("signal-retrieval", SignalRetrieval(seed=seed)))
    return tasks


def check_preprocessing(model: Model, dataset: Dataset) -> None:
    """Refuse pixels that were made in another way than the model's own."""
    ours, theirs = model.preprocessing.to_json(), dataset.preprocessing.to_json()
    for key in ("mean", "std"):  # applied to the cached pixels, so each model may have its own
        ours.pop(key, None)
        theirs.pop(key, None)
    changed = [key for key in ours if ours[key] != theirs.get(key)]
    if changed:
        shown = ", ".join(f"{k}: model {ours[k]}, data {theirs.get(k)}" for k in changed)
        raise ModelError(
            f"images must be prepared as in training; they differ in {shown}; ingest the data "
            "again with the model's settings"
        )


def _asked(
    dataset: Dataset, part: Dataset, split: str, say: Callable[[str], None]
) -> list[PromptSet]:
    """Of the packaged sets that fit the data set those that the split has a study for."""
    sets = fitting(dataset)
    found = [one for one in sets if classes_in(one, part)]
    for one in sets:
        if one not in found:
            say(f"prompt set {one.name} is left out: no study of split {split!r} has its classes")
    return found


def fitting(dataset: Dataset) -> list[PromptSet]:
    """The packaged prompt sets that this data set has the truth for."""
    sets = [load_prompt_set(name) for name in list_prompt_sets()]
    return [one for one in sets if len(classes_in(one, dataset)) >= (2 if one.single_label else 1)]
