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
    for word in words or []:
        key, mark, value = word.partition("=")
        if not mark or not value:
            raise AsclipError(f"--where takes facet=value, such as year=2023, got {word!r}")
        found.setdefault(key, []).append(value)
    return found


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
    key: Annotated[str, typer.Argument(help="Key of the paper.")], as_json: Json = False
) -> None:
    """One paper: what is known of it, its key terms and the code that implements it."""
    from asclip.literature import commands

    page = commands.show(key)
    if as_json:
        return terminal.print_json(page)
    for name, value in page.items():
        if isinstance(value, list | tuple):
            value = ", ".join(str(v[0] if isinstance(v, list | tuple) else v) for v in value)
        print(f"{name:12s} {value}")
    return None


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
        Path | None, typer.Argument(help="BibTeX, RIS, arXiv or OpenAlex file; default: sources.")
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


@app.command(epilog=EXAMPLE + "asclip papers add new.bib")
def add(
    file: Annotated[
        Path | None, typer.Argument(help="BibTeX, RIS, arXiv or OpenAlex file.")
    ] = None,
    source: Annotated[
        str,
        typer.Option("--from", help="arxiv:ID, doi:ID (OpenAlex) or s2:ID, over the network."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Read references from a file or a service: which are new, which are here already."""
    from asclip.literature import commands

    if (file is None) == (not source):
        raise AsclipError("add takes a file or --from; asclip papers add --from arxiv:2103.00020")
    found = commands.bring(file) if file else commands.fetch(source)
    if as_json:
        return terminal.print_json(found)
    for name, rows in found.items():
        terminal.print_rows(
            f"{name}: {len(rows)}", [{k: row.get(k, "") for k in ("key", "title")} for row in rows]
        )
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
