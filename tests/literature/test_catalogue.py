from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from asclip.errors import DataError
from asclip.literature import Paper, load
from asclip.literature.catalogue import read_citations, read_papers, venues
from asclip.literature.code import differences, docstring, first_sentence, names, section
from asclip.literature.document import document
from asclip.recipes import RECIPES

# Modules whose docstring does not yet have the number of a paper that they implement.
GAPS: dict[tuple[str, str], str] = {}
NO_PAPER = {"supervised", "metadata"}
COUNTS = {
    ("pre-training", "multi-scale"): 33,
    ("pre-training", "data-efficient"): 22,
    ("pre-training", "knowledge-enhanced"): 14,
    ("pre-training", "others"): 19,
    ("application", "classification"): 42,
    ("application", "dense-prediction"): 25,
    ("application", "cross-modal"): 10,
    ("survey", "survey"): 1,
}
HEAD = "key,title,stage,family,leaf,status\n"
PAIRS = [(paper, module) for paper in load().papers for module in paper.implemented_in]


def test_counts_are_those_of_the_source_list() -> None:
    listed = Counter((paper.stage, paper.family) for paper in load().papers if paper.listed)
    assert listed == COUNTS
    assert len(load().datasets) == 10


def test_every_paper_has_the_facts_of_a_citation_and_a_known_venue() -> None:
    for paper in load().papers:
        assert all((paper.title, paper.authors, paper.year, paper.link)), paper.key
        assert paper.venue in venues(), paper.key
        assert not paper.abstract


@pytest.mark.parametrize(("paper", "module"), PAIRS, ids=[f"{p.key}-{m}" for p, m in PAIRS])
def test_what_is_implemented_imports_and_names_its_paper(paper: Paper, module: str) -> None:
    assert importlib.import_module(module).__doc__ == docstring_of_source(module)
    number = f"arXiv:{paper.arxiv_id}" if paper.arxiv_id else f"doi:{paper.doi}"
    if (paper.key, module) in GAPS:
        if names(paper, module):
            pytest.fail(f"{module} names {paper.key} now: take it out of GAPS")
        pytest.skip(f"known gap: the docstring of {module} lacks {number}")
    assert names(paper, module), f"the docstring of {module} must name {paper.key}; add {number}"


def docstring_of_source(module: str) -> str | None:
    read = docstring(module)
    whole = importlib.import_module(module).__doc__ or ""
    assert read.split() == whole.split()
    return importlib.import_module(module).__doc__


def test_implemented_papers_and_recipes_name_each_other() -> None:
    named = {name for paper in load().papers for name in paper.recipe}
    assert named - set(RECIPES) == set()
    assert set(RECIPES) - named == NO_PAPER
    for paper in load().papers:
        assert bool(paper.implemented_in) == (paper.status != "noted"), paper.key
        assert paper.implemented_in or not paper.recipe, paper.key


def test_differences_are_read_from_the_docstring_and_not_stored() -> None:
    paper = load().paper("wang2022multigranularity")
    assert differences(paper) == section("asclip.pretrain.multiscale.mgca", "Differs")
    assert differences(paper).startswith("a_t is the last layer's attention")
    assert "\n" not in differences(load().paper("bannur2023learning"))
    assert first_sentence("one (two; three); four") == "one (two; three)"


def test_the_page_is_made_from_the_tables() -> None:
    path = Path(__file__).parents[2] / "LITERATURE.md"
    remedy = "run: python -m asclip.literature.document LITERATURE.md"
    assert path.read_text(encoding="utf-8") == document(load()), remedy


def test_no_paper_cites_one_that_came_years_later() -> None:
    # A code repository may name a paper that came after its own, by a year or so.
    for one in load().citations:
        cited = load().paper(one.cited)
        first = min(2000 + int(cited.arxiv_id[:2] or 99), cited.year or 0)
        assert (load().paper(one.citing).year or 0) + 1 >= first, one


def test_nothing_here_imports_torch() -> None:
    code = (
        "import sys, asclip.literature.commands as c; c.list_papers(); c.show('zhao2025clip');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,A title,pre-training,multi-scale,semantic,noted", "line 2: .* no leaf 'semantic'.*"),
        ("a,A title,pre-training,multiscale,,noted", "line 2: .* no family 'multiscale'; did you"),
        ("a,A title,training,others,,noted", "line 2: unknown stage 'training'; did you mean"),
        ("a,A title,survey,survey,,done", "line 2: unknown status 'done'"),
        ("a,,survey,survey,,noted", "line 2: a paper must have a key, a title"),
        ("a,A title,survey", "line 2: a row must have 6 cells"),
        ("a,T,survey,survey,,noted\na,U,survey,survey,,noted", "line 3: a key must be unique"),
    ],
)
def test_wrong_rows_are_named_with_line_and_mend(row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_papers(HEAD + row + "\n", "mine.csv", load().taxonomy)


def test_wrong_years_citations_and_keys() -> None:
    with pytest.raises(DataError, match=r"line 2: a year must be four digits; got '21'"):
        read_papers("key,title,year\na,T,21\n", "mine.csv", load().taxonomy)
    with pytest.raises(DataError, match=r"line 2: 'b' must be a paper's key"):
        read_citations("citing,cited,evidence,source\na,b,x,y\n", "mine.csv", ["a"])
    head, good = "citing,cited,evidence,source\n", "a,b,title names it,title of the paper\n"
    with pytest.raises(DataError, match=r"line 3: .* and once; got a -> b; remove the line"):
        read_citations(head + good + good, "mine.csv", "ab")
    with pytest.raises(DataError, match=r"line 2: .* must join two papers"):
        read_citations(head + good.replace("b", "a", 1), "mine.csv", "ab")
    with pytest.raises(DataError, match=r"line 2: .* evidence of: paper text.*; got 'heard of it'"):
        read_citations(head + "a,b,heard of it,somewhere\n", "mine.csv", "ab")
    with pytest.raises(DataError, match="did you mean 'huang2021gloria'"):
        load().paper("huang2021glorai")
