from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from asclip.literature import Catalogue, Citation, Paper
from asclip.literature.results import Result
from asclip.literature.site import figures, graph, layout

SMALL = Catalogue(
    papers=tuple(Paper(key, f"Title of {key}", (f"Ann {key.upper()}",)) for key in "abcde"),
    citations=tuple(Citation(a, b, "", "") for a, b in ["ab", "ca", "cd", "ed"]),
)


def test_repulsion_against_the_sum_written_plainly() -> None:
    at = np.random.default_rng(0).normal(size=(7, 2))
    found = layout.repulsion(at, 0.3)
    for i in range(7):
        total = np.zeros(2)
        for j in range(7):
            if i != j:
                away = at[i] - at[j]
                distance = math.hypot(*away)
                total += away / distance * (0.3**2 / distance)
        np.testing.assert_allclose(found[i], total, rtol=1e-6)


def test_a_drawing_is_the_same_each_time_and_brings_together_what_is_joined() -> None:
    groups = [(a + k, b + k) for k in (0, 10) for a in range(10) for b in range(a)]
    at = layout.place(20, groups)
    np.testing.assert_array_equal(at, layout.place(20, groups))
    assert at.min() == 0
    assert at.max() == pytest.approx(1)
    apart = np.linalg.norm(at[:, None] - at[None], axis=-1)
    inside = np.mean([apart[a, b] for a, b in groups])
    assert inside < 0.6 * apart[:10, 10:].mean()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_nodes_have_places(number: int) -> None:
    at = layout.place(number, [])
    assert at.shape == (number, 2)
    assert np.isfinite(at).all()


def test_the_graph_has_citations_thin_lines_and_says_what_it_leaves_out() -> None:
    found = graph.graph(SMALL, {"b": ["e", "a"], "e": ["b"]})
    keys = [node["key"] for node in found.nodes]
    said = {(keys[a], keys[b], kind) for a, b, kind in found.edges}
    cites = {("a", "b", "cites"), ("c", "a", "cites"), ("c", "d", "cites"), ("e", "d", "cites")}
    assert cites < said
    assert len(said - cites) == 1  # b and e; a and b are joined by a citation already
    assert found.message == ""
    less = graph.graph(SMALL, {}, limit=3)
    assert [node["key"] for node in less.nodes] == ["a", "c", "d"]  # the most citations
    assert less.message.startswith("2 of 5 papers are left out: the limit is 3")


def test_the_still_drawing_is_xml_with_a_link_and_a_title_for_each_paper() -> None:
    root = ElementTree.fromstring(graph.drawing(graph.graph(SMALL, {})))
    space = "{http://www.w3.org/2000/svg}"
    links = root.findall(f"{space}a")
    assert {link.get("href") for link in links} == {f"papers/{key}.html" for key in "abcde"}
    assert {link.findtext(f"{space}title") for link in links} == {f"Title of {k}" for k in "abcde"}
    assert "5 papers" in str(root.get("aria-label"))


def test_a_paper_stands_between_what_cites_it_and_what_it_cites() -> None:
    found = graph.around(SMALL.paper("a"), SMALL)
    root = ElementTree.fromstring(found)
    roles = {e.get("data-key"): e.get("class") for e in root if e.get("data-key")}
    assert roles == {"a": "node current", "c": "node citing", "b": "node cited"}
    alone = Catalogue(papers=SMALL.papers)
    assert graph.around(SMALL.paper("a"), alone) == ""


def test_names_of_the_network_do_not_cover_one_another() -> None:
    def node(key: str, x: float, y: float, degree: int) -> dict[str, object]:
        return {"key": key, "label": "ten letters", "x": x, "y": y, "degree": degree}

    crowd = [node("a", 0.5, 0.5, 1), node("b", 0.52, 0.5, 3), node("c", 0.5, 0.53, 2),
             node("d", 0.7, 0.5, 1), node("e", 0.1, 0.1, 0)]  # fmt: skip
    assert graph.named(crowd) == {1, 2, 3}  # b before a, c below them, d beside; e has no citation
    whole = graph.graph(SMALL, {})
    assert {n["key"] for n in whole.nodes if n["named"]} <= set("abcde")


def test_beside_a_paper_stand_twelve_at_most_and_the_page_says_so() -> None:
    keys = [f"p{number}" for number in range(14)]
    papers = tuple(Paper(key, key) for key in ["a", *keys])
    many = Catalogue(papers, citations=tuple(Citation(key, "a", "", "") for key in keys))
    root = ElementTree.fromstring(graph.around(many.paper("a"), many))
    assert sum(str(e.get("class")) == "node citing" for e in root) == graph.BESIDE == 12
    assert "14 papers cite it" in str(root.get("aria-label"))
    assert graph.cut({"cited by": keys})
    assert not graph.cut({"cited by": keys[:12], "cites": []})


def test_intervals_are_drawn_to_scale_and_said_in_words() -> None:
    nan = math.nan
    rows = [Result("one_two", "x", 3, 0.5, "clip", 0.4, 0.1, 0.05, 0.2, 10),
            Result("other", "x", 3, 0.5, "clip", 0.4, -0.1, -0.2, 0.1, 10),
            Result("none", "clip", 3, 0.5, "", nan, nan, nan, nan, 10)]  # fmt: skip
    root = ElementTree.fromstring(figures.intervals(rows, "x"))
    space = "{http://www.w3.org/2000/svg}"
    dots = [float(str(dot.get("cx"))) for dot in root.findall(f"{space}circle")]
    zero = float(str(root.findall(f"{space}path")[0].get("d"))[1:].split()[0])
    assert dots[0] - zero == pytest.approx(zero - dots[1], abs=0.2)
    assert [dot.get("class") for dot in root.findall(f"{space}circle")] == ["better", "open"]
    assert "one two +0.100 [+0.050, +0.200]" in str(root.get("aria-label"))
    assert figures.intervals(rows[2:], "x") == ""


def test_bars_sum_the_rest_and_are_in_proportion() -> None:
    root = ElementTree.fromstring(figures.bars({"a": 4, "b": 2, "c": 1, "d": 1}, "n", most=2))
    widths = [float(str(e.get("width"))) for e in root if e.tag.endswith("rect")]
    assert widths == [200.0, 100.0, 100.0]
    assert root.get("aria-label") == "n: a 4, b 2, 2 more 2"
