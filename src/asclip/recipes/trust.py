"""What may be believed of a run: calibration, conformal sets, abstention, subgroups.

Everything is fitted on the validation split and told about another one. Training may have chosen
its weights on the same validation studies; then their scores are a little better than those of new
patients, and sets and probabilities a little too sure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from asclip.card import reliability as picture
from asclip.data import atomic
from asclip.data.dataset import Dataset
from asclip.data.prompts import load_prompt_set
from asclip.errors import DataError
from asclip.metrics.calibration import equal_width, reliability
from asclip.recipes.evaluation import (
    Encodings,
    check_preprocessing,
    fitting,
    own_data,
    tasks_of,
)
from asclip.recipes.pretraining import load, read_run
from asclip.results import to_records, write_predictions
from asclip.tasks.classification.scoring import check_apart
from asclip.trust.probabilities import Stages, probabilities
from asclip.trust.scoring.abstention import abstention_scores
from asclip.trust.scoring.calibration import calibration_scores
from asclip.trust.scoring.coverage import coverage_scores
from asclip.trust.scoring.groups import group_scores
from asclip.trust.shift import one_each, shift
from asclip.trust.subgroups import Groups, cross, groups
from asclip.types import Predictions, Score

BINS = 10  # of a diagram


@dataclass(slots=True)
class Trust:
    """Score records, rows of the subgroup table, and sentences that a reader must know."""

    scores: list[Score] = field(default_factory=list)
    subgroups: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values with None for NaN."""
        rows = [
            {key: None if value != value else value for key, value in row.items()}
            for row in self.subgroups
        ]
        return {
            "scores": to_records(self.scores), "subgroups": rows, "warnings": self.warnings
        }  # fmt: skip


def trust(
    run: Path,
    data: Path | None = None,
    *,
    prompts: Sequence[str] = (),
    by: Sequence[str] = (),
    alpha: float = 0.1,
    split: str = "test",
    least: int = 10,
    resamples: int = 1000,
    out: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Trust:
    """Judge a run's classification on `split`; files go to `out`, by default RUN/trust.

    Written are trust.json, the predictions and one reliability diagram per task.

    `by` names metadata columns, with edges where numbers are to be cut elsewhere ("age:40:65");
    pairs of them are crossed. `alpha` is the share of sets that may miss the truth.

    Raises:
        DataError: no classification to judge, no validation studies, or a column that makes no
            groups.
    """
    record = read_run(run)
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1, such as 0.1 for 90 %, got {alpha}")
    model = Encodings(load(run))
    dataset = Dataset.open(data or own_data(run, record))
    check_preprocessing(model.model, dataset)
    held_out, part = _sides(dataset, split)
    among = grouping(part, by)
    sets = [load_prompt_set(name) for name in prompts] or fitting(dataset)
    tasks = tasks_of(model.model, dataset, part, sets, int(record["parameters"]["seed"]))
    tasks = [(name, task) for name, task in tasks if name != "retrieval"]
    if not tasks:
        raise DataError(
            f"{dataset.name} has no label or column that a prompt set names, so there is nothing "
            "to calibrate; give --prompts FILE"
        )
    folder, found = out or run / "trust", Trust()
    for name, task in tasks:
        say(f"{name}: fitted on {len(held_out):,} validation studies, told about {len(part):,}")
        validation, test = task.predict(model, held_out), task.predict(model, part)
        if validation.labels != test.labels:
            found.warnings.append(
                f"{name}: val has the classes {', '.join(validation.labels)} and {split} has "
                f"{', '.join(test.labels)}; it was left out"
            )
            continue
        for side, predictions in (("val", validation), (split, test)):
            write_predictions(folder / "predictions" / f"{name}-{side}.npz", predictions)
        judged, stages = judge(
            validation, test, among, alpha=alpha, least=least, resamples=resamples
        )
        found.scores += judged.scores
        found.subgroups += judged.subgroups
        found.warnings += [f"{name}: {text}" for text in judged.warnings]
        for path in diagrams(folder, name, test, stages):
            say(f"written: {path}")
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / "trust.json", (text + "\n").encode("utf-8"))
    say(f"written: {folder / 'trust.json'}")
    return found


def _sides(dataset: Dataset, split: str) -> tuple[Dataset, Dataset]:
    """The studies to fit on, and those to be told about."""
    if split == "val":
        raise DataError("trust is fitted on val and must be told about other patients; use test")
    held_out, part = dataset.split("val"), dataset.split(split)
    if not len(held_out) or not len(part):
        raise DataError(
            f"{dataset.name} must have studies in val and {split}, got {len(held_out)} and "
            f"{len(part)}; ingest again with other --fractions"
        )
    return held_out, part


def judge(
    validation: Predictions,
    test: Predictions,
    among: Sequence[Groups] = (),
    *,
    alpha: float = 0.1,
    least: int = 10,
    resamples: int = 1000,
) -> tuple[Trust, Stages]:
    """What can be said of predictions alone, and their probabilities by stage.

    Raises:
        LeakageError: a patient is in both.
        DataError: the two have different labels.
    """
    check_apart(test, validation)
    first, second = (p.scores[one_each(p.patient)] for p in (validation, test))
    differ = shift(first, second, names=test.labels)
    found = Trust(warnings=[differ.warning] if differ.warning else [])
    stages = probabilities(validation, test)
    found.scores += calibration_scores(test, stages, resamples=resamples)
    sets, said = coverage_scores(validation, test, alpha=alpha, resamples=resamples)
    found.scores += sets + abstention_scores(test, stages, resamples=resamples)
    found.warnings += said
    if among:
        gaps, found.subgroups = group_scores(
            validation, test, among, least=least, resamples=resamples
        )
        found.scores += gaps
    return found, stages


def grouping(part: Dataset, by: Sequence[str]) -> list[Groups]:
    """The groups of metadata columns ("sex", "age:40:65") of a split, then of each two of them."""
    single = []
    for word in by:
        name, *cuts = word.split(":")
        try:
            edges = [float(cut) for cut in cuts]
        except ValueError:
            raise DataError(f"edges must be numbers, such as age:40:65, got {word!r}") from None
        try:
            single.append(groups(name, part.meta(name).tolist(), edges))
        except ValueError as error:
            raise DataError(str(error)) from None
    return single + [cross(one, other) for one, other in combinations(single, 2)]


def diagrams(folder: Path, name: str, test: Predictions, stages: Stages) -> list[Path]:
    """One reliability diagram of a task over all its labels, before and after calibration."""
    tables = {}
    for stage, shares in stages.shares.items():
        counts = ~np.isnan(shares) & ~np.isnan(test.truth)
        if counts.any():
            share, truth = shares[counts], test.truth[counts]
            tables[stage] = reliability(truth, share, equal_width(BINS))
    if not tables:
        return []
    title = f"{name}: {len(test.labels)} labels"
    plot = picture.diagram("reliability", title, tables)
    return [picture.write(folder / f"reliability-{name}.svg", plot)]
