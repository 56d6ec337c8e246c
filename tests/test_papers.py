from __future__ import annotations

import json

import pytest

from asclip import cli

KEY = "huang2021gloria"


def out(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["papers", *words]) == 0
    return capsys.readouterr().out


def test_list_has_every_entry_and_facets_narrow_it(capsys: pytest.CaptureFixture[str]) -> None:
    every = json.loads(out(capsys, "list", "--json"))
    assert len(every) >= 165
    assert {"key", "title", "authors", "year", "venue", "stage", "family", "leaf", "status",
            "implemented_in"} <= set(every[0])  # fmt: skip
    some = json.loads(out(capsys, "list", "--where", "year=2023", "--json"))
    assert {paper["year"] for paper in some} == {2023}
    assert 0 < len(some) < len(every)
    assert KEY in out(capsys, "list", "--where", "status=implemented")


def test_show_says_what_implements_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, "show", KEY)
    assert "asclip.pretrain.multiscale.gloria" in text
    assert json.loads(out(capsys, "show", KEY, "--json"))["key"] == KEY


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["related", KEY], "score"),
        (["search", "report generation"], "papers"),
        (["stats"], "by_year"),
        (["lint"], "PMC-VQA"),
        (["cite", KEY, "--format", "ris"], "TY  -"),
        (["cite", "--all"], "@"),
    ],
)
def test_each_answers(capsys: pytest.CaptureFixture[str], words: list[str], part: str) -> None:
    assert part in out(capsys, *words)


def test_add_tells_new_from_known(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    path = tmp_path / "some.bib"
    known = out(capsys, "cite", KEY)
    new = "@article{a2026b, title={A new thing in imaging}, author={Doe, Ann}, year={2026}}"
    path.write_text(known + "\n" + new)
    found = json.loads(out(capsys, "add", str(path), "--json"))
    assert [len(found["new"]), len(found["known"])] == [1, 1]


@pytest.mark.parametrize(
    "words", [["show", "nobody2000"], ["list", "--where", "year"], ["cite"], ["cite", KEY, "--all"]]
)
def test_mistakes_are_one_message(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(["papers", *words]) in (2, 4)
    assert capsys.readouterr().err.startswith("asclip: ")
