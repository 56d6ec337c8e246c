"""`asclip model`: published models, as runs of Asclip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asclip import terminal
from asclip.terminal import say

app = typer.Typer(
    no_args_is_help=True,
    help="Published medical CLIPs, added as runs: evaluate, predict, adapt and trust work on them.",
)
EXAMPLE = "[dim]example:[/dim] "
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Name = Annotated[str, typer.Argument(help="A model of asclip model list.")]


@app.command("list", epilog=EXAMPLE + "asclip model list")
def list_models(as_json: Json = False) -> None:
    """Every model of the table, its licence, and whether it loads."""
    from asclip.towers.published.table import entries

    told = [entry.told() for entry in entries().values()]
    if as_json:
        return terminal.print_json(told)
    columns = ("name", "images", "licence", "access", "size", "text")
    rows = [{key: one.get(key, "") for key in columns} for one in told if one["loads"]]
    terminal.print_rows(f"{len(rows)} models load", rows)
    others = [{key: one[key] for key in ("name", "reason")} for one in told if not one["loads"]]
    print()
    terminal.print_rows(f"{len(others)} models have no tower here", others)


@app.command(epilog=EXAMPLE + "asclip model show biomedclip")
def show(name: Name, as_json: Json = False) -> None:
    """What is known of one model: where it is, its licence, its input, what differs."""
    from dataclasses import asdict

    from asclip.towers.published.table import entry

    one = entry(name)
    if as_json:
        return terminal.print_json(asdict(one))
    told = one.told() | {f"SHA-256 of {file}": digest for file, digest in one.sha256.items()}
    rows = [{"fact": key, "is": str(value)} for key, value in told.items()]
    rows += [{"fact": "differs", "is": text} for text in one.differs]
    rows += [{"fact": f"left out: {key}", "is": why} for key, why in one.unused.items()]
    terminal.print_rows(one.title, rows)


@app.command(epilog=EXAMPLE + "asclip model add biomedclip --out runs/biomedclip")
def add(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder of the run, a new one.")],
    source: Annotated[
        str,
        typer.Option(
            "--from", help="Weights file, folder or hub id; default: the model's own hub id."
        ),
    ] = "",
    tokenizer: Annotated[
        str,
        typer.Option(
            help="Folder, tokenizer.json, hub id or CLIP's vocabulary file; default: beside the "
            "weights, else the model's own."
        ),
    ] = "",
    sha256: Annotated[str, typer.Option("--sha256", help="Digest that the file must have.")] = "",
) -> None:
    """Check a published model's file key by key and write it as a run."""
    from asclip.recipes.models import add as run

    written = run(name, out, source, tokenizer=tokenizer, sha256=sha256, say=say)
    say(f"written: {written}", f"next: asclip ingest TABLE --like {written} --out DATA")
