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

from asclip.card import Judged
from asclip.card import reliability as picture
from asclip.card.names import heading
from asclip.data import atomic
from asclip.data.dataset import Dataset
from asclip.errors import DataError
from asclip.metrics.calibration import equal_width, reliability, top_label
from asclip.recipes.exam import Exam, opened
from asclip.results import to_records, write_predictions
from asclip.tasks.classification.scoring import check_apart
from asclip.trust.abstention import risk_coverage
from asclip.trust.probabilities import Stages, probabilities
from asclip.trust.scoring.abstention import abstention_scores
from asclip.trust.scoring.calibration import calibration_scores
from asclip.trust.scoring.coverage import coverage_scores
from asclip.trust.scoring.groups import group_scores
from asclip.trust.shift import one_each, shift
from asclip.trust.subgroups import MOST_GROUPS, Groups, cross, groups
from asclip.types import Predictions, Score

BINS = 10  # of a diagram


@dataclass(slots=True)
class Trust:
    """Score records, rows of the subgroup table, and sentences that a reader must know.

    `judged` holds what plots show, a task each; `predictions` by file name, both sides of each.
    """

    scores: list[Score] = field(default_factory=list)
    subgroups: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    predictions: dict[str, Predictions] = field(default_factory=dict)

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
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie between 0 and 1, such as 0.1 for 90 %, got {alpha}")
    exam = opened(run, data, split, prompts)
    found = examined(
        exam, grouping(exam.part, by), alpha=alpha, least=least, resamples=resamples, say=say
    )
    folder = out or run / "trust"
    for name, predictions in found.predictions.items():
        write_predictions(folder / "predictions" / f"{name}.npz", predictions)
    for one in found.judged:
        if one.reliability:
            plot = picture.diagram("reliability", one.title, one.reliability)
            say(f"written: {picture.write(folder / f'reliability-{one.name}.svg', plot)}")
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / "trust.json", (text + "\n").encode("utf-8"))
    say(f"written: {folder / 'trust.json'}")
    return found


def examined(
    exam: Exam,
    among: Sequence[Groups],
    *,
    alpha: float = 0.1,
    least: int = 10,
    resamples: int = 1000,
    say: Callable[[str], None] = lambda text: None,
) -> Trust:
    """What may be believed of each classification of a run; nothing is written.

    Raises:
        DataError: no classification to judge, or no validation studies.
    """
    held_out, part = _sides(exam)
    tasks = [(name, task) for name, task in exam.tasks if "retrieval" not in name]
    if not tasks:
        raise DataError(
            f"{exam.dataset.name} has no label or column that a prompt set names, so there is "
            "nothing to calibrate; give --prompts FILE"
        )
    found = Trust()
    for name, task in tasks:
        say(f"{name}: fitted on {len(held_out):,} validation studies, told about {len(part):,}")
        try:
            validation, test = task.predict(exam.model, held_out), task.predict(exam.model, part)
        except DataError as error:  # such as views that one of the two splits does not state
            found.warnings.append(f"{name}: it was left out; {error}")
            continue
        if validation.labels != test.labels:
            found.warnings.append(
                f"{name}: val has the classes {', '.join(validation.labels)} and {exam.split} has "
                f"{', '.join(test.labels)}; it was left out"
            )
            continue
        found.predictions |= {f"{name}-val": validation, f"{name}-{exam.split}": test}
        one, stages = judge(validation, test, among, alpha=alpha, least=least, resamples=resamples)
        found.scores += one.scores
        found.subgroups += one.subgroups
        found.warnings += [f"{name}: {text}" for text in one.warnings]
        found.judged.append(_shown(name, test, stages, one, alpha))
    return found


def _sides(exam: Exam) -> tuple[Dataset, Dataset]:
    """The studies to fit on, and those to be told about."""
    if exam.split == "val":
        raise DataError("trust is fitted on val and must be told about other patients; use test")
    if not len(exam.held_out) or not len(exam.part):
        raise DataError(
            f"{exam.dataset.name} must have studies in val and {exam.split}, got "
            f"{len(exam.held_out)} and {len(exam.part)}; ingest again with other --fractions"
        )
    return exam.held_out, exam.part


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


def usual(part: Dataset) -> list[Groups]:
    """Sex, bands of age and site, as far as the metadata has them with two groups or more."""
    found = []
    for name in part.meta_names:
        values = part.meta(name)
        cuts = ":40:65" if name.lower() == "age" and values.dtype.kind == "f" else ""
        if name.lower() in ("sex", "gender", "site", "race", "ethnicity") or cuts:
            known = values.nunique()
            enough = known >= 1 if cuts else 2 <= known <= MOST_GROUPS
            found += grouping(part, [f"{name}{cuts}"]) if enough else []
    return [one for one in found if len(one.names) > 1]


def _shown(name: str, test: Predictions, stages: Stages, found: Trust, alpha: float) -> Judged:
    """The plots' content: calibration of all labels together by stage, risk by coverage."""
    tables = {}
    for stage, shares in stages.shares.items():
        counts = ~np.isnan(shares) & ~np.isnan(test.truth)
        if counts.any():
            tables[stage] = reliability(test.truth[counts], shares[counts], equal_width(BINS))
    share = stages.shares[stages.best]
    if test.provenance.get("kind") == "single-label":
        right, sure = top_label(test.truth, share)
        wrong = 1 - right
    else:
        unknown = np.isnan(share) | np.isnan(test.truth)
        wrong = np.where(unknown, np.nan, np.abs(test.truth - (share >= 0.5))).ravel()
        sure = np.abs(share - 0.5).ravel()
    return Judged(
        name=name,
        title=f"{heading(str(test.provenance['task']), str(test.provenance['prompts']))}, "
        f"{len(test.labels)} labels",
        reliability=tables,
        risk=risk_coverage(wrong, sure),
        scores=found.scores,
        subgroups=found.subgroups,
        promised=1 - alpha,
    )
