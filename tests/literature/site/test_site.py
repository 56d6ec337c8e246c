from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from asclip import atlas
from asclip.adapt.registry import ADAPTERS
from asclip.errors import DataError
from asclip.literature import Catalogue, Citation, Paper, load
from asclip.literature.bring import read
from asclip.literature.cite import cite
from asclip.literature.code import docstring
from asclip.literature.site import build, exports
from asclip.literature.site.atlas import blocks, title_of
from asclip.recipes import RECIPES
from pages import Page

METHODS = atlas.methods()


def test_every_recipe_and_adapter_has_a_page_with_its_formula_and_parameters(
    pages: dict[str, Page],
) -> None:
    for method in METHODS:
        page = pages[f"atlas/{method.slug}.html"]
        assert page.text("h1") == [method.name]
        formulas = [a["aria-label"] for a in page.all("div") if a.get("class") == "formula"]
        said = [b.text for b in blocks(docstring(method.module)) if b.kind == "formula"]
        assert formulas[: len(said)] == said, method.name
        assert title_of(method.module) in page.text("h2")
        shown = " ".join(page.text("table"))
        for parameter in method.parameters:
            assert parameter.name in shown, (method.name, parameter.name)
        assert method.command in page.text("pre")
    assert {method.name for method in METHODS} == {*RECIPES, *ADAPTERS}


def test_a_reader_goes_from_a_paper_to_its_formula_code_and_result_in_two_clicks(
    pages: dict[str, Page],
) -> None:
    for paper in load().papers:
        if paper.status == "noted":
            continue
        links = [a["href"] for a in pages[f"papers/{paper.key}.html"].all("a") if "href" in a]
        methods = {unquote(link)[3:] for link in links if link.startswith("../atlas/")}
        methods = {link.partition("#")[0] for link in methods} - {"atlas/index.html"}
        assert methods, paper.key
        shown = " ".join(" ".join(pages[name].text("dl")) for name in methods)
        for module in paper.implemented_in:
            assert f"src/{module.replace('.', '/')}.py" in shown, (paper.key, module)
        back = {a.get("href") for name in methods for a in pages[name].all("a")}
        assert f"../papers/{paper.key}.html" in back, paper.key


def test_a_page_shows_what_is_known_and_says_not_available_otherwise(
    pages: dict[str, Page],
) -> None:
    known, bare = pages["papers/huang2021gloria.html"], pages["papers/li2024medflip.html"]
    assert "asclip pretrain DATA --recipe gloria --out RUN" in known.text("pre")
    assert known.text("ol")
    assert "Cited by" in known.text("h3")
    assert "not available" in bare.text("p")
    assert any("no module implements it" in text for text in bare.text("p"))
    assert "not available" in " ".join(bare.text("dd"))
    assert len([a for a in known.all("a") if "download" in a]) == len(exports.FORMS)


def test_references_of_a_selection_are_those_of_cite_and_can_be_read_again(site: Path) -> None:
    text = (site / "data" / "cite.js").read_text()
    found = json.loads(text.removeprefix("window.CITE = ").rstrip(";\n"))
    some = [load().paper(key) for key in ("zhao2025clip", "huang2021gloria", "feng2019hypergraph")]
    for form in exports.FORMS:
        one = found[form.name]
        joined = one["head"] + one["between"].join(one["items"][p.key] for p in some) + one["tail"]
        whole = (site / f"export/asclip-literature.{form.ending}").read_text()
        assert whole == cite(load().papers, form.name)
        if form.name != "markdown":  # headings of stage and family are left out of a selection
            assert joined == cite(some, form.name)
        if form.name in ("bibtex", "ris", "markdown"):
            assert [p.title for p in read(joined, form.name)] == [p.title for p in some]


def test_data_of_the_scripts_fits_the_table(site: Path, pages: dict[str, Page]) -> None:
    text = (site / "data" / "papers.js").read_text()
    papers = json.loads(text.removeprefix("window.PAPERS = ").rstrip(";\n"))
    rows = [a["data-key"] for a in pages["index.html"].all("tr") if "data-key" in a]
    assert rows == [paper["key"] for paper in papers] == [paper.key for paper in load().papers]
    boxes = {(a["name"], a["value"]) for a in pages["index.html"].all("input") if "value" in a}
    assert boxes == {(f, v) for p in papers for f, vs in p["facets"].items() if f != "stage"
                     for v in vs}  # fmt: skip


def test_the_library_lies_beside_its_terms_or_the_drawing_is_still(
    site: Path, tmp_path: Path
) -> None:
    assert (site / "vendor/cytoscape.min.js").read_bytes().startswith(b"/* stands in")
    assert (site / "vendor/cytoscape.LICENSE.txt").read_bytes() == b"terms"
    page = (site / "network.html").read_text()
    assert "vendor/cytoscape.min.js" in page
    assert "Drawn with a stand-in (MIT licence)" in page
    assert "At most 1,000 papers are drawn." in page
    build(tmp_path / "still", catalogue=SMALL)
    page = (tmp_path / "still/network.html").read_text()
    assert "vendor" not in page
    assert "A still drawing" in page
    assert not (tmp_path / "still/vendor").exists()


SMALL = Catalogue(
    papers=(
        Paper("a", "One <script>alert(1)</script>: & more", ("Ann Doe",), "arXiv", 2026,
              "pre-training", "base", link="https://example.org/?a=1&b=2"),
        Paper("b", "Two", ("Bo Roe",), "arXiv", 2026, "pre-training", "base"),
    ),
    citations=(Citation("a", "b", "", ""),),
    taxonomy={"pre-training": {"base": []}},
    about={"source": "s", "source_licence": "l", "source_date": "d", "placement": "p"},
)  # fmt: skip


def test_titles_are_text_and_never_code(tmp_path: Path) -> None:
    build(tmp_path / "out", catalogue=SMALL)
    for path in (tmp_path / "out").rglob("*.html"):
        assert "<script>alert" not in path.read_text(), path.name
    assert Page(tmp_path / "out/papers/a.html").text("h1") == [SMALL.papers[0].title]


def test_only_an_earlier_site_is_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, catalogue=SMALL)
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    build(out, catalogue=SMALL)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first
    less = replace(SMALL, papers=SMALL.papers[1:], citations=())
    build(out, catalogue=less)
    assert not (out / "papers/a.html").exists()
    other = tmp_path / "mine"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(DataError, match="mine must be empty or an earlier site"):
        build(other, catalogue=SMALL)
    assert (other / "index.html").read_text() == "mine"
    with pytest.raises(DataError, match=r"index\.html is a file"):
        build(other / "index.html", catalogue=SMALL)


def test_results_are_those_of_the_file_that_is_given(tmp_path: Path) -> None:
    row = {"challenge": "some_thing", "measure": "m", "primary": True, "method": "clip",
           "mean": 0.5, "seeds": [0], "values": [0.5], "baseline": ""}  # fmt: skip
    other = row | {"method": "gloria", "mean": 0.75, "values": [0.75], "baseline": "clip",
                   "difference": 0.25, "low": 0.125, "high": 0.375}  # fmt: skip
    path = tmp_path / "compare.json"
    path.write_text(json.dumps({"table": [row, other]}))
    chosen = [method for method in METHODS if method.name == "gloria"]
    build(tmp_path / "out", chosen, catalogue=SMALL, compare=path)
    page = Page(tmp_path / "out/atlas/gloria.html")
    assert "+0.250" in page.text("td")
    assert "+0.125 to +0.375" in page.text("td")
    assert "some thing" in page.text("th")
