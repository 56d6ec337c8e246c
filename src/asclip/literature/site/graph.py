"""The citation network as data and as a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asclip.literature.catalogue import Catalogue
from asclip.literature.entry import Paper
from asclip.literature.names import split_name
from asclip.literature.network import LIMIT, limited
from asclip.literature.site import figures
from asclip.literature.site.layout import place

NEAR = 2  # related papers of each that are joined by a thin line
LABEL = 15  # letters of a label
BESIDE = 12  # papers that a small drawing has on a side; the list below it has all
SIZE = (1100, 820)


@dataclass(frozen=True)
class Graph:
    """Nodes with places in [0, 1], edges (from, to, cites or near), and what was left out."""

    nodes: list[dict[str, Any]]
    edges: list[tuple[int, int, str]]
    message: str


def short(paper: Paper) -> str:
    """What a paper is called on a drawing: its method's name, else its first author and year.

    >>> short(Paper("k", "MedCLIP: Contrastive Learning")), short(Paper("k", "A", ("Ann Doe",)))
    ('MedCLIP', 'Doe')
    """
    head = paper.title.partition(":")[0]
    if ":" in paper.title and len(head) <= LABEL and head.count(" ") < 2:
        return head
    name = split_name(paper.authors[0])[1] if paper.authors else paper.key
    return " ".join(part for part in (name[:LABEL], str(paper.year or "")) if part)


def graph(catalogue: Catalogue, near: Mapping[str, Sequence[str]], *, limit: int = LIMIT) -> Graph:
    """The whole network; beyond `limit` papers those with the fewest citations are left out.

    `near` names the related papers of each key; repeated entries are left out.
    """
    pairs = [(one.citing, one.cited) for one in catalogue.citations]
    degree = Counter(key for pair in pairs for key in pair)
    every = [paper for paper in catalogue.papers if not paper.same_as]
    kept = sorted(every, key=lambda paper: -degree[paper.key])[:limit]
    number = {paper.key: n for n, paper in enumerate(kept)}
    cites = [(number[a], number[b]) for a, b in pairs if a in number and b in number]
    thin = {
        (min(n, number[other]), max(n, number[other]))
        for key, n in number.items()
        for other in near.get(key, ())[:NEAR]
        if other in number
    }
    thin -= {(min(pair), max(pair)) for pair in cites}
    at = place(len(kept), [*cites, *sorted(thin)])
    nodes = [
        {
            "key": paper.key,
            "title": paper.title,
            "year": paper.year,
            "label": short(paper),
            "here": paper.status != "noted",
            "degree": degree[paper.key],
            "x": round(float(x), 4),
            "y": round(float(y), 4),
        }
        for paper, (x, y) in zip(kept, at, strict=True)
    ]
    shown = named(nodes)
    nodes = [node | {"named": n in shown} for n, node in enumerate(nodes)]
    edges = [(a, b, "cites") for a, b in cites] + [(a, b, "near") for a, b in sorted(thin)]
    return Graph(nodes, edges, limited(len(every), limit))


def named(nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """The nodes whose names do not cover one another, those with the most citations first.

    A name is a box below its node, in the units of the drawing.
    """
    order = sorted(range(len(nodes)), key=lambda n: -nodes[n]["degree"])
    places = [figures.at(node["x"], node["y"], SIZE) for node in nodes]
    boxes: dict[int, tuple[float, float, float]] = {}
    for n in order:
        if not nodes[n]["degree"]:
            break
        (x, y), half = places[n], len(nodes[n]["label"]) * figures.CHAR / 2 + 2
        if all(abs(y - b) > 15 or abs(x - a) > half + w for a, b, w in boxes.values()):
            boxes[n] = (x, y, half)
    return set(boxes)


def drawing(found: Graph) -> str:
    """The whole network as SVG; a paper with a citation has its name where there is room."""
    nodes = [node | {"role": role_of(node)} for node in found.nodes]
    label = f"Network of {len(nodes)} papers; the list beside it says the same in words"
    return figures.drawn(nodes, found.edges, label, to="papers/", size=SIZE)


def role_of(node: Mapping[str, Any]) -> str:
    """How a node looks while no paper is chosen: here, further; quiet without its name."""
    return ("here" if node["here"] else "further") + ("" if node["named"] else " quiet")


def around(paper: Paper, catalogue: Catalogue) -> str:
    """A paper between those that cite it (left) and those that it cites; "" without any.

    A side has `BESIDE` papers at most; `cut` says whether that is fewer than there are.
    """
    citing = [one.citing for one in catalogue.citations if one.cited == paper.key]
    cited = [one.cited for one in catalogue.citations if one.citing == paper.key]
    cited = [key for key in cited if key not in citing]
    if not citing and not cited:
        return ""
    middle = 0.5 if citing and cited else float(not cited)
    nodes = [node(paper, "current", middle, 0.5)]
    edges: list[tuple[int, int, str]] = []
    for side, keys, role in ((0.0, citing, "citing"), (1.0, cited, "cited")):
        for row, key in enumerate(keys[:BESIDE]):
            high = (row + 0.5) / min(len(keys), BESIDE)
            edges.append((len(nodes), 0, "cites") if role == "citing" else (0, len(nodes), "cites"))
            nodes.append(node(catalogue.keys[key], role, side, high))
    rows = min(max(len(citing), len(cited), 1), BESIDE)
    said = f"Citations of {short(paper)}: {len(citing)} papers cite it, it cites {len(cited)}"
    return figures.drawn(nodes, edges, said, size=(340 if middle != 0.5 else 540, 60 + 44 * rows))


def cut(links: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the drawing around a paper leaves some of these neighbours out."""
    return any(len(some) > BESIDE for some in links.values())


def node(paper: Paper, role: str, x: float, y: float) -> dict[str, Any]:
    """A node of a small drawing."""
    return {
        "key": paper.key,
        "title": paper.title,
        "label": short(paper),
        "role": role,
        "x": x,
        "y": y,
    }
