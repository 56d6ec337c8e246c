"""`asclip papers`: the field's literature in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asclip import terminal
from asclip.errors import AsclipError

app = typer.Typer(
    no_args_is_help=True,
    help="The literature of CLIP in medical imaging, tied to the code of this package.",
)
EXAMPLE = "[dim]example:[/dim] "
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Facets = Annotated[
    list[str] | None,
    typer.Option("--where", help="facet=value, several: family, leaf, year, venue, status ..."),
]


def _facets(words: list[str] | None) -> dict[str, list[str]]:
    """family=others, year=2023 -> {"family": ["others"], "year": ["2023"]}."""
    found: dict[str, list[str]] = {}
    for key, value in _pairs(words, "--where takes facet=value, such as year=2023"):
        found.setdefault(key, []).append(value)
    return found


def _pairs(words: list[str] | None, must: str) -> list[tuple[str, str]]:
    """The names and values of name=value; `must` begins the message where one is not."""
    pairs = [word.partition("=") for word in words or []]
    for word in pairs:
        if not all(word):
            raise AsclipError(f"{must}, got {''.join(word)!r}")
    return [(name, value) for name, _, value in pairs]


def _table(papers: list[dict[str, Any]]) -> None:
    columns = ("key", "year", "venue", "leaf", "status", "title")
    rows = [{name: paper.get(name, "") for name in columns} for paper in papers]
    terminal.print_rows(f"{len(rows)} papers", rows)


@app.command("list", epilog=EXAMPLE + "asclip papers list --where family=multi-scale")
def list_papers(where: Facets = None, as_json: Json = False) -> None:
    """Every paper, or those with these facets."""
    from asclip.literature import commands

    found = commands.list_papers(_facets(where))
    terminal.print_json(found) if as_json else _table(found)


@app.command(epilog=EXAMPLE + "asclip papers show huang2021gloria")
def show(
    key: Annotated[str, typer.Argument(help="Key of the paper.")],
    abstract: Annotated[
        Path | None,
        typer.Option(help="Text file from which key terms are read too; nothing of it is kept."),
    ] = None,
    as_json: Json = False,
) -> None:
    """One paper: what is known of it, its key terms and the code that implements it."""
    from asclip.literature import commands

    page = commands.show(key, commands.text_of(abstract) if abstract else "")
    if as_json:
        return terminal.print_json(page)
    for name, value in page.items():
        print(f"{name:14s} {_shown(name, value)}")
    return None


def _shown(name: str, value: Any) -> str:
    """A field of a page as text: sentences below one another, key terms with their weights."""
    if name == "key terms":
        return ", ".join(f"{term} {weight:.2f}" for term, weight in value)
    if isinstance(value, list):
        between = f"\n{'':15s}" if name in ("findings", "metrics", "run it") else ", "
        return between.join(map(str, value))
    return str(value)


@app.command(epilog=EXAMPLE + "asclip papers related huang2021gloria")
def related(
    key: Annotated[str, typer.Argument(help="Key of the paper.")],
    number: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    as_json: Json = False,
) -> None:
    """The nearest papers by text, taxonomy and citations."""
    from asclip.literature import commands

    found = commands.related(key, number)
    terminal.print_json(found) if as_json else terminal.print_rows(f"{len(found)} rows", found)


@app.command(epilog=EXAMPLE + 'asclip papers search "report generation" --where year=2023')
def search(
    words: Annotated[str, typer.Argument(help="Words of the title, authors or keywords.")],
    where: Facets = None,
    as_json: Json = False,
) -> None:
    """The papers with these words, the best first."""
    from asclip.literature import commands

    found = commands.search(words, _facets(where))
    terminal.print_json(found) if as_json else _table(found["papers"])


@app.command(epilog=EXAMPLE + "asclip papers cite huang2021gloria --format ris")
def cite(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of the papers.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All papers.")] = False,
    format: Annotated[
        str, typer.Option(help="bibtex | ris | enw | endnote-xml | csl-json | markdown.")
    ] = "bibtex",
) -> None:
    """References for a manager of references, on stdout."""
    from asclip.literature import commands

    if bool(keys) == every:
        raise AsclipError("cite takes keys or --all; asclip papers cite huang2021gloria")
    print(commands.cite(keys or (), format))


@app.command(epilog=EXAMPLE + "asclip papers stats --json")
def stats(as_json: Json = False) -> None:
    """Counts by year, venue, leaf and modality."""
    from asclip.literature import commands

    found = commands.stats()
    if as_json:
        return terminal.print_json(found)
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        print(f"{name:14s} {value}")
    return None


@app.command(epilog=EXAMPLE + "asclip papers lint mine.bib")
def lint(
    file: Annotated[
        Path | None, typer.Argument(help="A file that `add` reads; default: the sources.")
    ] = None,
    links: Annotated[
        bool,
        typer.Option("--links", help="Ask every link (a network, a second a host, once a week)."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Defects of the sources and what was done, or of your own file."""
    from asclip.literature import commands

    found = commands.check_links(file or "") if links else commands.lint(file or "")
    terminal.print_json(found) if as_json else terminal.print_rows(f"{len(found)} rows", found)


@app.command(
    epilog=EXAMPLE
    + "asclip papers add new.bib --set stage=pre-training --set family=others --to mine.csv"
)
def add(
    file: Annotated[
        Path | None,
        typer.Argument(help="BibTeX, RIS, arXiv, OpenAlex, CSL-JSON, Markdown or CSV file."),
    ] = None,
    source: Annotated[
        str,
        typer.Option("--from", help="arxiv:ID, doi:ID (OpenAlex) or s2:ID, over the network."),
    ] = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="field=value, several: title, authors (A; B), stage, leaf ..."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Table (CSV) to which the new papers are added.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read references, or one paper field by field: which are new, where they may belong.

    With --set or --to the new ones are checked: complete, not here already, in a known place.
    """
    from asclip.literature import commands

    fields = dict(_pairs(values, "--set takes field=value, such as leaf=zero-shot"))
    if (file and source) or not (file or source or fields):
        raise AsclipError(
            "add takes a file, --from or --set; asclip papers add --from arxiv:2103.00020"
        )
    if file:
        found = commands.bring(file, fields=fields, to=to or "")
    elif source:
        found = commands.fetch(source, fields=fields, to=to or "")
    else:
        found = {"new": [commands.add(fields, to or "")], "known": []}
    if as_json:
        return terminal.print_json(found)
    for name, rows in found.items():
        columns = ("key", "leaf_hint" if name == "new" else "same", "title")
        table = [{column: row.get(column, "") for column in columns} for row in rows]
        terminal.print_rows(f"{name}: {len(rows)}", table)
    return None


@app.command(epilog=EXAMPLE + "asclip papers build site/")
def build(
    folder: Annotated[Path, typer.Argument(help="A new folder, or one of an earlier build.")],
    compare: Annotated[
        Path | None, typer.Option(help="compare.json to show; default: the packaged results.")
    ] = None,
    library: Annotated[
        bool, typer.Option(help="Bring the graph library (cache, else npm); else a still drawing.")
    ] = True,
) -> None:
    """Write the literature and the methods atlas as pages that work offline."""
    from asclip import atlas
    from asclip.literature import cache
    from asclip.literature.site import build as write
    from asclip.literature.site.library import find

    found = find(cache.folder("npm")) if library else None
    if library and not found:
        terminal.say(
            "no graph library (neither cached nor from npm): the network is a still drawing"
        )
    paths = write(
        folder, atlas.methods(), settings=atlas.settings(), compare=compare, library=found
    )
    terminal.say(f"{len(paths)} files written; open {folder / 'index.html'}")
