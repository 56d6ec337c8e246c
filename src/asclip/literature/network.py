"""The citation graph around papers, as nodes and edges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asclip.errors import DataError
from asclip.literature.catalogue import Catalogue

COLOURS = {"current": "grey", "citing": "green", "cited": "blue", "further": "white"}
LIMIT = 1000


def network(
    catalogue: Catalogue, keys: Iterable[str] = (), *, steps: int = 1, limit: int = LIMIT
) -> dict[str, Any]:
    """{"nodes", "edges", "message"} of the papers within `steps` citations of `keys`.

    A node has key, title, year, role and colour: current, citing (names a current paper), cited
    (by one) or further; a paper that is both citing and cited is citing. Without keys the whole
    graph is given, all of it further. Beyond `limit` nodes the rest is left out, and `message`,
    otherwise "", says how many. An edge goes from the citing paper to the cited one.
    """
    if limit < 1 or steps < 0:
        raise DataError(f"limit must be 1 or more, steps 0 or more; got {limit} and {steps}")
    current = [catalogue.paper(key).key for key in keys]
    pairs = [(citation.citing, citation.cited) for citation in catalogue.citations]
    reached = (
        reach(current, pairs, steps) if current else sorted({k for pair in pairs for k in pair})
    )
    kept, message = reached[:limit], limited(len(reached), limit)
    shown = set(kept)
    return {
        "nodes": [node(catalogue, key, role(key, current, pairs)) for key in kept],
        "edges": [{"citing": one, "cited": other} for one, other in pairs if {one, other} <= shown],
        "message": message and f"{message}; ask for fewer",
    }


def limited(found: int, limit: int) -> str:
    """What to say of papers beyond the limit, "" if there are none."""
    if found <= limit:
        return ""
    return f"{found - limit} of {found} papers are left out: the limit is {limit}"


def reach(start: list[str], pairs: list[tuple[str, str]], steps: int) -> list[str]:
    """Keys within `steps` citations of `start`, in either direction, the nearest first."""
    found = list(dict.fromkeys(start))
    edge = set(found)
    for _ in range(steps):
        near = {b for a, b in pairs if a in edge} | {a for a, b in pairs if b in edge}
        edge = near - set(found)
        found += sorted(edge)
    return found


def role(key: str, current: list[str], pairs: list[tuple[str, str]]) -> str:
    """What a paper is to the current ones."""
    if key in current:
        return "current"
    if any(a == key and b in current for a, b in pairs):
        return "citing"
    return "cited" if any(b == key and a in current for a, b in pairs) else "further"


def node(catalogue: Catalogue, key: str, kind: str) -> dict[str, Any]:
    """A node of the graph."""
    paper = catalogue.keys[key]
    return {
        "key": key,
        "title": paper.title,
        "year": paper.year,
        "role": kind,
        "colour": COLOURS[kind],
    }
