"""From an ingested data set and a recipe's name to a run folder, and back to a model.

RUN/run.json               recipe, parameters, labels, data set, seconds; no identifiers
RUN/model.json, model.safetensors, tokenizer.json    see `towers.model`
RUN/objective.safetensors  the objective's own weights (temperature, head, prototypes)
RUN/metrics.csv            one row every few steps
RUN/checkpoint.pt          to go on from
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file

from asclip import __version__
from asclip.data.concept_pairs import ConceptPairs, concept_pairs
from asclip.data.dataset import Dataset
from asclip.data.progress import Track, silent
from asclip.errors import DataError, ModelError
from asclip.recipes import ontology
from asclip.recipes.assembly import assemble, size
from asclip.recipes.options import choose, recipe
from asclip.towers.alone import RUN, TextAlone
from asclip.towers.checkpoint import load_strict, read_tensors
from asclip.towers.model import Model
from asclip.train.loop import train
from asclip.train.processes import join, leave
from asclip.train.profile import Profile
from asclip.train.profile import operations as count
from asclip.train.profile import profile as measure
from asclip.train.run import Run
from asclip.train.settings import Settings

Say = Callable[[str], None]
SAY_EVERY_SECONDS = 15.0


def quiet(text: str) -> None:
    """Say nothing."""


def pretrain(
    data: Path | str,
    name: str,
    out: Path | str,
    given: Mapping[str, Any] | None = None,
    *,
    fresh: bool = False,
    progress: Track = silent,
    say: Say = quiet,
) -> Path:
    """Train the recipe `name` on the training studies of `data`; the run folder `out`.

    Goes on after an interruption, unless `fresh`. Under `torchrun` every process calls this.
    `progress` draws a bar over the steps (`data.progress.track`); `say` gets lines of facts: sizes,
    memory, and now and then the loss, the studies per second and the share spent waiting for data.
    """
    data, out = Path(data), Path(out)
    settings, own = choose(name, given or {}, asked=True)
    source = _open(data, name, settings)
    rank, _ = join()
    if out.exists() and not out.is_dir():
        raise ModelError(f"--out must be a folder, and {out.name} is a file; choose another")
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        run, model = _assemble(source, name, settings, own, out, progress)
    if rank == 0:
        say(ontology.describe(run) if isinstance(source, ConceptPairs) else size(run))
    last = _train(run, out, fresh=fresh, progress=progress, say=say)
    if rank == 0:
        model.scale = trained_scale(run.objective)
        model.save(out)
        tensors = run.objective.state_dict()
        save_file(
            {k: v.detach().contiguous().cpu() for k, v in tensors.items()},
            out / "objective.safetensors",
        )
        record = {
            "format": 1,
            "asclip": __version__,
            "recipe": name,
            "parameters": {**_own(run), **asdict(settings)},
            "knowledge": run.knowledge,
            **_about(source, model, data, out),
            "steps": run.steps,
            "studies": len(run.batches.rows),
            "seconds": round(time.perf_counter() - began, 1),
            "last": {k: v for k, v in last.items() if v == v},
        }
        (out / "run.json").write_text(json.dumps(record, indent=2) + "\n")
        if "retrieval" in record:
            say(ontology.told(record["retrieval"]))
    leave()
    return out


def trained_scale(objective: Any) -> float:
    """What makes a logit of a cosine, or of the objective's own score; 1 where there is none."""
    with torch.no_grad():
        return float(getattr(objective, "scale", 1.0))


def _assemble(
    source: Dataset | ConceptPairs,
    name: str,
    settings: Settings,
    own: Mapping[str, Any],
    out: Path,
    progress: Track,
) -> tuple[Run, Model | TextAlone]:
    if isinstance(source, ConceptPairs):
        return ontology.assemble_ontology(source, settings, own)
    return assemble(source, name, settings, own, out, progress=progress)


def _about(
    source: Dataset | ConceptPairs, model: Model | TextAlone, data: Path, out: Path
) -> dict[str, Any]:
    """What a record says of labels and of where the training rows come from."""
    facts = {"name": source.name, "hash": source.hash}
    if isinstance(source, Dataset):
        facts |= {"split": source.split_hash, "folder": os.path.relpath(data, out)}
        return {"labels": list(source.labels), "data": facts}
    assert isinstance(model, TextAlone)
    return {"labels": [], "data": facts, "retrieval": ontology.found(model, source)}


