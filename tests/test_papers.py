from __future__ import annotations

import json
from pathlib import Path

import pytest

from asclip import cli
from asclip.literature import cache, online, web

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
    assert "\n               Summing over words" in text
    assert "global 0." in text
    assert json.loads(out(capsys, "show", KEY, "--json"))["key"] == KEY


def test_an_abstract_gives_key_terms_and_a_wrong_file_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "abstract.txt"
    path.write_text("Words of a report find regions of the image. Regions find words. Regions.")
    with_it = json.loads(out(capsys, "show", KEY, "--abstract", str(path), "--json"))["key terms"]
    without = json.loads(out(capsys, "show", KEY, "--json"))["key terms"]
    assert "regions" in dict(with_it)
    assert "regions" not in dict(without)
    assert cli.main(["papers", "show", KEY, "--abstract", str(tmp_path / "gone.txt")]) != 0
    assert "must be a text file in UTF-8" in capsys.readouterr().err
    path.write_bytes(b"M\xfcller")
    assert cli.main(["papers", "show", KEY, "--abstract", str(path)]) != 0
    assert "got UnicodeDecodeError" in capsys.readouterr().err


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


def test_add_field_by_field_to_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fields = ["title=A new thing", "authors=Ann Doe; Bo Roe", "year=2026", "venue=arXiv",
              "link=https://x.org/?a=1", "stage=application", "family=cross-modal",
              "leaf=VQA"]  # fmt: skip
    table = tmp_path / "mine.csv"
    words = [part for field in fields for part in ("--set", field)]
    (paper,) = json.loads(out(capsys, "add", *words, "--to", str(table), "--json"))["new"]
    assert paper["authors"] == ["Ann Doe", "Bo Roe"]
    assert paper["line"] in table.read_text()
    assert "doe2026new" in out(capsys, "add", str(table))
    assert cli.main(["papers", "add", *words[:-1], "leaf=VQ"]) == 4
    assert "has no leaf 'VQ'; did you mean 'VQA'" in capsys.readouterr().err


def test_build_writes_the_site_and_says_where(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["papers", "build", str(tmp_path / "site"), "--no-library"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.rstrip().endswith("index.html")
    assert (tmp_path / "site" / "atlas" / "gloria.html").exists()
    assert "still drawing" in (tmp_path / "site" / "network.html").read_text()


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: every address answers from here, and what is asked is in the list."""
    asked: list[str] = []
    entry = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>http://arxiv.org/abs/2601.00001</id>"
        "<title>New films</title><author><name>Ann Doe</name></author></entry></feed>"
    )

    def ask(self: web.Web, url: str, *, method: str = "GET") -> web.Answer:
        asked.append(url)
        return web.Answer(404) if url.endswith("/gone") else web.Answer(200, entry)

    monkeypatch.setattr(web.Web, "ask", ask)
    monkeypatch.setenv("ASCLIP_CACHE", str(tmp_path / "cache"))
    return asked


def test_add_from_a_service(capsys: pytest.CaptureFixture[str], answering: list[str]) -> None:
    found = json.loads(out(capsys, "add", "--from", "arxiv:2601.00001", "--json"))
    assert [paper["title"] for paper in found["new"]] == ["New films"]
    assert answering == [online.SERVICES["arxiv"].address.format(id="2601.00001")]
    assert len(list(cache.folder("papers").iterdir())) == 1


def test_lint_asks_links_only_when_told(
    capsys: pytest.CaptureFixture[str], answering: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.bib"
    path.write_text("@misc{a, title={A}, author={Doe, Ann}, year={2026}, url={https://x.org/gone}}")
    out(capsys, "lint", str(path))
    assert answering == []
    found = json.loads(out(capsys, "lint", str(path), "--links", "--json"))
    assert [(line["key"], line["kind"]) for line in found] == [("a", "dead link")]


@pytest.mark.parametrize(
    "words", [["add"], ["add", "x.bib", "--from", "arxiv:1"], ["build", __file__, "--no-library"],
              ["show", "nobody2000"], ["list", "--where", "year"], ["cite"], ["cite", KEY, "--all"],
              ["add", "--set", "year"]],
)  # fmt: skip
def test_mistakes_are_one_message(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert cli.main(["papers", *words]) in (2, 4)
    assert capsys.readouterr().err.startswith("asclip: ")
