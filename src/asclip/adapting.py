"""`asclip adapt`: few-shot curves of adapters on a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asclip import arguments, terminal
from asclip.errors import AsclipError
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
    fractions: Annotated[
        str,
        typer.Option(help="In place of shots: shares of the labelled patients (0.01,0.1,1)."),
    ] = "",
    seeds: Annotated[str, typer.Option(help="Comma-separated; each draws other studies.")] = (
        "0,1,2"
    ),
    split: Annotated[str, typer.Option(help="The split that is scored.")] = "test",
    base_new: Annotated[
        bool, typer.Option("--base-new", help="Fit on half of the classes, score on both halves.")
    ] = False,
    base: Annotated[
        str, typer.Option(help="With --base-new: the classes to fit on, comma-separated.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="JSON file; default: RUN/adapt-DATA-PROMPTS.json.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Fit adapters on a few labelled studies, choose on validation, score on the test split.

    An interrupted call goes on where it stopped; a call with more methods, shots or seeds adds to
    the file.
    """
    numbers = arguments.whole_numbers("shots", shots), arguments.whole_numbers("seeds", seeds)
    shares = _shares(fractions) if fractions else ()
    classes = tuple(one.strip() for one in base.split(",") if one.strip())
    from asclip.recipes.adaptation import adapt as fit
    from asclip.recipes.adaptation import last, records, table

    rows = fit(
        run, data, prompts, methods, shots=numbers[0], fractions=shares, seeds=numbers[1],
        split=split, base=classes if base_new or classes else None, out=out, say=say,
    )  # fmt: skip
    if as_json:
        terminal.print_json(records(rows))
    else:
        terminal.print_rows("Scores: mean over seeds ± 95 % interval", table(rows))
        print()
        terminal.print_rows("At the largest amount", last(rows))


def _shares(word: str) -> tuple[float, ...]:
    """Different shares in their order: "0.01,1" -> (0.01, 1.0)."""
    try:
        shares = [float(part) for part in word.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise AsclipError(
            "--fractions takes numbers above 0 and not above 1 (0.01 is 1 %, 1 is all), such as "
            f"0.01,0.1,1, got {word!r}"
        )
    return tuple(dict.fromkeys(shares))
