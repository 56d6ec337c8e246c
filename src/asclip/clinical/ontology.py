"""A small graph of findings and anatomies: kinds, places, causes, signs; distances on it."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from asclip.clinical.bank import DATA, anatomies, findings
from asclip.clinical.graph import IS_A, Edge, check, known, read
from asclip.clinical.wordings import compiled
from asclip.errors import DataError

CATALOGUE = "catalogue"  # in place of a file: the packaged ontology


class Ontology:
    """Nodes with synonyms and edges (source, relation, target), checked.

    `nodes` maps an id to its synonyms. Distances take edges in both directions and count each as
    one; `is_a` alone makes ancestors.
    """

    def __init__(
        self, nodes: Mapping[str, tuple[str, ...]], edges: Sequence[Edge], name: str = "ontology"
    ) -> None:
        check(nodes, edges, name)
        self.nodes = dict(nodes)
        self.edges = list(edges)
        self._above: dict[str, list[str]] = {node: [] for node in self.nodes}
        self._beside: dict[str, list[str]] = {node: [] for node in self.nodes}
        for source, relation, target in self.edges:
            self._beside[source].append(target)
            self._beside[target].append(source)
            if relation == IS_A:
                self._above[source].append(target)
        self._wordings = compiled(
            (word, node) for node, words in self.nodes.items() for word in (node, *words) if word
        )

    def find(self, text: str) -> list[str]:
        """The nodes whose name or synonym stands in `text`, in order, each once.

        >>> built_in().find("Large pleural effusions and an enlarged heart")
        ['pleural effusion', 'cardiomegaly']
        """
        return list(dict.fromkeys(node for node, _, _ in self._wordings.find(text.lower())))

    def named(self, text: str) -> str:
        """The node of which `text` is, as a whole, the name or a synonym; "" if there is none.

        >>> built_in().named("Pleural effusions"), built_in().named("no effusion")
        ('pleural effusion', '')
        """
        whole = text.lower().strip()
        found = self._wordings.find(whole)
        return found[0][0] if [span[1:] for span in found] == [(0, len(whole))] else ""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end of the characters that name a node in `text`, in order.

        >>> built_in().spans("no pleural effusion")
        [(3, 19)]
        """
        return [(start, end) for _, start, end in self._wordings.find(text.lower())]

    def ancestors(self, node: str) -> list[str]:
        """What `node` is a kind of, nearest first.

        >>> built_in().ancestors("pneumonia")
        ['consolidation', 'lung opacity']
        """
        return [name for name, far in self._climb(node).items() if far]

    def distance(self, a: str, b: str) -> float:
        """The fewest edges from `a` to `b`; infinite where no path joins them.

        >>> built_in().distance("pneumonia", "atelectasis")
        2.0
        """
        known(a, self.nodes, "a distance")
        known(b, self.nodes, "a distance")
        return float(self._distances(a).get(b, float("inf")))

    def distances(self, names: Sequence[str]) -> np.ndarray:
        """[F, F] float32, the distances between `names`; infinite where no path joins two."""
        for name in names:
            known(name, self.nodes, "the names")
        rows = (self._distances(name) for name in names)
        infinite = float("inf")
        values = [[row.get(name, infinite) for name in names] for row in rows]
        return np.array(values, np.float32).reshape(len(names), len(names))

    def similarity(self, names: Sequence[str], kind: str = "exp") -> np.ndarray:
        """[F, F] float32 in [0, 1], 1 on the diagonal.

        kind="exp": exp(-distance). kind="wu-palmer": 2 d(c) / (d(a) + d(b)) with c the deepest
        common ancestor in is_a and d the depth, a root having depth 1; 0 without a common one.
        """
        if kind == "exp":
            return np.exp(-self.distances(names))
        if kind != "wu-palmer":
            raise DataError(f"kind must be 'exp' or 'wu-palmer'; got {kind!r}")
        for name in names:
            known(name, self.nodes, "the names")
        lines = [set(self._climb(name)) for name in names]
        depth = {node: self._depth(node) for line in lines for node in line}
        matrix = np.zeros((len(names), len(names)), np.float32)
        for i, a in enumerate(names):
            for j, b in enumerate(names[: i + 1]):
                common = max((depth[node] for node in lines[i] & lines[j]), default=0)
                matrix[i, j] = matrix[j, i] = 2 * common / (depth[a] + depth[b])
        return np.minimum(matrix, 1.0)

    def _climb(self, node: str) -> dict[str, int]:
        """Node and ancestors with the steps to each, nearest first."""
        known(node, self.nodes, "a question for ancestors")
        return _search(node, self._above)

    def _distances(self, node: str) -> dict[str, int]:
        return _search(node, self._beside)

    def _depth(self, node: str) -> int:
        """1 for a root, else one more than the longest way up."""
        return 1 + max(self._climb_far(node))

    def _climb_far(self, node: str) -> list[int]:
        """The lengths of the ways up from `node`; levels end because is_a has no circle."""
        level, far, lengths = {node}, 0, [0]
        while level:
            lengths.append(far)
            level = {parent for child in level for parent in self._above[child]}
            far += 1
        return lengths


def _search(start: str, steps: Mapping[str, list[str]]) -> dict[str, int]:
    """Breadth first: every node that can be reached and the fewest steps to it."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for other in steps[node]:
            if other not in found:
                found[other] = found[node] + 1
                queue.append(other)
    return found


def load(path: str | Path) -> Ontology:
    """A user's own ontology from a CSV or JSON file; see `graph.read` for the layout."""
    nodes, edges = read(path)
    return Ontology(nodes, edges, Path(path).name)


@cache
def built_in() -> Ontology:
    """The catalogue as a graph: is_a, located_in and part_of, and what data/relations.csv adds."""
    nodes = {entry.name: entry.synonyms for entry in findings().values()}
    nodes |= {entry.name: entry.synonyms for entry in anatomies().values()}
    edges = [(e.name, IS_A, e.parent) for e in findings().values() if e.parent]
    edges += [(e.name, "located_in", e.anatomy) for e in findings().values()]
    edges += [(e.name, "part_of", e.parent) for e in anatomies().values() if e.parent]
    with (DATA / "relations.csv").open(encoding="utf-8", newline="") as file:
        edges += [(row["source"], row["relation"], row["target"]) for row in csv.DictReader(file)]
    return Ontology(nodes, edges, "relations.csv")


def nearness(names: Sequence[str], source: str) -> np.ndarray:
    """[F, F] float32: exp(-distance) between findings in `catalogue`, or in an ontology's file.

    A name that is no node is looked for among the synonyms; one that is not there either is near
    to itself alone, as a label column may be that no ontology knows.

    Raises:
        DataError: the ontology knows none of the names, or cannot be read.

    >>> nearness(["pneumonia", "consolidation", "my finding"], "catalogue").round(2).tolist()
    [[1.0, 0.3700000047683716, 0.0], [0.3700000047683716, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    graph = built_in() if source == CATALOGUE else load(source)
    nodes = [name if name in graph.nodes else graph.named(name) for name in names]
    some = [index for index, node in enumerate(nodes) if node]
    if names and not some:
        raise DataError(
            f"{Path(source).name} must know the findings of the data set; it has none of "
            f"{', '.join(names[:8])}; name its nodes, or their synonyms, as these are"
        )
    matrix = np.eye(len(names), dtype=np.float32)
    matrix[np.ix_(some, some)] = graph.similarity([nodes[index] for index in some])
    return matrix
