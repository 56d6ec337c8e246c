"""`asclip evaluate` and `asclip predict`: a run's scores, and scores of single files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from asclip import terminal
from asclip.errors import AsclipError, FileError
from asclip.terminal import say

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
SUITES = ("basic", "full")
LEADING = ("", "macro")


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder that pretrain wrote.")],
    data: Annotated[Path | None, typer.Argument(help="Data set; default: the run's own.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the scores; default: RUN/scores.json.")
    ] = None,
    split: Annotated[str, typer.Option(help="train | val | test.")] = "test",
    prompts: Annotated[
        list[str] | None, typer.Option(help="Prompt sets: names or files, several.")
    ] = None,
    suite: Annotated[
        str, typer.Option(help="basic (vision) | full (all blocks, some minutes).")
    ] = "basic",
    blocks: Annotated[
        str,
        typer.Option(help="Only these, comma-separated: vision,text,trust,robustness,explanation."),
    ] = "",
    no_images: Annotated[
        bool,
        typer.Option(
            "--no-images",
            help="Leave pictures of patients out of the card; its examples still quote reports.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Score a run on held-out patients and write its report card, RUN/card.html."""
    if suite not in SUITES:
        raise AsclipError(f"--suite must be basic or full, got {suite!r}")
    from asclip.recipes.suite import BASIC, FULL
    from asclip.recipes.suite import suite as score

    named = tuple(word.strip() for word in blocks.split(",") if word.strip())
    wanted = named or (FULL if suite == "full" else BASIC)
    scores = score(
        run, data, split=split, prompts=list(prompts or []), out=out, images=not no_images,
        blocks=wanted, say=say,
    )  # fmt: skip
    if as_json:
        terminal.print_json([asdict(one) for one in scores])
    else:
        from asclip.results import table

        # A full suite has hundreds of records; what is no mean stands on the card.
        shown = [one for one in scores if one.block in ("", "vision") or one.label in LEADING]
        terminal.print_table(table(shown))
    say(f"next: open the card, or: asclip predict {run} FILE --prompts NAME (see asclip prompts)")
    if wanted == BASIC:
        say("or its text tower, trust, robustness and explanations: --suite full")


def predict(
    run: Annotated[Path, typer.Argument(help="Folder that pretrain wrote.")],
    files: Annotated[list[Path], typer.Argument(help="Images: DICOM, NIfTI, NRRD, PNG, JPEG.")],
    prompts: Annotated[str, typer.Option(help="A prompt set: its name or a file.")],
    as_json: Json = False,
) -> None:
    """Score files with the run's own preprocessing."""
    from asclip.recipes.prediction import predict as score

    rows = score(run, files, prompts)
    if as_json:
        terminal.print_json(rows)
    else:
        terminal.print_rows("Scores (see `kind`; none is a probability of disease)", rows)
    bad = [row for row in rows if "error" in row]
    for row in bad:
        say(f"asclip: {row['file']}: {row['error']}")
    if bad:
        raise typer.Exit(FileError.exit_code)
