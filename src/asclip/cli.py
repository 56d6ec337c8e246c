"""The command line: parse, call, print. What a command does lies in the function that it calls.

Results go to stdout (with --json nothing else does), progress and messages to stderr. An
`AsclipError` is printed without a traceback and gives its own exit code; 2 is also a wrong use of
the command line, 130 an interruption. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from asclip import (
    __version__,
    adapting,
    arguments,
    comparing,
    differing,
    evaluating,
    ingesting,
    modelling,
    papers,
    terminal,
    trusting,
)
from asclip.allocation import keep_freed_memory
from asclip.errors import AsclipError, nearest
from asclip.terminal import say

app = typer.Typer(
    cls=terminal.Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # its pages of locals could hold a patient's text
    context_settings={"help_option_names": ["-h", "--help"]},
    help="CLIP for medical imaging: from a hospital's files to a model, its scores and its card. "
    "Research software, not a medical device.",
    epilog="Start with: [bold]asclip demo[/bold]   (a generated hospital, a few minutes)",
)

app.add_typer(papers.app, name="papers")
app.add_typer(modelling.app, name="model")

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes; default: one per core.")]
EXAMPLE = "[dim]example:[/dim] "


def main(words: Sequence[str] | None = None) -> int:
    """Run `asclip WORDS` (default: the process's own) and give the exit code."""
    keep_freed_memory()
    try:
        app(arguments.spread(sys.argv[1:] if words is None else words), prog_name="asclip")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asclip {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command(epilog=EXAMPLE + "asclip demo --out runs/demo")
def demo(
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/demo"),
    studies: Annotated[int, typer.Option(min=20, help="Studies to generate.")] = 2000,
    seed: Seed = 0,
) -> None:
    """Generate a hospital, ingest, pre-train, evaluate and write the report card."""
    from asclip.recipes.demo import demo as run

    card = run(out, studies, seed, say=say)
    say(f"card: {card}", "next: open it in a browser, then: asclip ingest --help")


@app.command(epilog=EXAMPLE + "asclip phantom hospital --studies 1000 --seed 1")
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for DICOM files and reports.csv.")],
    studies: Annotated[int, typer.Option(min=1, help="Studies to generate.")] = 2000,
    seed: Seed = 0,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns of a film.")] = 256,
    ct: Annotated[float, typer.Option(min=0, max=1, help="Share of studies with a CT.")] = 0.0,
    ecg: Annotated[float, typer.Option(min=0, max=1, help="Share of studies with an ECG.")] = 0.0,
    workers: Workers = None,
) -> None:
    """Generate a hospital with known truth: DICOM films, CT and reports."""
    from asclip.data.progress import track
    from asclip.phantom.hospital import write

    with track(studies, "phantom") as advance:
        table = write(
            out, studies, seed, size=size, ct=ct, ecg=ecg, workers=workers, progress=advance
        )
    more = " --map signal=signal --signal-rate 250" if ecg else ""
    say(f"written: {table}", f"next: asclip ingest {table} --out DATA{more}")
    if ct:
        say(
            f"or its CT as volumes: asclip ingest {out / 'ct.csv'} --out DATA "
            "--size 32x64x64 --spacing 9x6x6 --window -1000:400"
        )


app.command(epilog=EXAMPLE + "asclip ingest reports.csv --out data --map image=path text=report")(
    ingesting.ingest
)


@app.command(
    epilog=EXAMPLE + "asclip pretrain data/chest --recipe clip --out runs/clip --steps 500",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def pretrain(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA [--PARAMETER VALUE]...", help="Data set, parameters."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name of the recipe.")] = "clip",
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; default: continue.")] = False,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="Print the recipes and their parameters.")
    ] = False,
    help_recipe: Annotated[
        bool, typer.Option("--help-recipe", help="Print the parameters of --recipe.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Time a few steps, part by part; write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a recipe on a data set; continues where an earlier run stopped."""
    from asclip.data.progress import track
    from asclip.recipes import RECIPES, about, parameters
    from asclip.recipes import pretrain as run

    if recipe not in RECIPES:
        raise AsclipError(f"no recipe is called {recipe!r}; {nearest(recipe, list(RECIPES))}")
    if list_recipes or help_recipe:
        chosen = RECIPES if list_recipes else {recipe: RECIPES[recipe]}
        known = {name: parameters(name) for name in chosen}
        return terminal.print_recipes(chosen, known, about(), as_json=as_json)
    kinds = {name: kind for name, (kind, _) in parameters(recipe).items()}
    data, given = arguments.split_options(words or [], kinds)
    if profile and len(data) == 1:
        from asclip.recipes.pretraining import profile as measure

        found = measure(Path(data[0]), recipe, given, progress=track, say=say)
        if as_json:
            return terminal.print_json(found.to_json())
        return terminal.print_rows(found.title, found.rows())
    if len(data) != 1 or out is None:
        raise AsclipError(
            f"pretrain takes one data set and --out RUN, got {len(data)} data sets"
            f"{' and no --out' if out is None else ''}; "
            "asclip pretrain DATA --recipe clip --out RUN"
        )
    written = run(Path(data[0]), recipe, out, given, fresh=fresh, progress=track, say=say)
    if as_json:
        from asclip.recipes.pretraining import read_run

        terminal.print_json(read_run(written))
    then = f"evaluate {written}"
    if recipe == "kad-knowledge":
        then = f"pretrain DATA --recipe kad --text-tower run:{written} --out RUN"
    say(f"written: {written}", f"next: asclip {then}")


app.command(epilog=EXAMPLE + "asclip evaluate runs/clip --suite full")(evaluating.evaluate)


app.command(epilog=EXAMPLE + "asclip diff runs/clip runs/gloria --out diff.html")(differing.diff)


app.command(epilog=EXAMPLE + "asclip compare gloria medclip --challenges side_zone,unpaired")(
    comparing.compare
)


app.command(epilog=EXAMPLE + "asclip adapt runs/clip data --prompts cxr-findings --methods coop")(
    adapting.adapt
)


app.command(epilog=EXAMPLE + "asclip trust runs/clip --groups sex,age:40:65")(trusting.trust)


app.command(epilog=EXAMPLE + "asclip predict runs/clip film.dcm --prompts cxr-findings --json")(
    evaluating.predict
)


@app.command(epilog=EXAMPLE + "asclip prompts cxr-findings --json > my-findings.json")
def prompts(
    name: Annotated[str | None, typer.Argument(help="A set to show; default: list all.")] = None,
    as_json: Json = False,
) -> None:
    """List the packaged prompt sets, or show one; its JSON is a file to start your own from."""
    from asclip.data.prompts import list_prompt_sets, load_prompt_set

    if name is None:
        sets = [load_prompt_set(one) for one in list_prompt_sets()]
        rows = [
            {"name": one.name, "kind": one.kind, "classes": ", ".join(one.labels)} for one in sets
        ]
        return terminal.print_json(rows) if as_json else terminal.print_rows("Prompt sets", rows)
    chosen = load_prompt_set(name)
    if as_json:
        return terminal.print_json(chosen.to_json())
    rows = [
        {"class": label, "says": sign, "prompt": text}
        for label, part in chosen.classes.items()
        for sign, texts in (("yes", part.positive), ("no", part.negative))
        for text in texts
    ]
    return terminal.print_rows(f"{chosen.id}, {chosen.kind}", rows)


@app.command(epilog=EXAMPLE + "asclip doctor --json")
def doctor(
    as_json: Json = False,
    no_speed: Annotated[bool, typer.Option("--no-speed", help="Measure no speed.")] = False,
) -> None:
    """Tell what is installed, what is missing, how to add it, and how fast this machine is."""
    from asclip import doctor as examination

    findings = examination.examine(speed=not no_speed)
    if as_json:
        terminal.print_json(examination.to_json(findings))
    else:
        terminal.print_table(examination.table(findings))
    if not examination.healthy(findings):
        say("asclip: something that is needed is missing; see the lines marked MISSING")
        raise typer.Exit(1)
    say("all that is needed is there", "next: asclip demo")
