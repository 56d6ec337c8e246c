"""From a run and a data set to scores, predictions and the report card; and scores of one file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from asclip import __version__, card
from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet, list_prompt_sets, load_prompt_set
from asclip.errors import DataError, FileError, ModelError
from asclip.files import read
from asclip.recipes.pictures import examples, heatmaps
from asclip.recipes.pretraining import load, read_run
from asclip.results import read_predictions, read_scores, write_predictions, write_scores
from asclip.tasks.classification.supervised import Supervised
from asclip.tasks.classification.truth import classes_in
from asclip.tasks.classification.zero_shot import ZeroShot, score_encoded
from asclip.tasks.crossmodal.retrieval import Retrieval
from asclip.tasks.crossmodal.signals import SignalRetrieval
from asclip.towers.model import Model
from asclip.types import Encoded, Predictions, Score


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


def evaluate(
    run: Path,
    data: Path | None = None,
    *,
    split: str = "test",
    prompts: Sequence[str] = (),
    out: Path | None = None,
    images: bool = True,
    bound: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Score]:
    """Scores of a run on a split; writes scores.json (or `out`), predictions/ and card.html.

    Files of another split or data set than the run's own test split have its name in theirs, so
    that none replaces another: scores-NAME-val.json. `say` is told where they are.

    `data` defaults to the data set that the run was trained on. `prompts` are names or files; by
    default every packaged set whose classes the data set has. `bound` is a supervised run whose
    scores stand beside the zero-shot ones. `images=False` leaves pictures out of the card.
    """
    record = read_run(run)
    model = Encodings(load(run))
    dataset = Dataset.open(data or own_data(run, record))
    check_preprocessing(model.model, dataset)
    part = dataset.split(split)
    other = ""
    if split != "test" or dataset.hash != record["data"]["hash"]:
        other = "-" + re.sub(r"[^\w.-]", "_", f"{dataset.name}-{split}")
    seed = int(record["parameters"]["seed"])
    sets = [load_prompt_set(name) for name in prompts] or fitting(dataset)
    if not prompts and dataset.labels and all(one.single_label for one in sets):
        say(
            f"no zero-shot scores for the labels: no packaged prompt set names "
            f"{', '.join(dataset.labels[:5])}; write one and give it with --prompts FILE"
        )
    found = Found(dataset.describe())
    for name, task in tasks_of(model.model, dataset, part, sets, seed):
        say(f"{name} on {len(part):,} studies")
        predictions = task.predict(model, part)
        write_predictions(run / "predictions" / f"{name}{other}.npz", predictions)
        found.predictions[name] = predictions
        found.scores += task.evaluate(predictions)
    if not found.scores:
        raise DataError(
            "nothing can be scored: the data set has no text and no label or column that a prompt "
            f"set names ({', '.join(list_prompt_sets())}); give --prompts FILE"
        )
    if bound is not None:
        found.bound = read_scores(bound / f"scores{other}.json")
        beside = bound / "predictions" / f"supervised{other}.npz"
        found.beside = [read_predictions(beside)] if beside.exists() else []
    written = out or run / f"scores{other}.json"
    write_scores(written, found.scores + found.bound, add=False)
    path = run / f"card{other}.html"
    _write_card(path, run, record, part, model, found, images=images, sets=sets)
    say(f"written: {written} and {path}")
    return found.scores + found.bound


def own_data(run: Path, record: dict[str, Any]) -> Path:
    """Where the run's data set is, seen from the run."""
    folder = (run / record["data"]["folder"]).resolve()
    if not folder.is_dir():
        raise DataError(
            f"the data set of the run must be where it was in training; {folder.name}/ is not "
            f"there any more; give its place: asclip evaluate {run.name} DATA"
        )
    return folder


