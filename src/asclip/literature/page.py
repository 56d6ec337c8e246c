"""The page of one paper: every field a portal shows, "not available" where nothing is known."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.cite import cite
from asclip.literature.code import differences, run_it
from asclip.literature.entry import Paper
from asclip.literature.results import Result
from asclip.literature.summaries import summary_of
from asclip.literature.terms import key_terms

NOTHING = "not available"


def known(value: Any) -> Any:
    """The value, or "not available" for an empty one."""
    return list(value) if isinstance(value, tuple) and value else value or NOTHING


def submitted(arxiv: str) -> str:
    """The month in which a paper came to arXiv, from its number; "" if it does not say.

    >>> submitted("2103.00020v2"), submitted("")
    ('2021-03, by its arXiv number', '')
    """
    found = re.match(r"(\d\d)(0[1-9]|1[0-2])\.", arxiv)
    return f"20{found.group(1)}-{found.group(2)}, by its arXiv number" if found else ""


def listing(paper: Paper) -> dict[str, Any]:
    """A paper as a line of a list: plain values, unknown ones "" or None, several a list."""
    fields = ("key", "title", "authors", "year", "venue", "stage", "family", "leaf", "organ",
              "modality", "status", "implemented_in", "recipe", "arxiv_id", "doi", "link",
              "code")  # fmt: skip
    values = {name: getattr(paper, name) for name in fields}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def measured(paper: Paper, results: Iterable[Result]) -> tuple[str, ...]:
    """What the paper's recipes reached here beside plain CLIP, one text a row of the comparison."""
    return tuple(
        f"generated hospital, {row.challenge.replace('_', ' ')}: {row.mean:.3f}; plain CLIP on the "
        f"same texts {row.baseline_mean:.3f}; difference {row.difference:+.3f} "
        f"(95 % over {row.seeds} seeds {row.low:+.3f} to {row.high:+.3f})"
        for row in results
        if row.method in paper.recipe and not math.isnan(row.difference)
    )


def page(
    paper: Paper,
    catalogue: Catalogue,
    *,
    abstract: str = "",
    results: Iterable[Result] = (),
) -> dict[str, Any]:
    """All that is known of a paper, in the order in which it is read.

    Summary and findings are our own words (`summaries`); abstracts are not stored. Metrics are what
    its recipes reached here (`results`); what it reports itself stands in the findings.
    """
    cited = [c.cited for c in catalogue.citations if c.citing == paper.key]
    citing = [c.citing for c in catalogue.citations if c.cited == paper.key]
    said = summary_of(paper)
    branch = dict.fromkeys((paper.stage, paper.family, paper.leaf))  # the survey's are one word
    place = " / ".join(part for part in branch if part)
    return {
        "key": paper.key,
        "title": paper.title,
        "authors": known(paper.authors),
        "venue": known(paper.venue),
        "year": known(paper.year),
        "date": known(submitted(paper.arxiv_id)),
        "arXiv": known(paper.arxiv_id),
        "DOI": known(paper.doi),
        "categories": place,
        "organ": known(paper.organ),
        "modality": known(paper.modality),
        "keywords": known(paper.keywords),
        "licence": known(paper.licence),
        "link": known(paper.link),
        "code": known(paper.code),
        "comments": f"the same paper as {paper.same_as}" if paper.same_as else NOTHING,
        "summary": known(said.summary),
        "findings": known(said.findings),
        "summary from": known(said.source),
        "metrics": known(measured(paper, results)),
        "key terms": key_terms(paper, catalogue, abstract=abstract),
        "cites": known(tuple(cited)),
        "cited by": known(tuple(citing)),
        "status": paper.status,
        "implemented in": known(paper.implemented_in),
        "differences": known(differences(paper)),
        "run it": known(tuple(run_it(paper))),
        "how to cite": cite([paper], "bibtex"),
    }
