"""The text block of a suite: what a run's text tower has understood."""

from __future__ import annotations

from collections.abc import Callable

from asclip.errors import ModelError
from asclip.recipes.exam import Exam
from asclip.tasks.textual.entailment import entailment
from asclip.tasks.textual.negation import image_twins, negation
from asclip.tasks.textual.probe import probe
from asclip.tasks.textual.report_retrieval import report_retrieval
from asclip.tasks.textual.sentence_similarity import sentence_similarity
from asclip.types import Predictions, Score


def textual(
    exam: Exam, *, resamples: int = 1000, say: Callable[[str], None] = lambda text: None
) -> tuple[list[Score], dict[str, Predictions]]:
    """Scores of all text tasks on the exam's split, and the predictions of the probe.

    Raises:
        ModelError: the run was trained without text.
    """
    if exam.model.classifier is not None:
        raise ModelError(
            f"{exam.run.name} was trained on labels and never read a text, so there is nothing to "
            "ask its text tower; evaluate a run of another recipe"
        )
    common = {"seed": exam.seed, "resamples": resamples}
    say("generated sentences: negation, similarity, entailment")
    scores = negation(exam.model, exam.part, **common)
    scores.append(image_twins(exam.model, exam.part, **common))
    scores += sentence_similarity(exam.model, exam.part, **common)
    scores += entailment(exam.model, exam.part, **common)
    say(f"reports: retrieval among {len(exam.part):,}, probe fitted on {len(exam.train):,}")
    scores += report_retrieval(exam.model, exam.part, **common)
    probed, predictions = probe(exam.model, exam.train, exam.held_out, exam.part, **common)
    return scores + probed, predictions
