"""`asclip diff`: two runs on the same studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asclip import terminal
from asclip.terminal import say


def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="A run that was evaluated.")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B", help="Another, on the same data.")],
    split: Annotated[str, typer.Option(help="train | val | test.")] = "test",
    out: Annotated[
        Path | None, typer.Option(help="Write a page with plots, FILE.html.", metavar="FILE.html")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Compare two runs score by score on the same patients: RUN_B minus RUN_A, with intervals."""
    from asclip.recipes.difference import difference

    found = difference(first, second, split=split)
    if as_json:
        terminal.print_json(found.to_json())
    else:
        rows = [
            {
                "task": row.task,
                "metric": row.metric,
                "label": row.label,
                found.first if found.first != found.second else "first": row.first,
                found.second if found.first != found.second else "second": row.second,
                "difference": f"{row.difference:+.3f}" if not row.why_nan else "n/a",
                "95 %": row.why_nan or f"[{row.low:+.3f}, {row.high:+.3f}]",
                "p": f"{row.p:.2g}" if row.p == row.p else "",
                "n": row.n,
            }
            for row in found.rows
            if row.label in ("", "macro") or (row.clear and row.metric == "auroc")
        ]
        title = "Means over labels, and labels whose AUROC clearly differs (all: --json, --out)"
        terminal.print_rows(title, rows)
    say(found.summary, *(f"note: {text}" for text in found.notes))
    if out is not None:
        from asclip.card import write_difference

        say(f"written: {write_difference(out, found)}")
