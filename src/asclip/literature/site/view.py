"""What the pages of papers, the index and the network show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.cite import cite
from asclip.literature.code import docstring
from asclip.literature.entry import Paper
from asclip.literature.page import page
from asclip.literature.results import Result
from asclip.literature.search import counts, values
from asclip.literature.site import atlas, exports, figures, graph, prose
from asclip.literature.stats import stats

FACETS = {
    "family": "family", "leaf": "leaf", "year": "year", "venue": "venue", "organ": "organ",
    "modality": "modality", "status": "status", "code": "code link",
}  # fmt: skip
PLOTS = {"venue": "Venues", "leaf": "Leaves", "organ": "Organs", "modality": "Modalities"}


def line(paper: Paper) -> dict[str, Any]:
    """A paper in a table or a list."""
    first = paper.authors[0] if paper.authors else ""
    return {
        "key": paper.key,
        "title": paper.title,
        "by": first + (" et al." if len(paper.authors) > 1 else ""),
        "where": f"{paper.venue} {paper.year or ''}".strip(),
        "place": paper.leaf or paper.family,
        "status": f"same as {paper.same_as}" if paper.same_as else paper.status,
        "here": paper.status != "noted",
        "link": paper.link,
        "code": paper.code,
    }


def index(catalogue: Catalogue, methods: Sequence[atlas.Method]) -> dict[str, Any]:
    """The table, its facets, the tree, the plots and the data sets."""
    found = stats(catalogue)
    return {
        "papers": [line(paper) for paper in catalogue.papers],
        "facets": [
            {"name": name, "title": title, "values": counts(catalogue.papers, name)}
            for name, title in FACETS.items()
        ],
        "stats": found,
        "implemented": sum(paper.status != "noted" for paper in catalogue.papers),
        "methods": len(methods),
        "tree": tree(catalogue),
        "years": figures.columns(found["by_year"], "Papers by year"),
        "plots": [
            (title, figures.bars(found[f"by_{name}"], f"Papers by {name}"), found["unstated"])
            for name, title in PLOTS.items()
        ],
        "unstated": found["unstated"],
        "datasets": catalogue.datasets,
        "forms": exports.FORMS,
    }


def tree(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The taxonomy with the number of papers in each branch, in the survey's order."""

    def number(**place: str) -> int:
        return sum(all(getattr(p, k) == v for k, v in place.items()) for p in catalogue.papers)

    return [
        {
            "name": stage,
            "number": number(stage=stage),
            "families": [
                {
                    "name": family,
                    "number": number(stage=stage, family=family),
                    "leaves": [
                        (leaf, number(stage=stage, family=family, leaf=leaf)) for leaf in leaves
                    ],
                }
                for family, leaves in families.items()
            ],
        }
        for stage, families in catalogue.taxonomy.items()
        if stage != "survey"
    ]


def rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """What the script of the table needs of each paper: the words that are searched, the facets."""
    return [
        {
            "key": paper.key,
            "words": " ".join(
                [paper.title, paper.key, *paper.keywords, *paper.authors, paper.venue, paper.leaf]
            ),
            "facets": {name: list(values(paper, name)) for name in FACETS}
            | {"stage": [paper.stage]},
        }
        for paper in catalogue.papers
    ]


