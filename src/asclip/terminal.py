"""How the command line speaks: JSON and tables on stdout, messages and errors on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from asclip.errors import AsclipError

AGAIN = "interrupted; run the same command again to continue"


class Commands(TyperGroup):
    """The commands, with what a user can mend turned into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises `typer.Exit` with the code of an error."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            message, code = AGAIN, 130
        except AsclipError as error:
            message, code = str(error), error.exit_code
        except BrokenPipeError:
            raise
        except OSError as error:
            name = Path(error.filename).name if isinstance(error.filename, str) else ""
            message = f"{error.strerror or error}{': ' if name else ''}{name}"
            code = 3 if isinstance(error, FileNotFoundError) else 6
        say(f"asclip: {message}")
        raise typer.Exit(code)


def say(*lines: str) -> None:
    """Print messages on stderr, so that stdout holds results alone."""
    for line in lines:
        print(line, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout; NaN and infinity, which JSON lacks, become null."""
    print(json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False))


def plain(value: Any) -> Any:
    """`value` as what JSON knows.

    >>> plain({"auroc": float("nan"), "size": (8, 8)})
    {'auroc': None, 'size': [8, 8]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # a numpy scalar or array, without importing numpy
        return plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def print_table(table: Any) -> None:
    """Print a rich table on stdout, as wide as the terminal, or whole where there is none."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as one table on stdout; a nested mapping becomes one row per entry."""
    from rich.table import Table
    from rich.text import Text

    flat = [one for row in rows for one in _unfold(row)]
    heads = list(dict.fromkeys(key for row in flat for key in row))
    table = Table(box=None, pad_edge=False)
    for head in heads:
        is_number = all(isinstance(row.get(head, 0), int | float) for row in flat)
        table.add_column(head, justify="right" if is_number else "left", overflow="fold")
    for row in flat:
        table.add_row(*(Text(_cell(row.get(head, ""))) for head in heads))
    print(title)
    print_table(table)


def print_recipes(
    recipes: Mapping[str, Callable[..., Any]],
    parameters: Mapping[str, Mapping[str, tuple[type, Any]]],
    about: Mapping[str, str],
    *,
    as_json: bool,
) -> None:
    """Print recipes with the type and default of each of their `parameters`, and what it is."""
    if as_json:
        print_json(
            {
                name: {
                    "about": _first_line(recipe),
                    "parameters": {
                        key: {
                            "type": kind.__name__,
                            "default": default,
                            "about": about.get(key, ""),
                        }
                        for key, (kind, default) in parameters[name].items()
                    },
                }
                for name, recipe in recipes.items()
            }
        )
        return
    for name, recipe in recipes.items():
        rows = [
            {
                "option": "--" + key.replace("_", "-"),
                "takes": kind.__name__,
                "default": str(default),
                "is": about.get(key, ""),
            }
            for key, (kind, default) in parameters[name].items()
        ]
        print_rows(f"{name}: {_first_line(recipe)}", rows)
        print()


def ingested(about: Mapping[str, Any]) -> list[str]:
    """What an ingest has made and what it has left out, from `Dataset.describe`.

    >>> about = {"studies": 9, "patients": 5, "images": 9, "notes": ["1 file was left out"]}
    >>> about["splits"] = {"train": {"studies": 7, "patients": 4}, "test": {"studies": 2}}
    >>> ingested(about)
    ['9 studies, 9 images, 5 patients (train 7, test 2 studies)', 'note: 1 file was left out']
    """
    sides = ", ".join(f"{side} {count['studies']:,}" for side, count in about["splits"].items())
    return [
        f"{about['studies']:,} studies, {about['images']:,} images, {about['patients']:,} patients "
        f"({sides} studies)",
        *(f"note: {text}" for text in about["notes"]),
    ]


def _first_line(recipe: Callable[..., Any]) -> str:
    return (recipe.__doc__ or "").strip().partition("\n")[0]


def _unfold(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "error" in row:
        return []  # said beside the table
    nested = next((key for key, value in row.items() if isinstance(value, Mapping)), None)
    if nested is None:
        return [dict(row)]
    outer = {key: value for key, value in row.items() if not isinstance(value, Mapping)}
    return [{**outer, "label": name, "score": value} for name, value in row[nested].items()]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.3f}"
    return str(value)
