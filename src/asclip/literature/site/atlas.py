"""The methods atlas: what stands in a docstring, and the entries that a page is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.code import docstring
from asclip.literature.entry import Paper
from asclip.literature.results import Result

SECTIONS = ("Paper", "Source", "Takes", "Gives", "Equals", "Differs", "Checked")
SECTION = re.compile(rf"^({'|'.join(SECTIONS)}):?  +(?=\S)")


@dataclass(frozen=True)
class Parameter:
    """What can be set: its name, type, default, and what it is in words ("" where not told)."""

    name: str
    kind: str
    default: Any
    about: str = ""


@dataclass(frozen=True)
class Method:
    """A recipe, an adapter or another module that implements a paper.

    `needs` is what an objective reads of a batch; `parameters` are its own; `settings` are the
    common ones whose default it changes. `command` trains or evaluates it.
    """

    name: str
    kind: str
    about: str
    module: str
    command: str
    parameters: tuple[Parameter, ...] = ()
    settings: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name in addresses.

        >>> Method("lp++", "adapter", "", "", "").slug
        'lp-plus-plus'
        """
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower().replace("+", "-plus")).strip("-")


@dataclass(frozen=True)
class Block:
    """A paragraph of a docstring: `kind` is formula, table, prose or a section's name."""

    kind: str
    text: str


def blocks(text: str) -> list[Block]:
    r"""The paragraphs of a docstring after its first line.

    >>> [one.kind for one in blocks("Title.\n\n    L = x\n\nWords.\n\nPaper  CLIP\nGives  total")]
    ['formula', 'prose', 'Paper', 'Gives']
    """
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", text)[1:]:
        lines = part.splitlines()
        if SECTION.match(lines[0]):
            found += sections(lines)
        elif all(line.startswith("    ") or not line.strip() for line in lines):
            kind = "formula" if re.search(r"=|<-|\^|_\{", part) else "table"
            found.append(Block(kind, dedent(part)))
        else:
            found.append(Block("prose", " ".join(part.split())))
    return found


def sections(lines: Sequence[str]) -> list[Block]:
    """The named sections of a paragraph, each as one line."""
    found: list[Block] = []
    for line in lines:
        if start := SECTION.match(line):
            found.append(Block(start.group(1), line[start.end() :].strip()))
        else:
            last = found[-1]
            found[-1] = Block(last.kind, f"{last.text} {line.strip()}")
    return found


def title_of(module: str) -> str:
    """The first paragraph of a module's docstring."""
    return " ".join(docstring(module).split("\n\n")[0].split())


def completed(methods: Iterable[Method], catalogue: Catalogue) -> list[Method]:
    """The methods, and an entry for each module of an implemented paper that none of them shows.

    A tower that a paper's recipe trains is shown on the recipe's page.
    """
    found = list(methods)
    shown = {method.module for method in found}
    names = {method.name for method in found}
    for paper in catalogue.papers:
        for module in paper.implemented_in:
            tower = module.startswith("asclip.towers.") and names & set(paper.recipe)
            if module in shown or tower:
                continue
            shown.add(module)
            command = "asclip evaluate RUN" if ".tasks." in module else ""
            name = module.partition(".")[2]
            found.append(Method(name, "module", title_of(module), module, command))
    return found


def papers_of(method: Method, catalogue: Catalogue) -> list[Paper]:
    """The papers behind a method: those that name its recipe, else those that name its module."""
    named = [paper for paper in catalogue.papers if method.name in paper.recipe]
    if named and method.kind == "objective":
        return named
    return [paper for paper in catalogue.papers if method.module in paper.implemented_in]


def modules_of(method: Method, catalogue: Catalogue) -> list[str]:
    """Its module, then the towers that its papers name beside it."""
    towers = [
        module
        for paper in papers_of(method, catalogue)
        for module in paper.implemented_in
        if module.startswith("asclip.towers.") and method.name in paper.recipe
    ]
    return list(dict.fromkeys([method.module, *towers]))


def methods_of(paper: Paper, methods: Iterable[Method], catalogue: Catalogue) -> list[Method]:
    """The entries that belong to a paper."""
    return [method for method in methods if paper in papers_of(method, catalogue)]


def results_of(method: Method, results: Iterable[Result]) -> list[Result]:
    """The rows of the comparison that are this recipe's, changed parameters included."""
    return [row for row in results if method.kind == "objective" and row.recipe == method.name]


def path_of(module: str) -> str:
    """Where a module lies in the repository.

    >>> path_of("asclip.pretrain.clip")
    'src/asclip/pretrain/clip.py'
    """
    return f"src/{module.replace('.', '/')}.py"
