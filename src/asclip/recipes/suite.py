"""All that a run is asked, block by block: vision, text, trust, robustness, explanation.

The leakage guard runs first, whatever the blocks. A block that cannot be done says why, in the
records and on the card, and the others go on; only where none can be done is the reason raised.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asclip.card import Explained, Judged
from asclip.card.privacy import clean
from asclip.errors import AsclipError, DataError, nearest
from asclip.recipes.cards import write_card
from asclip.recipes.exam import Exam, opened
from asclip.results import read_predictions, read_scores, write_predictions, write_scores
from asclip.types import Predictions, Score

BASIC = ("vision",)
FULL = ("vision", "text", "trust", "robustness", "explanation")
GUARD = "guard"
RESAMPLES = 200  # of blocks that ask a model hundreds of times

Say = Callable[[str], None]


@dataclass(slots=True)
class Found:
    """What an evaluation has found so far.

    `warnings` are sentences by block; `bound` and `beside` are scores and predictions of a
    supervised run; `judged` and `explained` are what plots of the card show.
    """

    scores: list[Score] = field(default_factory=list)
    predictions: dict[str, Predictions] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)
    bound: list[Score] = field(default_factory=list)
    beside: list[Predictions] = field(default_factory=list)


def suite(
    run: Path,
    data: Path | None = None,
    *,
    split: str = "test",
    prompts: Sequence[str] = (),
    blocks: Sequence[str] = FULL,
    out: Path | None = None,
    images: bool = True,
    bound: Path | None = None,
    say: Say = lambda text: None,
) -> list[Score]:
    """Scores of a run on a split by the named blocks; writes scores, predictions, cards.

    Files: scores.json (or `out`), predictions/, card.html, and for the run's own test split
    README.md, a model card. Those of another split or data set have its name in theirs, so that
    none replaces another: scores-NAME-val.json. `say` is told where they are.

    `data` defaults to the data set that the run was trained on. `prompts` are names or files; by
    default every packaged set whose classes the data set has. `bound` is a supervised run whose
    scores stand beside the zero-shot ones. `images=False` leaves pictures out of the card.

    Raises:
        DataError: an unknown block, or nothing can be scored.
    """
    for name in blocks:
        if name not in FULL:
            raise DataError(f"no block is called {name!r}; {nearest(name, list(FULL))}")
    exam = opened(run, data, split, prompts, say)
    found = examine(exam, blocks, say)
    other = ""
    if split != "test" or exam.dataset.hash != exam.record["data"]["hash"]:
        other = "-" + re.sub(r"[^\w.-]", "_", f"{exam.dataset.name}-{split}")
    for name, predictions in found.predictions.items():
        write_predictions(run / "predictions" / f"{name}{other}.npz", predictions)
    if bound is not None:
        found.bound = read_scores(bound / f"scores{other}.json")
        beside = bound / "predictions" / f"supervised{other}.npz"
        found.beside = [read_predictions(beside)] if beside.exists() else []
    written = out or run / f"scores{other}.json"
    write_scores(written, found.scores + found.bound, add=False)
    pages = write_card(run, other, exam, found, images=images)
    say(f"written: {written} and {' and '.join(str(page) for page in pages)}")
    return found.scores + found.bound


def examine(exam: Exam, blocks: Sequence[str], say: Say = lambda text: None) -> Found:
    """What the guard and the named blocks find, in this order; nothing is written."""
    found, failed = Found(), []
    for name in (GUARD, *(name for name in FULL if name in blocks)):
        began = time.perf_counter()
        try:
            scores = BLOCKS[name](exam, found, lambda text, name=name: say(f"{name}: {text}"))
        except AsclipError as error:
            failed += [error] if name != GUARD else []
            found.warnings.setdefault(name, []).append(f"not done: {error}")
            scores = [_not_done(exam, name, error)]
        found.seconds[name] = time.perf_counter() - began
        found.scores += [
            replace(one, block=name, split_hash=exam.dataset.split_hash) for one in scores
        ]
        for text in found.warnings.get(name, ()):
            say(f"{name}: note: {text}")
        say(f"{name}: {len(scores):,} scores in {found.seconds[name]:.1f} s")
    if len(failed) == len(set(blocks)):
        raise failed[0]
    found.predictions = {
        name: replace(one, provenance={**one.provenance, "split_hash": exam.dataset.split_hash})
        for name, one in found.predictions.items()
    }
    return found


def _not_done(exam: Exam, name: str, error: AsclipError) -> Score:
    return Score(
        exam.dataset.name, exam.split, name, "block", "", float("nan"), seed=exam.seed,
        preprocessing=exam.model.preprocessing.digest, why_nan=clean(str(error)),
    )  # fmt: skip


def _guard(exam: Exam, found: Found, say: Say) -> list[Score]:
    from asclip.recipes.guard import guard
    from asclip.recipes.seen import seen

    scores, told = guard(exam.dataset, exam.split, say=say)
    known, more = seen(exam, say=say)
    found.warnings[GUARD] = told + more
    return scores + known


def _vision(exam: Exam, found: Found, say: Say) -> list[Score]:
    scores = []
    for name, task in exam.tasks:
        say(f"{name} on {len(exam.part):,} studies")
        found.predictions[name] = predicted = task.predict(exam.model, exam.part)
        if absent := predicted.provenance.get("classes_not_in_data"):
            say(f"{name}: {exam.dataset.name} has no studies to ask about {', '.join(absent)}")
        scores += task.evaluate(found.predictions[name])
    if not scores:
        from asclip.data.prompts import list_prompt_sets

        raise DataError(
            "nothing can be scored: the data set has no text and no label or column that a prompt "
            f"set names ({', '.join(list_prompt_sets())}); give --prompts FILE"
        )
    return scores


def _text(exam: Exam, found: Found, say: Say) -> list[Score]:
    from asclip.recipes.textual import textual

    scores, predictions = textual(exam, say=say)
    found.predictions |= predictions
    return scores


def _trust(exam: Exam, found: Found, say: Say) -> list[Score]:
    from asclip.recipes.trust import examined, usual

    trust = examined(exam, usual(exam.part), say=say)
    found.judged, found.warnings["trust"] = trust.judged, trust.warnings
    return trust.scores


def _robustness(exam: Exam, found: Found, say: Say) -> list[Score]:
    from asclip.recipes.guard import shortcuts
    from asclip.recipes.robustness import robustness

    scores, told = robustness(
        exam.model, exam.part, exam.sets, seed=exam.seed, resamples=RESAMPLES, say=say
    )
    probed, more = shortcuts(
        exam.model, exam.dataset, exam.sets,
        split=exam.split, seed=exam.seed, resamples=RESAMPLES, say=say,
    )  # fmt: skip
    found.warnings["robustness"] = told + more
    return scores + probed


def _explanation(exam: Exam, found: Found, say: Say) -> list[Score]:
    from asclip.recipes.explanation import explanation
    from asclip.recipes.sheets import contact_sheet

    scores, found.warnings["explanation"] = explanation(
        exam.model,
        exam.part,
        exam.sets,
        seed=exam.seed,
        resamples=RESAMPLES,
        validation=exam.held_out,
        say=say,
    )
    found.explained = contact_sheet(exam) if scores else []
    return scores


BLOCKS: dict[str, Callable[[Exam, Found, Say], list[Score]]] = {
    GUARD: _guard,
    "vision": _vision,
    "text": _text,
    "trust": _trust,
    "robustness": _robustness,
    "explanation": _explanation,
}
