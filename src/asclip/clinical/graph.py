"""Reading an ontology: nodes and edges from CSV or JSON, checked before anything is computed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asclip.errors import DataError, nearest

Edge = tuple[str, str, str]
IS_A = "is_a"


def read(path: str | Path) -> tuple[dict[str, tuple[str, ...]], list[Edge]]:
    """(nodes: id -> synonyms, edges) of a user's file.

    CSV: a row "source,relation,target" for each edge; a row with the relation `synonym` names a
    word for its source, and one with the relation `node` (no target) a node. JSON: {"nodes":
    [{"id": ..., "synonyms": [...]}], "edges": [[source, relation, target], ...]}, where an edge may
    also be {"source": ..., "relation": ..., "target": ...}. A CSV without a
    `node` row takes its nodes from the edges; otherwise an unknown id is an error.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"an ontology must be a readable text file; got {path.name}: {error}"
        ) from None
    return _json(text, path.name) if path.suffix.lower() == ".json" else _csv(text, path.name)


def _json(text: str, name: str) -> tuple[dict[str, tuple[str, ...]], list[Edge]]:
    try:
        content = json.loads(text)
        nodes = [(str(n["id"]), _words(n.get("synonyms", ()))) for n in content["nodes"]]
        edges = [_edge(one) for one in content.get("edges", ())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{name} must be JSON with 'nodes' (each with an 'id') and 'edges' (source, relation, "
            f"target); got {error!r}"
        ) from None
    _no_duplicates([node for node, _ in nodes], "a node's id", name)
    return dict(nodes), edges


def _words(said: Any) -> tuple[str, ...]:
    """Synonyms from a list, or the one that stands there without a list."""
    return (said,) if isinstance(said, str) else tuple(map(str, said))


def _edge(one: Any) -> Edge:
    """An edge from [source, relation, target] or from an object with these keys."""
    if isinstance(one, Mapping):
        one = [one[key] for key in ("source", "relation", "target")]
    if isinstance(one, str):
        raise ValueError(f"{one!r} is no edge")
    source, relation, target = map(str, one)
    return source, relation, target


def _csv(text: str, name: str) -> tuple[dict[str, tuple[str, ...]], list[Edge]]:
    rows = csv.DictReader(text.splitlines())
    if not {"source", "relation", "target"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{name} must have the columns source, relation and target; got {rows.fieldnames}"
        )
    named: list[str] = []
    edges: list[Edge] = []
    synonyms: list[tuple[str, str]] = []
    for row in rows:
        source, relation, target = (
            (row[k] or "").strip() for k in ("source", "relation", "target")
        )
        if relation == "node":
            named.append(source)
        elif relation == "synonym":
            synonyms.append((source, target))
        elif source and relation and target:
            edges.append((source, relation, target))
        else:
            raise DataError(
                f"{name}, line {rows.line_num}: an edge must have a source, a relation and a "
                f"target; got {source!r}, {relation!r}, {target!r}"
            )
    _no_duplicates(named, "a node's id", name)
    ids = named or list(dict.fromkeys(end for a, _, b in edges for end in (a, b)))
    nodes: dict[str, tuple[str, ...]] = {node: () for node in ids}
    for source, word in synonyms:
        known(source, nodes, f"the synonym {word!r} of {name}")
        nodes[source] += (word,)
    return nodes, edges


def check(nodes: Mapping[str, tuple[str, ...]], edges: Iterable[Edge], name: str) -> None:
    """Refuse unknown ids, edges that stand twice or lead to themselves, and cycles of is_a."""
    edges = list(edges)
    if not nodes:
        raise DataError(f"{name} must name at least one node; got none")
    for node, synonyms in nodes.items():
        if not all(word.strip() for word in (node, *synonyms)):
            raise DataError(
                f"{name}: an id or a synonym must not be blank; got {[node, *synonyms]}; name it "
                "or leave it out"
            )
    for source, relation, target in edges:
        for end in (source, target):
            known(end, nodes, f"the edge {source} {relation} {target} of {name}")
        if source == target:
            raise DataError(
                f"{name}: an edge must join two nodes; got {source} {relation} {target}"
            )
    _no_duplicates([" ".join(edge) for edge in edges], "an edge", name)
    above: dict[str, list[str]] = {}
    for source, relation, target in edges:
        if relation == IS_A:
            above.setdefault(source, []).append(target)
    _no_cycle(above, name)


def known(node: str, nodes: Mapping[str, object], where: str) -> None:
    """Refuse an id that is no node."""
    if node not in nodes:
        hint = nearest(node, list(nodes))
        if hint.startswith("known") and len(nodes) > 20:
            hint = f"there are {len(nodes)} nodes"
        raise DataError(f"every id must be a node; got {node!r} in {where}; {hint}")


def _no_duplicates(items: list[str], what: str, name: str) -> None:
    seen: set[str] = set()
    for item in items:
        if item in seen:
            raise DataError(f"{what} must stand once in {name}; got {item!r} twice")
        seen.add(item)


def _no_cycle(above: Mapping[str, list[str]], name: str) -> None:
    """Refuse a chain of is_a that returns to its start; without recursion, for long chains."""
    done: set[str] = set()
    for start in above:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                on_path.discard(path.pop())
                done.add(node)
            elif node in on_path:
                chain = [*path[path.index(node) :], node]
                raise DataError(
                    f"{name}: is_a must not run in a circle; got {' is_a '.join(chain)}"
                )
            elif node not in done:
                path.append(node)
                on_path.add(node)
                stack.append((node, True))
                stack += [(parent, False) for parent in above.get(node, ())]
