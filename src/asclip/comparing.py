"""`asclip compare`: methods side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asclip import arguments, terminal
from asclip.terminal import say


def compare(
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recipes, or recipes with parameters (clip:texts=report); default: all. "
            "The baseline clip always runs."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the comparison; a further call with these settings adds to its table."
        ),
    ] = Path("runs/compare"),
    challenges: Annotated[
        str, typer.Option(help="Phantom challenges, comma-separated; default: all.")
    ] = "",
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "0,1,2",
    studies: Annotated[int, typer.Option(min=20, help="Studies of each hospital.")] = 1500,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns of an image.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Updates of the baseline.")] = 300,
    equal: Annotated[
        str,
        typer.Option(help="compute: the same arithmetic for all; steps: the same updates for all."),
    ] = "compute",
    image_tower: Annotated[str, typer.Option(help="Image tower of all methods.")] = "micro",
    text_tower: Annotated[str, typer.Option(help="Text tower of all methods.")] = "words",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Train methods side by side on challenges whose truth is known; one table with intervals."""
    from asclip.phantom.challenges import NAMES
    from asclip.recipes import RECIPES
    from asclip.recipes.compare import compare as run
    from asclip.recipes.equal import LEFT_OUT

    names = [name.strip() for name in challenges.split(",") if name.strip()] or NAMES
    found = run(
        out,
        methods or [name for name in RECIPES if name not in LEFT_OUT],
        names,
        seeds=arguments.whole_numbers("seeds", seeds),
        studies=studies,
        size=size,
        equal={"steps": steps, "image_tower": image_tower, "text_tower": text_tower},
        by=equal,
        jobs=jobs,
        say=say,
    )
    if as_json:
        terminal.print_json(found["table"])
    say(f"written: {out / 'compare.json'} and {out / 'compare.html'}")
