"""`asclip trust`: calibration, conformal sets, abstention and subgroups of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asclip import terminal
from asclip.terminal import say

if TYPE_CHECKING:
    from asclip.types import Score

GAPS = ("es_auc", "dpd", "deodds")


def trust(
    run: Annotated[Path, typer.Argument(help="Folder that pretrain wrote.")],
    data: Annotated[Path | None, typer.Argument(help="Data set; default: the run's own.")] = None,
    prompts: Annotated[
        list[str] | None, typer.Option(help="Prompt sets: names or files, several.")
    ] = None,
    groups: Annotated[
        str,
        typer.Option(help="Metadata columns, comma-separated; age:40:65 gives edges of bands."),
    ] = "",
    alpha: Annotated[
        float, typer.Option(help="Share of the conformal sets that may miss the truth.")
    ] = 0.1,
    least: Annotated[
        int, typer.Option(min=1, help="Positives and negatives that a group must have.")
    ] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder; default: RUN/trust.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")
    ] = False,
) -> None:
    """Judge a run on held-out patients: calibration, conformal sets, abstention, subgroups."""
    from asclip.recipes.trust import trust as judge
    from asclip.results import table

    columns = [word.strip() for word in groups.split(",") if word.strip()]
    found = judge(
        run, data, prompts=prompts or (), by=columns, alpha=alpha, least=least, out=out, say=say
    )
    if as_json:
        terminal.print_json(found.to_json())
    else:
        shown = [one for one in found.scores if one.label in ("", "macro")]
        terminal.print_table(table(shown, title="Trust (each label and group: trust.json)"))
        if found.subgroups:
            terminal.print_rows("Groups: gaps over all groups of an attribute", _gaps(found.scores))
            _print_groups(found.subgroups)
    for text in found.warnings:
        say(f"warning: {text}")


def _gaps(scores: Sequence[Score]) -> list[dict[str, str]]:
    """A row per label and attribute (not per crossing) with its three gaps."""
    rows: dict[str, dict[str, str]] = {}
    for one in scores:
        if one.metric in GAPS and " & " not in one.label:
            row = rows.setdefault(one.label, {"label": one.label})
            row[one.metric] = f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"
            if one.value != one.value:
                row[one.metric] = "n/a"
                row["why"] = one.why_nan
    return list(rows.values())


def _print_groups(rows: Sequence[Mapping[str, Any]]) -> None:
    """The groups that clearly differ, and of how many."""
    keys = ("label", "attribute", "group", "n", "positives", "auroc", "gap", "gap_low", "gap_high")
    clear = [row for row in rows if row["gap_low"] > 0 or row["gap_high"] < 0]
    known = sum(row["auroc"] == row["auroc"] for row in rows)
    print()
    terminal.print_rows(
        f"{len(clear)} of {known} groups have another AUROC than all studies together (interval of "
        "the gap without 0; by chance about one in twenty has)",
        [{key: row[key] for key in keys} for row in clear],
    )
