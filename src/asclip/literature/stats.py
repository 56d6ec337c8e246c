"""How many papers, by year, venue, place in the taxonomy, modality and status."""

from __future__ import annotations

from collections import Counter
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.search import counts

SHOWN = ("year", "venue", "stage", "family", "leaf", "organ", "modality", "status", "code")


def stats(catalogue: Catalogue) -> dict[str, Any]:
    """Counts: the totals, one table a facet, and the survey's list by stage and family.

    `unstated` says for each facet how many papers have no value.
    """
    papers = [paper for paper in catalogue.papers if paper.family != "survey"]
    listed = [paper for paper in papers if paper.listed]
    tables = {facet: counts(papers, facet) for facet in SHOWN}
    return {
        "papers": len(papers),
        "listed": len(listed),
        "repeated": sum(bool(paper.same_as) for paper in papers),
        "datasets": len(catalogue.datasets),
        "citations": len(catalogue.citations),
        **{f"by_{facet}": table for facet, table in tables.items()},
        "unstated": {
            facet: sum(not getattr(paper, facet) for paper in papers)
            for facet in ("leaf", "organ", "modality", "code", "arxiv_id", "doi", "keywords")
        },
        "list_families": dict(Counter(f"{paper.stage} / {paper.family}" for paper in listed)),
    }
