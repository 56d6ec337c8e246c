"""`asclip adapt`: few-shot curves of adapters on a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asclip import arguments, terminal
from asclip.terminal import say


def adapt(
    run: Annotated[Path, typer.Argument(help="Folder that pretrain wrote.")],
    data: Annotated[Path, typer.Argument(help="Data set with labels, ingested like the run's.")],
    prompts: Annotated[str, typer.Option(help="A prompt set: its name or a file.")],
    methods: Annotated[
        str,
        typer.Option(
            help="Adapters, comma-separated, with parameters where wanted "
            "(tip-adapter,coop:vectors=4,steps=50); default: all."
        ),
    ] = "",
    shots: Annotated[str, typer.Option(help="Patients of each class, comma-separated.")] = (
        "1,2,4,8,16"
    ),
    seeds: Annotated[str, typer.Option(help="Comma-separated; each draws other studies.")] = (
        "0,1,2"
    ),
    split: Annotated[str, typer.Option(help="The split that is scored.")] = "test",
    out: Annotated[
        Path | None, typer.Option(help="JSON file; default: RUN/adapt-DATA-PROMPTS.json.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Fit adapters on a few labelled studies, choose on validation, score on the test split."""
    numbers = arguments.whole_numbers("shots", shots), arguments.whole_numbers("seeds", seeds)
    from asclip.recipes.adaptation import adapt as fit
    from asclip.recipes.adaptation import records, table

    rows = fit(
        run, data, prompts, methods, shots=numbers[0], seeds=numbers[1], split=split, out=out,
        say=say,
    )  # fmt: skip
    if as_json:
        terminal.print_json(records(rows))
    else:
        terminal.print_rows("Few-shot scores: mean over seeds [lowest, highest]", table(rows))
