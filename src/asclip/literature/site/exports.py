"""References for managers of references: whole files, and pieces for what a reader selects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from asclip.literature.awesome import headings
from asclip.literature.cite import cite
from asclip.literature.entry import Paper


@dataclass(frozen=True)
class Form:
    """A format of `cite`: how it is called, its ending, and what stands around its entries."""

    name: str
    title: str
    ending: str
    head: str = ""
    between: str = "\n\n"
    tail: str = "\n"


FORMS = (
    Form("bibtex", "BibTeX", "bib"),
    Form("ris", "RIS", "ris"),
    Form("csl-json", "CSL-JSON", "json", "[\n  ", ",\n  ", "\n]\n"),
    Form("enw", "EndNote ENW", "enw"),
    Form(
        "endnote-xml",
        "EndNote XML",
        "xml",
        '<?xml version="1.0" encoding="UTF-8"?>\n<xml>\n  <records>\n    ',
        "\n    ",
        "\n  </records>\n</xml>\n",
    ),
    Form("markdown", "Markdown", "md"),
)


def piece(paper: Paper, form: Form) -> str:
    """The entry of one paper, without what stands around; of Markdown without its headings."""
    text = cite([paper], form.name)
    if form.name == "markdown":
        return text[text.index("[**") :].strip()
    return text[len(form.head) : len(text) - len(form.tail)]


def pieces(papers: Sequence[Paper]) -> dict[str, Any]:
    """{format: {head, between, tail, items: {key: text}}}: what a page joins for a selection.

    Markdown has `places` too, {key: [heading of stage, of family]}, under which its items go.
    """
    found: dict[str, Any] = {
        form.name: {
            "ending": form.ending,
            "head": form.head,
            "between": form.between,
            "tail": form.tail,
            "items": {paper.key: piece(paper, form) for paper in papers},
        }
        for form in FORMS
    }
    found["markdown"]["places"] = {paper.key: headings(paper) for paper in papers}
    return found


def links(paper: Paper) -> list[dict[str, str]]:
    """A link for each format that gives the file of one paper, without a script."""
    return [
        {
            "title": form.title,
            "file": f"{paper.key}.{form.ending}",
            "href": "data:text/plain;charset=utf-8," + quote(cite([paper], form.name)),
        }
        for form in FORMS
    ]
