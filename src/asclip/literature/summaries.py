"""Summaries and key findings in our own words, of papers whose mechanism or numbers were read.

`data/summaries.json`: {key: {"summary", "findings" (seven at most), "source"}}. Nothing is made up
for the others: an implemented paper without one has the first line of its module's docstring.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from asclip.literature.catalogue import text_of
from asclip.literature.code import docstring
from asclip.literature.entry import Paper

MOST = 7


@dataclass(frozen=True)
class Summary:
    """What a paper does, its key findings, and where both were read; "" and () if not written."""

    summary: str = ""
    findings: tuple[str, ...] = ()
    source: str = ""


@cache
def written() -> dict[str, Summary]:
    """The summaries by key."""
    found = json.loads(text_of("summaries.json"))
    return {
        key: Summary(one["summary"], tuple(one["findings"][:MOST]), one["source"])
        for key, one in found.items()
    }


def summary_of(paper: Paper) -> Summary:
    """The summary of a paper; a repeated entry has that of the one it repeats.

    >>> summary_of(Paper("k", "t", implemented_in=("asclip.pretrain.siglip",))).summary
    'Sigmoid contrast: every image-text pair is a yes-no question of its own.'
    """
    for key in (paper.key, paper.same_as):
        if key in written():
            return written()[key]
    for module in paper.implemented_in:
        said = " ".join(docstring(module).split("\n\n")[0].split())
        if said:
            return Summary(said, (), "the docstring of its module")
    return Summary()