@dataclass(slots=True)
class Found:
    """What an evaluation has found so far.

    `data` describes the whole data set; `bound` and `beside` are scores and predictions of a
    supervised run.
    """

    data: dict[str, Any]
    scores: list[Score] = field(default_factory=list)
    predictions: dict[str, Predictions] = field(default_factory=dict)
    bound: list[Score] = field(default_factory=list)
    beside: list[Predictions] = field(default_factory=list)


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


def fitting(dataset: Dataset) -> list[PromptSet]:
    """The packaged prompt sets that this data set has the truth for."""
    sets = [load_prompt_set(name) for name in list_prompt_sets()]
    return [one for one in sets if len(classes_in(one, dataset)) >= (2 if one.single_label else 1)]


def _write_card(
    path: Path,
    run: Path,
    record: dict[str, Any],
    part: Dataset,
    model: Encodings,
    found: Found,
    *,
    images: bool,
    sets: list[PromptSet],
) -> Path:
    """The report card, at `path`."""
    zero_shot = [
        (one, found.predictions[f"zero-shot-{one.name}"])
        for one in sets
        if f"zero-shot-{one.name}" in found.predictions
    ]
    retrieval = found.predictions.get("retrieval")
    content = card.Card(
        title=f"{record['recipe']} on {part.name}",
        created=date.today().isoformat(),
        run={k: record[k] for k in ("recipe", "parameters", "steps", "studies", "seconds")}
        | {"seed": record["parameters"]["seed"]},
        data=found.data,
        curves=_curves(run),
        scores=found.scores,
        predictions=[*found.predictions.values(), *found.beside],
        examples=examples(retrieval, part) if images and retrieval is not None else (),
        heatmaps=heatmaps(model, part, zero_shot) if images else (),
        preprocessing=model.preprocessing.describe(),
        provenance={
            "asclip": __version__,
            "data set": record["data"]["hash"],
            "split": record["data"]["split"],
            "preprocessing": model.preprocessing.digest,
        },
        bound=found.bound,
        limits=[
            f"one training run with seed {record['parameters']['seed']}: the intervals hold the "
            "patients' part of the uncertainty, not that of another seed or another split"
        ],
        commands=(
            f"asclip pretrain DATA --recipe {record['recipe']} --out RUN",
            "asclip evaluate RUN",
        ),
    )
    return card.write(path, content, include_images=images)


def _curves(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            {k: float(v) if v else float("nan") for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def predict(run: Path, files: Sequence[Path], prompts: str) -> list[dict[str, Any]]:
    """Scores of single files for the classes of a prompt set, with the run's own preprocessing.

    One record a file: `file`, `prompts`, `preprocessing`, `kind` and `scores`. Kind "single-label":
    shares of the classes, which add up to 1. "multi-label": of each class its share against its
    negative prompts, 0.5 = undecided, or its cosine (-1 to 1) where it has none. None of them is
    a probability of disease. A file that cannot be read has `error`, the reason, and no scores;
    the others are scored all the same.
    """
    import numpy as np

    model = load(run)
    if model.classifier is not None:
        raise ModelError(
            f"{run.name} was trained on labels, without text, and understands no prompts; predict "
            "with a run of another recipe, or score this one with asclip evaluate"
        )
    chosen = load_prompt_set(prompts)
    common = {
        "prompts": chosen.id,
        "preprocessing": model.preprocessing.digest,
        "kind": chosen.kind,
    }
    records: list[dict[str, Any]] = [{"file": str(path), **common} for path in files]
    items = []
    for path, one in zip(files, records, strict=True):
        try:
            how = model.preprocessing
            items.append(how(read(path, coarser=how.coarser)))
        except FileError as error:
            one["error"] = str(error)
    good = [one for one in records if "error" not in one]
    values = score_encoded(model, model.encode_pixels(np.stack(items)), chosen) if items else []
    for one, row in zip(good, values, strict=True):
        one["scores"] = {
            label: round(float(value), 6) for label, value in zip(chosen.labels, row, strict=True)
        }
    return records
