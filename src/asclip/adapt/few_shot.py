"""Few-shot curves: every adapter on the same few training studies, scored on another split.

`fits` is given the training and the validation split and nothing else, so no choice can depend on
the split that is scored. All numbers are of the cosine of pooled embeddings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asclip.adapt.draws import NONE, Amounts, Drawn
from asclip.adapt.interface import Adapter, Examples
from asclip.adapt.question import Question, Seen
from asclip.adapt.rows import Fit, Row
from asclip.adapt.scoring import Scorer
from asclip.adapt.sides import Side, sides_of
from asclip.adapt.terms import lacking
from asclip.data.prompts import PromptSet
from asclip.errors import LeakageError
from asclip.tasks.similarity import owns_score

FLOOR = "zero-shot"
Wanted = Callable[[str, Drawn], bool]


def few_shot(
    model: Any,
    dataset: Any,
    prompts: PromptSet,
    adapters: Mapping[str, Adapter],
    *,
    shots: Sequence[int] = (1, 2, 4, 8, 16),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (0, 1, 2),
    split: str = "test",
    base: Sequence[str] | None = None,
    resamples: int = 1000,
    folder: Path | None = None,
    known: Sequence[Row] = (),
    keep: Callable[[Sequence[Row]], None] = lambda rows: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Macro AUROC and average precision, and accuracies of one class of several, of each fit.

    `fractions` of the labelled patients take the place of `shots`. With `base` classes (() halves
    them) adapters are fitted on these and scored on them and on the others. Intervals are over the
    patients of `split`. `folder` is where the drawn studies are written (shots-SEED.json), or read
    again where they are. Fits of which `known` has the rows are not done again; `keep` is given
    the rows of each new one.

    Raises:
        LeakageError: `split` shares a patient with the studies that are learned from.
        DataError: nothing that the prompts ask for is known in training and in validation.
    """
    train, validation, scored = _apart(dataset, split)
    if owns_score(model):
        say("the run's own score is not used: adapters compare pooled embeddings by their cosine")
    sides = sides_of(model, Question.of(train, validation, prompts, say), base)
    scorer = Scorer(model, scored, sides, resamples)
    learned = [Seen(model, part, sides[0].question) for part in (train, validation)]
    amounts = Amounts((), fractions) if fractions else Amounts(shots)
    found: list[Row] = []
    told: set[str] = set()  # which draws have fewer patients than asked for
    total = _number(adapters, amounts, seeds)

    def wanted(method: str, drawn: Drawn) -> bool:
        before = [row for row in known if (row.method, row.drawn) == (method, drawn)]
        found.extend(before)
        return not before

    for one in fits(
        learned, sides[0], adapters, amounts, seeds=seeds, folder=folder, wanted=wanted
    ):
        rows = scorer.rows(one)
        found += rows
        keep(rows)
        if one.drawn.short and (said := _short(one.drawn)) not in told:
            told.add(said)
            say(said)
        done = len({(row.method, row.drawn.amount, row.drawn.seed) for row in found})
        say(f"{done} of {total}: {_line(one, rows)}")
    place = {name: at for at, name in enumerate(adapters)}
    found.sort(key=lambda row: (row.drawn.amount != NONE, row.drawn.seed, row.drawn.shots,
                                row.drawn.share, place[row.method]))  # fmt: skip
    return found


def _apart(dataset: Any, split: str) -> tuple[Any, Any, Any]:
    """Training, validation and the scored part, of different patients."""
    train, validation, scored = (dataset.split(name) for name in ("train", "val", split))
    learned = {one for part in (train, validation) for one in part.studies["patient"]}
    shared = learned & set(scored.studies["patient"])
    if shared:
        raise LeakageError(
            f"adapters must be scored on other patients than they learn from; {len(shared)} of "
            f"split {split!r} are in train or val; score the test split"
        )
    return train, validation, scored


def fits(
    learned: Sequence[Seen],
    side: Side,
    adapters: Mapping[str, Adapter],
    amounts: Amounts,
    *,
    seeds: Sequence[int],
    folder: Path | None = None,
    wanted: Wanted = lambda method, drawn: True,
) -> Iterator[Fit]:
    """Every adapter with every amount and every seed, as far as `wanted`; the floor once.

    `learned` are training and validation.
    """
    train, validation = learned
    if FLOOR in adapters and wanted(FLOOR, Drawn()):
        held_out = validation.examples()
        yield _fit(FLOOR, adapters[FLOOR], held_out, held_out, side, Drawn())
    studies = train.part.studies["study"].astype(str)
    place = {study: row for row, study in enumerate(studies)}
    for seed in seeds:
        for drawn, some in amounts.draws(train, side.question, seed, folder):
            for name, adapter in adapters.items():
                if name != FLOOR and wanted(name, drawn):
                    support = train.examples([place[study] for study in some])
                    yield _fit(name, adapter, support, validation.examples(), side, drawn)


def _fit(
    name: str, adapter: Adapter, support: Examples, validation: Examples, side: Side, drawn: Drawn
) -> Fit:
    without = lacking(support, side.texts)
    if drawn.share and without:  # a share is drawn without looking at labels
        return Fit(name, drawn, None, 0.0, f"{without} in these {drawn.amount} of the patients")
    began = time.perf_counter()
    adapted = adapter.fit(support, validation, side.texts, seed=drawn.seed)
    return Fit(name, drawn, adapted, time.perf_counter() - began)


def _number(adapters: Mapping[str, Adapter], amounts: Amounts, seeds: Sequence[int]) -> int:
    """How many fits there are, the floor among them."""
    floor = FLOOR in adapters
    points = len(seeds) * len(amounts.shots or amounts.shares)
    return floor + points * (len(adapters) - floor)


def _short(drawn: Drawn) -> str:
    """Which classes have fewer patients than were asked for; all of them are used.

    >>> _short(Drawn(16, 2, short={"mass: has": 9}))
    '16 shots, seed 2: fewer patients than asked for, all are used: mass: has 9'
    """
    parts = [f"{side} {count}" for side, count in drawn.short.items()]
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    return (
        f"{drawn.amount}, seed {drawn.seed}: fewer patients than asked for, all are used: "
        f"{', '.join(parts[:3])}{more}"
    )


def _line(fit: Fit, rows: Sequence[Row]) -> str:
    said = [
        f"{row.side} {row.score.metric} {row.score.value:.3f}".strip()
        for row in rows
        if row.score.metric != "average_precision"
    ]
    head = f"{fit.method}, {fit.drawn.amount}, seed {fit.drawn.seed}"
    return f"{head}: {', '.join(said)} ({fit.seconds:.1f} s)"
