"""From a run and a data set to scores, predictions and the report card; and scores of one file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from asclip import __version__, card
from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet, list_prompt_sets, load_prompt_set
from asclip.errors import DataError, ModelError
from asclip.recipes.pictures import examples, heatmaps
from asclip.recipes.pretraining import load, read_run
from asclip.results import read_predictions, read_scores, write_predictions, write_scores
from asclip.tasks.classification.supervised import Supervised
from asclip.tasks.classification.truth import classes_in
from asclip.tasks.classification.zero_shot import ZeroShot, score_encoded
from asclip.tasks.crossmodal.retrieval import Retrieval
from asclip.towers.model import Model
from asclip.types import Encoded, Predictions, Score


class Encodings:
    """A model that remembers the images it has encoded, so that tasks share the work."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.known: dict[tuple[int, bool], Encoded] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode_images(self, dataset: Dataset, **options: Any) -> Encoded:
        """`Model.encode_images`, once per data set object."""
        key = (id(dataset), bool(options.get("local")))
        if key not in self.known:
            self.known[key] = self.model.encode_images(dataset, **options)
        return self.known[key]


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

    `data` defaults to the data set that the run was trained on. `prompts` are names or files; by
    default every packaged set whose classes the data set has. `bound` is a supervised run whose
    scores stand beside the zero-shot ones. `images=False` leaves pictures out of the card.
    """
    record = read_run(run)
    model = Encodings(load(run))
    dataset = Dataset.open(data or run / record["data"]["folder"])
    check_preprocessing(model.model, dataset)
    part = dataset.split(split)
    seed = int(record["parameters"]["seed"])
    sets = [load_prompt_set(name) for name in prompts] or fitting(dataset)
    found = Found(dataset.describe())
    for name, task in _tasks(model.model, dataset, part, sets, seed):
        say(f"{name} on {len(part):,} studies")
        predictions = task.predict(model, part)
        write_predictions(run / "predictions" / f"{split}-{name}.npz", predictions)
        found.predictions[name] = predictions
        found.scores += task.evaluate(predictions)
    if not found.scores:
        raise DataError(
            "nothing can be scored: the data set has no text and no label or column that a prompt "
            f"set names ({', '.join(list_prompt_sets())}); give --prompts FILE"
        )
    if bound is not None:
        found.bound = read_scores(bound / "scores.json")
        beside = bound / "predictions" / f"{split}-supervised.npz"
        found.beside = [read_predictions(beside)] if beside.exists() else []
    write_scores(out or run / "scores.json", found.scores + found.bound, add=False)
    _write_card(run, record, part, model, found, images=images, sets=sets)
    return found.scores + found.bound


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


def _tasks(
    model: Model, dataset: Dataset, part: Dataset, sets: list[PromptSet], seed: int
) -> list[tuple[str, Any]]:
    if model.classifier is not None:
        return [("supervised", Supervised(dataset.labels, seed=seed))]
    tasks: list[tuple[str, Any]] = [
        (f"zero-shot-{one.name}", ZeroShot(one, seed=seed)) for one in sets
    ]
    return tasks + ([("retrieval", Retrieval(seed=seed))] if any(part.texts()) else [])


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
    run: Path,
    record: dict[str, Any],
    part: Dataset,
    model: Encodings,
    found: Found,
    *,
    images: bool,
    sets: list[PromptSet],
) -> Path:
    """RUN/card.html."""
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
        predictions=[
            *(p for name, p in found.predictions.items() if name != "retrieval"),
            *found.beside,
        ],
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
    return card.write(run / "card.html", content, include_images=images)


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

    One record a file: `file` (its name), `prompts`, `preprocessing`, and `scores`: class ->
    probability for a set with negatives or exclusive classes, else similarity.
    """
    import numpy as np

    from asclip.files import read

    model = load(run)
    chosen = load_prompt_set(prompts)
    items = [model.preprocessing(read(path)) for path in files]
    encoded = model.encode_pixels(np.stack(items))
    values = score_encoded(model, encoded, chosen)
    return [
        {
            "file": path.name,
            "prompts": chosen.id,
            "preprocessing": model.preprocessing.digest,
            "scores": {
                label: round(float(value), 6)
                for label, value in zip(chosen.labels, row, strict=True)
            },
        }
        for path, row in zip(files, values, strict=True)
    ]
