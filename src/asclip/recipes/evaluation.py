"""From a run and a data set to scores, predictions and the report card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from asclip.recipes.exam import Encodings, check_preprocessing, fitting, own_data, tasks_of
from asclip.recipes.suite import BASIC, suite
from asclip.types import Score

__all__ = ["Encodings", "check_preprocessing", "evaluate", "fitting", "own_data", "tasks_of"]


def evaluate(
    run: Path,
    data: Path | None = None,
    *,
    split: str = "test",
    prompts: Sequence[str] = (),
    out: Path | None = None,
    images: bool = True,
    bound: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Score]:
    """Scores of the guard and the vision block; see `suite` for the parameters and the files."""
    return suite(
        run, data, split=split, prompts=prompts, blocks=BASIC, out=out, images=images,
        bound=bound, say=say,
    )  # fmt: skip