def paper(
    one: Paper,
    catalogue: Catalogue,
    methods: Sequence[atlas.Method],
    results: Sequence[Result],
    near: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """The page of one paper."""
    mine = atlas.methods_of(one, methods, catalogue)
    found = [row for method in mine for row in atlas.results_of(method, results)]
    links = {
        name: [catalogue.keys[k] for k in keys] for name, keys in linked(one, catalogue).items()
    }
    return {
        "page": page(one, catalogue, results=results),
        "paper": one,
        "links": {name: [line(other) for other in some] for name, some in links.items()},
        "drawing": graph.around(one, catalogue),
        "drawn": graph.BESIDE if graph.cut(links) else 0,
        "methods": mine,
        "paths": [atlas.path_of(module) for module in one.implemented_in],
        "results": [method for method in mine if atlas.results_of(method, results)],
        "number_results": len(found),
        "related": near[one.key],
        "bibtex": cite([one], "bibtex"),
        "files": exports.links(one),
    }


def linked(one: Paper, catalogue: Catalogue) -> dict[str, list[str]]:
    """{"cited by": keys, "cites": keys}."""
    return {
        "cited by": [c.citing for c in catalogue.citations if c.cited == one.key],
        "cites": [c.cited for c in catalogue.citations if c.citing == one.key],
    }


def network(found: graph.Graph, catalogue: Catalogue, library: str) -> dict[str, Any]:
    """The page of the network: the drawing and the same in words."""
    neighbours: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for node in found.nodes:
        if node["degree"]:
            keys = linked(catalogue.keys[node["key"]], catalogue)
            neighbours[node["key"]] = {
                name: [line(catalogue.keys[key]) for key in some] for name, some in keys.items()
            }
    return {
        "drawing": graph.drawing(found),
        "nodes": sorted(found.nodes, key=lambda node: node["title"].casefold()),
        "number": len(found.nodes),
        "citations": sum(kind == "cites" for *_, kind in found.edges),
        "near": sum(kind == "near" for *_, kind in found.edges),
        "message": found.message,
        "neighbours": neighbours,
        "titles": {key: line(catalogue.keys[key]) for key in neighbours},
        "library": library,
    }


def atlas_index(
    methods: Sequence[atlas.Method],
    catalogue: Catalogue,
    results: Sequence[Result],
    legend: str,
    settings: Sequence[atlas.Parameter],
) -> dict[str, Any]:
    """The list of methods by kind and family, the legend of shapes, the common settings."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for method in methods:
        own = atlas.results_of(method, results)
        groups[group(method)].append(
            {
                "method": method,
                "papers": [line(p) for p in atlas.papers_of(method, catalogue)],
                "results": len(own),
                "better": sum(row.verdict == "better" for row in own),
                "worse": sum(row.verdict == "worse" for row in own),
            }
        )
    return {"groups": dict(groups), "legend": legend, "settings": settings, "number": len(methods)}


GROUPS = {
    "asclip.pretrain.multiscale": "Multi-scale",
    "asclip.pretrain.data_efficient": "Data-efficient",
    "asclip.pretrain.knowledge": "Knowledge-enhanced",
    "asclip.pretrain.frontier": "Open directions",
    "asclip.pretrain": "Base",
    "asclip.adapt": "Adapters: a few labelled studies",
}


def group(method: atlas.Method) -> str:
    """The heading under which a method stands."""
    return next((name for start, name in GROUPS.items() if method.module.startswith(start)),
                "Tasks, towers and training")  # fmt: skip


def method(
    one: atlas.Method,
    methods: Sequence[atlas.Method],
    catalogue: Catalogue,
    results: Sequence[Result],
) -> dict[str, Any]:
    """The page of one method."""
    own = atlas.results_of(one, results)
    pages: dict[str, str] = {}
    for other in methods:  # the first of several recipes of a module has its name
        pages.setdefault(atlas.path_of(other.module).rpartition("/")[2], f"{other.slug}.html")
    pages.pop(atlas.path_of(one.module).rpartition("/")[2], None)
    return {
        "method": one,
        "group": group(one),
        "modules": [
            {
                "path": atlas.path_of(module),
                "title": atlas.title_of(module),
                "blocks": [
                    (block.kind, block.text, prose.html(block.text, pages))
                    for block in atlas.blocks(docstring(module))
                ],
            }
            for module in atlas.modules_of(one, catalogue)
        ],
        "papers": [line(p) for p in atlas.papers_of(one, catalogue)],
        "results": own,
        "plot": figures.intervals(own, f"Difference of {one.name} to plain CLIP on its texts"),
    }
