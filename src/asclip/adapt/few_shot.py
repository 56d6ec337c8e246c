"""Few-shot curves: every adapter on the same few training studies, scored on another split.

`fits` is given the training and the validation split and nothing else, so no choice can depend on
the split that is scored. All numbers are of the cosine of pooled embeddings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.adapt.interface import Adapted, Adapter, ClassTexts, Examples
from asclip.adapt.question import Question, embeddings, examples
from asclip.adapt.shots import Shots, draw
from asclip.data.prompts import PromptSet
from asclip.errors import LeakageError
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import one_against_rest, owns_score
from asclip.types import Predictions, Score

FLOOR = "zero-shot"


@dataclass(frozen=True, slots=True)
class Drawn:
    """K `shots` (0: none are used) of a `seed`, in all so many `studies`.

    `short` has the classes with fewer than K patients and how many they have.
    """

    shots: int
    seed: int
    studies: int
    short: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted adapter, from which studies, and how long it took, without their encoding."""

    method: str
    drawn: Drawn
    adapted: Adapted
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a curve: a fit without its weights, and its score."""

    fit: Fit
    score: Score

    def to_json(self) -> dict[str, Any]:
        """One flat record; `chosen` is what validation has chosen."""
        kept = ("metric", "value", "low", "high", "n", "chance", "why_nan", "split", "prompts")
        own = {"method": self.fit.method, **asdict(self.fit.drawn)}
        own |= {"seconds": round(self.fit.seconds, 3), "chosen": dict(self.fit.adapted.chosen)}
        score = asdict(self.score)
        return own | {name: score[name] for name in kept}


def few_shot(
    model: Any,
    dataset: Any,
    prompts: PromptSet,
    adapters: Mapping[str, Adapter],
    *,
    shots: Sequence[int] = (1, 2, 4, 8, 16),
    seeds: Sequence[int] = (0, 1, 2),
    split: str = "test",
    resamples: int = 1000,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Macro AUROC and average precision, and accuracies of one class of several, of each fit.

    Intervals are over the patients of `split`. `folder` is where the drawn studies are written
    (shots-SEED.json), or read again where they are.

    Raises:
        LeakageError: `split` shares a patient with the studies that are learned from.
        DataError: nothing that the prompts ask for is known in training and in validation.
    """
    train, validation, scored = (dataset.split(name) for name in ("train", "val", split))
    learned = {one for part in (train, validation) for one in part.studies["patient"]}
    shared = learned & set(scored.studies["patient"])
    if shared:
        raise LeakageError(
            f"adapters must be scored on other patients than they learn from; {len(shared)} of "
            f"split {split!r} are in train or val; score the test split"
        )
    if owns_score(model):
        say("the run's own score is not used: adapters compare pooled embeddings by their cosine")
    question = Question.of(train, validation, prompts, say)
    texts = ClassTexts.of(model, question.prompts)
    features = embeddings(model, scored)
    rows = []
    for one in fits(
        model, train, validation, question, texts, adapters, shots=shots, seeds=seeds, folder=folder
    ):
        predictions = _predictions(one, model, scored, question, features)
        found = [s for s in evaluate(predictions, resamples=resamples) if s.label in ("", "macro")]
        rows += [Row(one, score) for score in found]
        say(f"{one.method}, {one.drawn.shots} shots, seed {one.drawn.seed}: {_said(found)}")
    return rows


def fits(
    model: Any,
    train: Any,
    validation: Any,
    question: Question,
    texts: ClassTexts,
    adapters: Mapping[str, Adapter],
    *,
    shots: Sequence[int],
    seeds: Sequence[int],
    folder: Path | None = None,
) -> Iterator[Fit]:
    """Every adapter with every number of shots and every seed; the zero-shot floor once."""
    held_out = examples(embeddings(model, validation), question.truth(validation))
    truth, studies = question.truth(train), train.studies["study"].to_numpy().astype(str)
    seen = np.array([len(rows) > 0 for rows in train.image_rows()], dtype=bool)
    truth = np.where(seen[:, None], truth, np.nan)
    place = {study: row for row, study in enumerate(studies)}
    for name, adapter in adapters.items():
        if name == FLOOR:
            yield _fit(name, adapter, held_out, held_out, texts, Drawn(0, seeds[0], 0))
    for seed in seeds:
        drawn = _shots(train, studies, truth, question, seed, max(shots), folder)
        rows = [place[study] for study in drawn.take(max(shots))]
        known = dict(zip(rows, embeddings(model, train.take(np.array(rows))), strict=True))
        for k in shots:
            here = [place[study] for study in drawn.take(k)]
            support = examples(torch.stack([known[row] for row in here]), truth[here])
            about = Drawn(k, seed, len(here), drawn.short(k))
            for name, adapter in adapters.items():
                if name != FLOOR:
                    yield _fit(name, adapter, support, held_out, texts, about)


def _fit(
    name: str,
    adapter: Adapter,
    support: Examples,
    validation: Examples,
    texts: ClassTexts,
    drawn: Drawn,
) -> Fit:
    began = time.perf_counter()
    adapted = adapter.fit(support, validation, texts, seed=drawn.seed)
    return Fit(name, drawn, adapted, time.perf_counter() - began)


def _shots(
    train: Any,
    studies: np.ndarray,
    truth: np.ndarray,
    question: Question,
    seed: int,
    most: int,
    folder: Path | None,
) -> Shots:
    """The drawn studies: those of the folder's file where it is of this question."""
    path = None if folder is None else folder / f"shots-{seed}.json"
    asked = (f"{train.name}@{train.hash}", question.prompts.id)
    if path is not None and path.exists():
        kept = Shots.read(path)
        if (kept.dataset, kept.prompts) == asked and kept.most >= most:
            return kept
    drawn = draw(
        studies.tolist(), train.studies["patient"].tolist(), truth, question.prompts.labels,
        single=question.prompts.single_label, seed=seed, most=most, dataset=asked[0],
        prompts=asked[1],
    )  # fmt: skip
    if path is not None:
        drawn.write(path)
    return drawn


def _predictions(
    fit: Fit, model: Any, part: Any, question: Question, features: Tensor
) -> Predictions:
    prompts = question.prompts
    facts = provenance(fit.method, model, part, seed=fit.drawn.seed, prompts=prompts.id)
    with torch.no_grad():
        scores = fit.adapted.scores(features).double().numpy()
    scores = one_against_rest(scores) if prompts.single_label else scores
    facts |= {"kind": prompts.kind, "shots": fit.drawn.shots}
    return Predictions(scores, question.truth(part), prompts.labels, **who(part), provenance=facts)


def _said(scores: Sequence[Score]) -> str:
    return ", ".join(f"{one.metric} {one.value:.3f}" for one in scores)
