"""Scores of single files, with a run's own preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asclip.data.prompts import load_prompt_set
from asclip.errors import FileError, ModelError
from asclip.files import read
from asclip.recipes.pretraining import load
from asclip.tasks.classification.zero_shot import score_encoded


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
