"""The graph: what a file may hold, and distances on graphs small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asclip.clinical.bank import anatomies, findings
from asclip.clinical.ontology import CATALOGUE, Ontology, built_in, load, nearness
from asclip.errors import DataError

CSV = """source,relation,target
animal,node,
dog,node,
cat,node,
poodle,node,
stone,node,
dog,is_a,animal
cat,is_a,animal
poodle,is_a,dog
dog,synonym,hound
"""


@pytest.fixture
def small(tmp_path: Path) -> Ontology:
    path = tmp_path / "animals.csv"
    path.write_text(CSV)
    return load(path)


def test_distances_and_ancestors(small: Ontology) -> None:
    assert small.distance("poodle", "cat") == 3
    assert small.distance("cat", "cat") == 0
    assert small.distance("cat", "stone") == float("inf")
    assert small.ancestors("poodle") == ["dog", "animal"]
    assert small.find("Two hounds and a poodle") == ["dog", "poodle"]


def test_similarities(small: Ontology) -> None:
    names = ["poodle", "cat", "stone"]
    near = small.similarity(names)
    np.testing.assert_allclose(near[0], [1, np.exp(-3), 0], rtol=1e-6)
    # depths: animal 1, dog and cat 2, poodle 3; poodle and cat share animal: 2 * 1 / (3 + 2)
    kind = small.similarity(names, "wu-palmer")
    np.testing.assert_allclose(kind, [[1, 0.4, 0], [0.4, 1, 0], [0, 0, 1]], rtol=1e-6)
    assert small.similarity([]).shape == (0, 0)
    with pytest.raises(DataError, match="kind must be"):
        small.similarity(names, "cosine")


def test_json_is_the_same_graph(small: Ontology, tmp_path: Path) -> None:
    path = tmp_path / "animals.json"
    nodes = [{"id": name, "synonyms": list(words)} for name, words in small.nodes.items()]
    path.write_text(json.dumps({"nodes": nodes, "edges": small.edges}))
    assert load(path).edges == small.edges
    assert load(path).nodes == small.nodes
    edges = [dict(zip(("target", "source", "relation"), (b, a, r), strict=True))
             for a, r, b in small.edges]  # fmt: skip
    nodes = [{**node, "synonyms": "".join(node["synonyms"])} if len(node["synonyms"]) == 1 else node
             for node in nodes]  # fmt: skip
    path.write_text(json.dumps({"nodes": nodes, "edges": edges}))
    assert load(path).edges == small.edges
    assert load(path).nodes == small.nodes


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", CSV + "lion,is_a,animal\n", "every id must be a node; got 'lion'"),
        ("a.csv", CSV + "animal,is_a,poodle\n", "is_a must not run in a circle"),
        ("a.csv", CSV + "dog,is_a,animal\n", "an edge must stand once .* twice"),
        ("a.csv", CSV + "dog,node,\n", "a node's id must stand once .* 'dog' twice"),
        ("a.csv", CSV + "dog,is_a,dog\n", "an edge must join two nodes"),
        ("a.csv", CSV + "dog,,animal\n", "line 11: an edge must have a source"),
        ("a.csv", CSV + "lion,synonym,cat\n", "every id must be a node; got 'lion'"),
        ("a.csv", "from,to\n", "must have the columns source, relation and target"),
        ("a.csv", "source,relation,target\n", "at least one node"),
        ("a.csv", "", "must have the columns"),
        ("a.json", "{", "must be JSON"),
        ("a.json", "[]", "must be JSON"),
        ("a.json", '{"nodes": [{"name": "x"}]}', "must be JSON"),
        ("a.json", '{"nodes": [{"id": "x"}, {"id": "x"}]}', "must stand once"),
        ("a.json", '{"nodes": [{"id": "x"}], "edges": [["x", "y"]]}', "must be JSON"),
        ("a.json", '{"nodes": [{"id": "x"}, {"id": "y"}], "edges": ["xay"]}', "must be JSON"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="readable text file"):
        load(tmp_path / "missing.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="readable text file"):
        load(tmp_path / "a.csv")


def test_a_long_chain_needs_no_recursion() -> None:
    nodes = {str(n): () for n in range(5000)}
    chain = [(str(n), "is_a", str(n + 1)) for n in range(4999)]
    assert Ontology(nodes, chain).distance("0", "4999") == 4999
    with pytest.raises(DataError, match="circle"):
        Ontology(nodes, [*chain, ("4999", "is_a", "0")])


def test_names_of_signs_and_of_one_letter() -> None:
    words = {"y": (), "gene": ("HER2+", "her2 (amplified)"), "gap": ("-", "_")}
    graph = Ontology(words, [])
    assert graph.find("Y and y") == ["y"]
    assert graph.find("a HER2+ tumour") == graph.find("HER2 (amplified).") == ["gene"]
    assert graph.find("HER2+/-") == ["gene"]
    assert graph.find("to - from _ to") == []
    for blank in ({"": ()}, {"a": (" ",)}):
        with pytest.raises(DataError, match="an id or a synonym must not be blank"):
            Ontology(blank, [])


def test_a_node_may_be_what_the_catalogue_passes_over() -> None:
    graph = Ontology({"mass effect": (), "cystic fibrosis": (), "mass": ()}, [])
    assert graph.find("Mass effect in cystic fibrosis") == ["mass effect", "cystic fibrosis"]
    assert Ontology({"mass": ()}, []).find("mass effect of a mass") == ["mass"]
    assert built_in().find("mass effect in cystic fibrosis") == []


def test_unknown_names(small: Ontology) -> None:
    for ask in (
        lambda: small.distance("dog", "lion"),
        lambda: small.ancestors("lion"),
        lambda: small.similarity(["lion"]),
        lambda: small.similarity(["lion"], "wu-palmer"),
    ):
        with pytest.raises(DataError, match="got 'lion'"):
            ask()


def test_the_built_in_graph_joins_every_finding() -> None:
    graph = built_in()
    assert set(graph.nodes) == set(findings()) | set(anatomies())
    assert not set(findings()) & set(anatomies())
    assert np.isfinite(graph.distances(list(findings()))).all()
    near, far = graph.distance("nodule", "mass"), graph.distance("nodule", "drusen")
    assert near < far
    kinds = graph.similarity(["pneumonia", "consolidation", "drusen"], "wu-palmer")
    assert kinds[0, 1] > kinds[0, 2] == 0
    assert graph.find("Enlarged heart") == ["cardiomegaly"]


def test_nearness_is_that_of_the_graph_and_knows_synonyms(tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    path.write_text(CSV)
    found = nearness(["cat", "Hounds", "poodle", "stone", "star"], str(path))
    d = np.array([[0, 2, 3], [2, 0, 1], [3, 1, 0]])
    np.testing.assert_allclose(found[:3, :3], np.exp(-d), rtol=1e-6)
    np.testing.assert_array_equal(found[3:], np.eye(5)[3:])  # alone, and not known
    np.testing.assert_array_equal(found, found.T)


def test_nearness_of_findings_that_an_ontology_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    path.write_text(CSV)
    with pytest.raises(DataError, match=r"must know the findings .* none of pneumonia"):
        nearness(["pneumonia", "mass"], str(path))
    assert nearness([], str(path)).shape == (0, 0)


def test_every_finding_of_the_catalogue_is_near_itself_and_less_near_others() -> None:
    found = nearness(list(findings()), CATALOGUE)
    np.testing.assert_array_equal(np.diag(found), 1.0)
    assert found[~np.eye(len(found), dtype=bool)].max() == pytest.approx(np.exp(-1))
