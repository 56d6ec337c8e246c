"""What the code says of itself: sections and ids of a module's docstring, read without importing.

Docstrings of methods have the sections Paper, Takes, Gives, Equals and Differs (CONTRIBUTING.md).
Reading them at run time keeps the catalogue from repeating, and contradicting, the code.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.resources import files

from asclip.errors import DataError
from asclip.literature.entry import Paper

SECTION = r"^{name} {{2,}}(.+(?:\n {{2,}}.+)*)"


@cache
def docstring(module: str) -> str:
    """The docstring of a module of Asclip, "" if it has none; the module is not imported."""
    parts = module.split(".")
    base = files("asclip").joinpath(*parts[1:-1])
    for path in (base.joinpath(f"{parts[-1]}.py"), base.joinpath(parts[-1], "__init__.py")):
        if parts[0] == "asclip" and len(parts) > 1 and path.is_file():
            return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    raise DataError(f"a module of asclip must exist; got {module!r}; correct `implemented_in`")


def section(module: str, name: str) -> str:
    """One section of a module's docstring as one line, "" where it has none."""
    found = re.search(SECTION.format(name=name), docstring(module), re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def differences(paper: Paper) -> str:
    """How Asclip's code differs from the paper, in one line, from the docstrings of its modules.

    >>> differences(Paper("k", "t", implemented_in=("asclip.pretrain.siglip",)))
    'shared texts are positives and neutral pairs drop out, as in clip.py'
    """
    found = {module: section(module, "Differs") for module in paper.implemented_in}
    said = {module: text for module, text in found.items() if text}
    if len(said) < 2:
        return next(iter(said.values()), "")
    return " | ".join(f"{module.rpartition('.')[2]}: {text}" for module, text in said.items())


def first_sentence(text: str) -> str:
    """The first sentence or clause of a text.

    >>> first_sentence("a_t is, e.g. here, 0.5; more follows. And more.")
    'a_t is, e.g. here, 0.5'
    """
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        after = text[place + 1 : place + 3]
        ends = letter == ";" or (letter == "." and re.match(r" [A-Z]|$", after))
        if depth == 0 and ends:
            return text[:place]
    return text


def names(paper: Paper, module: str) -> bool:
    """Whether a module's docstring has the paper's arXiv id or DOI."""
    text = docstring(module).casefold()
    return any(number and number.casefold() in text for number in (paper.arxiv_id, paper.doi))


def run_it(paper: Paper) -> list[str]:
    """The commands that train or evaluate this method here."""
    train = [f"asclip pretrain --recipe {name}" for name in paper.recipe]
    if not train and any(".tasks." in module for module in paper.implemented_in):
        return ["asclip evaluate"]
    return train
