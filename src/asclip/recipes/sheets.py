"""The contact sheet of a card: a few findings, each as every method explains it."""

from __future__ import annotations

from asclip.card import Explained
from asclip.recipes.exam import Exam
from asclip.recipes.explanation_cases import cases, methods

ROWS = 4


def contact_sheet(exam: Exam, rows: int = ROWS) -> list[Explained]:
    """At most `rows` findings of studies, drawn with the run's seed and not the best ones."""
    asked = cases(exam.part, exam.sets, seed=exam.seed, each=1)
    if asked is None or exam.part.preprocessing.is_volume:
        return []
    asked = asked.first(rows)
    maps = {
        name: method(exam.model.model, asked.images, asked.phrases)
        for name, method in methods(exam.model.model).items()
        if name != "middle"  # the same for all
    }
    return [
        Explained(
            image=asked.images[k],
            phrase=asked.phrases[k],
            boxes=asked.boxes[k],
            maps={name: one[k] for name, one in maps.items()},
        )
        for k in range(len(asked))
    ]
