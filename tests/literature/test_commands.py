from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from asclip.errors import DataError
from asclip.literature import bring, commands, load, page
from asclip.literature.catalogue import read_papers
from asclip.literature.results import Result

NEW = {
    "title": "Prompt learning for chest X-ray segmentation",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "year": 2025,
    "venue": "arXiv",
    "link": "https://arxiv.org/abs/2501.99999",
    "stage": "application",
    "family": "dense-prediction",
}


def test_lists_are_plain_values() -> None:
    every = commands.list_papers()
    json.dumps(every)
    wanted = {"key", "title", "authors", "year", "venue", "stage", "family", "leaf", "status"}
    assert wanted | {"implemented_in"} <= set(every[0])
    assert len(commands.list_papers({"status": "implemented", "stage": "pre-training"})) > 25
    json.dumps([commands.list_datasets(), commands.stats(), commands.lint()])
    json.dumps([commands.network(["huang2021gloria"], steps=2), commands.terms("zhao2025clip")])


def test_a_page_shows_every_field_and_invents_none() -> None:
    shown = commands.show("huang2021gloria")
    json.dumps(shown)
    assert shown["run it"] == ["asclip pretrain --recipe gloria"]
    assert "regions that it attends to" in shown["summary"]
    assert 0 < len(shown["findings"]) <= 7
    assert shown["date"] == "not available"
    bare = commands.show("li2024medflip")
    assert bare["summary"] == bare["findings"] == bare["metrics"] == "not available"
    assert commands.show("lai2024carzero")["date"].startswith("2024-02")
    assert "wang2022medclip" in shown["cited by"]
    assert shown["how to cite"].startswith("@inproceedings{huang2021gloria,")
    assert commands.show("qin2024freeze-2")["comments"] == "the same paper as qin2024freeze"
    assert commands.show("tiu2022expertlevel")["run it"] == ["asclip evaluate"]


def test_metrics_are_the_rows_of_the_comparison() -> None:
    row = Result("side_zone", "gloria", 3, 0.5, "clip", 0.75, -0.25, -0.5, -0.125, 100.0)
    open_ = replace(row, method="clip", difference=math.nan)
    other = replace(row, method="gloria:variant=official")
    paper = load().paper("huang2021gloria")
    (said,) = page.page(paper, load(), results=[row, open_, other])["metrics"]
    assert "side zone: 0.500" in said
    assert "-0.250 (95 % over 3 seeds -0.500 to -0.125)" in said
    assert page.page(paper, load())["metrics"] == "not available"


def test_new_papers_of_a_file_are_checked_and_added_all_or_none(tmp_path: Path) -> None:
    path, table = tmp_path / "new.bib", tmp_path / "mine.csv"
    entry = "@misc{%s, title={%s}, author={Doe, Ann}, year=2026, url={https://x.org/%s}%s}\n"
    path.write_text(entry % ("a", "Chest films", "a", ", howpublished={arXiv}"))
    (told,) = commands.bring(path)["new"]
    assert told["leaf_hint"]
    place = {"stage": "pre-training", "family": "others", "organ": "chest; lung"}
    (told,) = commands.bring(path, fields=place, to=table)["new"]
    assert (told["key"], told["organ"]) == ("a", ["chest", "lung"])
    assert [paper.key for paper in bring.bring(table, ()).new] == ["a"]
    path.write_text(
        entry % ("b", "One more", "b", ", howpublished={arXiv}") + entry % ("c", "Other", "c", "")
    )
    before = table.read_text()
    with pytest.raises(DataError, match=r"c: a new paper must have.*missing: venue"):
        commands.bring(path, fields=place, to=table)
    path.write_text(entry % ("a", "Chest films", "a", ", howpublished={arXiv}"))
    with pytest.raises(DataError, match=r"a: a new paper must have.*missing: stage, family"):
        commands.bring(path, to=table)
    assert table.read_text() == before
    with pytest.raises(DataError, match=r"mine\.csv, line 3: a key must be unique"):
        commands.bring(path, fields=place, to=table)


def test_search_gives_papers_and_facet_counts() -> None:
    found = commands.search("segmentation", {"stage": "application"})
    assert found["papers"]
    assert sum(found["facets"]["stage"].values()) == len(found["papers"])
    assert len(commands.related("huang2021gloria", number=3)) == 3


def test_cite_one_some_or_all() -> None:
    assert commands.cite("zhao2025clip").count("@") == 1
    assert commands.cite(["zhao2025clip", "huang2021gloria"], "ris").count("TY  -") == 2
    assert commands.cite(format="enw").count("%0 ") == len(load().papers)
    with pytest.raises(DataError, match="a key must be one of the catalogue"):
        commands.cite("nobody")


def test_a_paper_is_checked_and_added_to_a_table(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    added = commands.add(NEW, to=table)
    assert added["key"] == "lovelace2025prompt"
    assert added["leaf_hint"] in load().taxonomy["application"]["dense-prediction"]
    commands.add({**NEW, "title": "Other", "link": "https://x.org/1"}, to=table)
    papers = read_papers(table.read_text(), "mine.csv", load().taxonomy)
    assert [paper.title for paper in papers] == [NEW["title"], "Other"]
    assert papers[0].authors == ("Ada Lovelace", "Alan Turing")
    with pytest.raises(DataError, match="a key must be unique"):
        commands.add(NEW, to=table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": ""}, "missing: title"),
        ({"leaf": "segmentation"}, "has no leaf 'segmentation'"),
        ({"colour": "red"}, "a paper has no field 'colour'"),
        ({"year": "25"}, "a year must be four digits"),
        ({"link": "https://arxiv.org/pdf/2210.06044"}, "wang2022multigranularity has the same arX"),
        ({"key": "zhao2025clip"}, "a key must be unique"),
    ],
)
def test_a_wrong_form_says_what_to_mend(change: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        commands.add({**NEW, **change})


def test_a_file_is_brought_and_linted(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text(commands.cite(["qin2024freeze", "qin2024freeze-2"], "markdown"))
    found = commands.bring(path)
    assert found["new"] == []
    assert [paper["same"] for paper in found["known"]] == ["qin2024freeze"] * 2
    assert [line["kind"] for line in commands.lint(path)] == ["duplicate"]