def profile(
    data: Path,
    name: str,
    given: Mapping[str, Any] | None = None,
    *,
    progress: Track = silent,
    say: Say = quiet,
) -> Profile:
    """What a step of the recipe `name` on `data` takes, part by part; no run folder is written."""
    with _assembled(data, name, given, progress) as run:
        say(size(run))
        return measure(run)


def operations(data: Path, name: str, given: Mapping[str, Any] | None = None) -> float:
    """Floating-point operations of a step of the recipe `name` on `data`; nothing is written."""
    with _assembled(data, name, given, silent) as run:
        return count(run)


@contextmanager
def _assembled(
    data: Path, name: str, given: Mapping[str, Any] | None, progress: Track
) -> Iterator[Run]:
    """A run at its start, whose folder is gone afterwards."""
    settings, own = choose(name, given or {}, asked=True)
    source = _open(data, name, settings)
    if isinstance(source, ConceptPairs):
        raise ModelError(f"a step of {name} has no image tower to be timed; profile another recipe")
    with TemporaryDirectory() as scratch, torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        run, _ = assemble(source, name, settings, own, Path(scratch), progress=progress)
        yield run


def _open(data: Path, name: str, settings: Settings) -> Dataset | ConceptPairs:
    """The data set, or the ontology that stands in its place.

    DataError if the recipe learns from labels and there are none.
    """
    if name == ontology.NAME:
        return concept_pairs(data, settings.knowledge)
    dataset = Dataset.open(data)
    if name == "supervised":
        known = dataset.split("train").label_matrix()
        if not (known == known).any():
            raise DataError(
                "the supervised recipe needs label columns with known values; the training split "
                "has none; ingest it with --map labels=COLUMN or label:NAME=COLUMN"
            )
    return dataset


def _own(run: Run) -> dict[str, Any]:
    """The recipe's own parameters, those that the data decide among them."""
    return {key: value for key, value in run.recipe.items() if key != "recipe"}


def _train(run: Run, out: Path, *, fresh: bool, progress: Track, say: Say) -> dict[str, float]:
    said, seen = time.perf_counter(), 0
    with progress(run.steps, "training") as advance:

        def report(step: int, steps: int, text: str) -> None:
            nonlocal seen, said
            advance(step - seen)
            seen = step
            if time.perf_counter() - said > SAY_EVERY_SECONDS or step == steps:
                said = time.perf_counter()
                say(f"step {step:,} of {steps:,}  {text}")

        return train(run, out, fresh=fresh, report=report)


def read_run(out: Path) -> dict[str, Any]:
    """The record of a run folder; `ModelError` if it is not one."""
    path = out / "run.json"
    if not path.is_file():
        hint = "; its training has not finished" if (out / "checkpoint.pt").exists() else ""
        raise ModelError(
            f"a run folder must hold run.json; {out.name}/ does not{hint}; give a folder that "
            "asclip pretrain or asclip model add wrote"
        )
    try:
        record = json.loads(path.read_text())
    except ValueError:
        record = {}
    keys = ("recipe", "parameters", "labels", "data", "steps", "studies", "seconds")
    record = record if isinstance(record, dict) else {}
    lacking = [key for key in keys if key not in record]
    if lacking:
        raise ModelError(
            f"run.json of {out.name}/ must have {', '.join(keys)}; it lacks {', '.join(lacking)}; "
            "run the same asclip pretrain again, it writes a new one"
        )
    return record


def load(out: Path | str) -> Model:
    """The trained model of a run folder, with its objective's own score or classifier if any."""
    out = Path(out)
    record = read_run(out)
    if record["recipe"] == ontology.NAME:
        raise ModelError(
            f"{out.name}/ holds a text tower alone, the first stage of another run; start that one "
            f"from it: asclip pretrain DATA --recipe kad --text-tower {RUN}{out.name} --out RUN"
        )
    model = Model.load(out)
    if "published" in record:  # added, not trained here: it has no objective of ours
        return model
    settings, own = choose(record["recipe"], record["parameters"])
    objective = recipe(record["recipe"])(settings, tuple(record["labels"]), **own)
    tensors = read_tensors(out / "objective.safetensors")
    load_strict(objective, tensors, f"objective.safetensors of {out.name!r}")
    objective.eval()
    model.scale = trained_scale(objective)
    model.scorer = getattr(objective, "score", None)
    model.scores_existence = bool(getattr(objective, "existence_score", False))
    model.classifier = getattr(objective, "classify", None)
    model.disentangle = getattr(objective, "disentangle", None)
    model.beside_prior = getattr(objective, "beside_prior", None)
    return model
