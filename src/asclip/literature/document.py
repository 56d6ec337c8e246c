"""LITERATURE.md: the catalogue as one page, made from the tables and the docstrings.

`python -m asclip.literature.document LITERATURE.md` writes it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from asclip.literature.catalogue import Catalogue, load
from asclip.literature.code import differences, first_sentence
from asclip.literature.entry import DataSet, Paper
from asclip.literature.lint import lint
from asclip.literature.stats import stats

HEAD = """# The literature

Made from `src/asclip/literature/data/` and the docstrings of the modules by
`python -m asclip.literature.document LITERATURE.md`; do not edit.

Catalogue {version}. {listed} entries of the list of the survey "CLIP in medical imaging: A survey"
({source}; {source_licence} licence) and {more} papers that Asclip builds on. {placement}

Status: **reproduced** (the paper's number was found again), **implemented** (the module is named;
how it differs is the beginning of its docstring's own account) or noted."""


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def line(paper: Paper) -> str:
    """One line of a paper."""
    title = f"[{cell(paper.title)}]({paper.link})" if paper.link else cell(paper.title)
    first = paper.authors[0] + (" et al." if len(paper.authors) > 1 else "")
    code = f"[code]({paper.code})" if paper.code else ""
    status = paper.status if paper.status == "noted" else f"**{paper.status}**"
    if paper.same_as:
        status = f"same as {paper.same_as}"
    where = f"{paper.venue} {paper.year or ''}".strip()
    return f"| {title} | {first} | {where} | {paper.leaf} | {code} | {status} |"


def table(head: str, lines: Iterable[str]) -> list[str]:
    """A table of Markdown."""
    return [head, "|" + " --- |" * (head.count("|") - 1), *lines, ""]


def families(catalogue: Catalogue) -> list[str]:
    """The tables of papers, a family each."""
    text: list[str] = []
    for stage, inner in catalogue.taxonomy.items():
        for family in inner:
            papers = [p for p in catalogue.papers if (p.stage, p.family) == (stage, family)]
            listed = sum(paper.listed for paper in papers)
            name = stage if stage == family else f"{stage}: {family}"
            text += [
                f"## {name.capitalize()}",
                "",
                f"{len(papers)} papers, {listed} of the list.",
                "",
            ]
            text += table(
                "| paper | first author | venue | leaf | code | status |", map(line, papers)
            )
    return text


def implemented(catalogue: Catalogue) -> list[str]:
    """The table of what is implemented, with the beginning of the differences."""
    lines = [
        f"| {cell(paper.title)} | {f'arXiv:{paper.arxiv_id}' if paper.arxiv_id else paper.doi} "
        f"| {', '.join(f'`{name}`' for name in paper.implemented_in)} "
        f"| {', '.join(f'`{name}`' for name in paper.recipe)} "
        f"| {cell(first_sentence(differences(paper)))} |"
        for paper in catalogue.papers
        if paper.status != "noted"
    ]
    head = "| paper | number | module | recipe | differs |"
    return ["## Implemented in Asclip", "", *table(head, lines)]


def dataset(one: DataSet) -> str:
    """One line of a data set."""
    return (
        f"| [{one.name}]({one.link}) | {one.domain} | {one.images:,} | {one.texts:,} "
        f"| {one.source} | {one.language} "
        f"| {', '.join(one.models)} | {one.access} | {one.licence} |"
    )


def document(catalogue: Catalogue) -> str:
    """The text of LITERATURE.md."""
    counts = stats(catalogue)
    head = HEAD.format(
        more=counts["papers"] - counts["listed"], listed=counts["listed"], **catalogue.about
    )
    sets = "| data set | domain | images | texts | source | language | models | access | licence |"
    defects = "| entry | kind | found | done | detail |"
    names = ("key", "kind", "found", "done", "detail")
    text = [
        head,
        "",
        *implemented(catalogue),
        *families(catalogue),
        "## Data sets",
        "",
        "Numbers are the rounded ones of the source.",
        "",
        *table(sets, map(dataset, catalogue.datasets)),
        "## Defects of the sources",
        "",
        *table(
            defects,
            (f"| {' | '.join(cell(one[name]) for name in names)} |" for one in lint(catalogue)),
        ),
    ]
    return "\n".join(text).rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(load()), encoding="utf-8")
