"""What every prediction remembers about where it comes from, and the score records made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from asclip.errors import DataError
from asclip.types import Predictions, Score


def provenance(task: str, model: Any, data: Any, *, seed: int, prompts: str = "") -> dict[str, Any]:
    """Data set, split, task, seed, prompts and preprocessing: what a score record repeats.

    `split` is the split that all studies of `data` belong to, or "all".

    Raises:
        DataError: `data` has no study.
    """
    if not len(data):
        raise DataError(f"{data.name}: {task} needs at least one study, got none; see its splits")
    splits = {str(name) for name in data.studies["split"]} if "split" in data.studies else {"all"}
    return {
        "dataset": str(data.name),
        "dataset_hash": str(getattr(data, "hash", "")),
        "split": splits.pop() if len(splits) == 1 else "all",
        "task": task,
        "seed": int(seed),
        "prompts": prompts,
        "preprocessing": str(model.preprocessing.digest),
    }


def who(data: Any) -> dict[str, np.ndarray]:
    """`study` and `patient` [n] pseudonyms of the studies of `data`, as strings."""
    return {name: data.studies[name].to_numpy().astype(str) for name in ("study", "patient")}


def record(
    predictions: Predictions, metric: str, *, label: str, value: float, **rest: Any
) -> Score:
    """A score record; `rest` are further fields of `Score`, the others come from `predictions`."""
    facts = predictions.provenance
    return Score(
        dataset=str(facts["dataset"]),
        split=str(facts["split"]),
        task=str(facts["task"]),
        metric=metric,
        label=label,
        value=float(value),
        seed=int(str(facts["seed"])),
        prompts=str(facts["prompts"]),
        preprocessing=str(facts["preprocessing"]),
        **rest,
    )
