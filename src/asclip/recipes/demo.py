"""The whole way on generated data: phantom hospital -> data set -> model -> scores -> card."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from asclip.data.ingest import ingest
from asclip.data.progress import track
from asclip.data.sources.table import Table
from asclip.files.preprocessing import Preprocessing
from asclip.phantom.hospital import write
from asclip.recipes.evaluation import evaluate
from asclip.recipes.options import choose
from asclip.recipes.pretraining import pretrain

SIZE = 128  # pixels: what two cores can learn from in two minutes
EPOCHS = 12  # of the bound as well: with the same tower and epochs it takes about the same time


def demo(
    out: Path,
    studies: int = 2000,
    seed: int = 0,
    *,
    recipe: str = "clip",
    say: Callable[[str], None] = print,
) -> Path:
    """Everything in `out`; the path of the card. Run again after an interruption, it goes on."""
    began = time.perf_counter()
    hospital, data, bound = out / "hospital", out / "data", out / "supervised"

    def stage(text: str) -> None:
        say(f"[{time.perf_counter() - began:5.0f} s] {text}")

    stage(f"phantom hospital: {studies:,} studies as DICOM with reports -> {hospital}")
    with track(studies, "phantom") as advance:
        table = write(hospital, studies, seed, size=SIZE, progress=advance)
    stage(f"ingest -> {data}")
    how = Preprocessing(size=(SIZE, SIZE), mean=(0.5,), std=(0.25,))
    ingest(Table(table, name="phantom"), data, how, seed=seed, progress=track)
    given = {"seed": seed, "epochs": EPOCHS}
    stage("supervised bound: the same tower and epochs, trained on labels")
    pretrain(data, "supervised", bound, given, progress=track, say=say)
    evaluate(bound)
    stage(f"pre-training with recipe {recipe!r} -> {out}")
    # Of two thousand reports, word vectors learn more than attention does, in less time (LOG.md).
    few = {"text_tower": "words"} if choose(recipe, {})[0].lock == "none" else {}
    pretrain(data, recipe, out, {**given, **few}, progress=track, say=say)
    stage("evaluation and report card")
    evaluate(out, prompts=["phantom-findings"], bound=bound, say=say)
    stage(f"done: {out / 'scores.json'} and {out / 'card.html'}")
    return out / "card.html"
