from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from asclip.errors import DataError, ResourceError
from asclip.literature import Paper, links, online
from asclip.literature.web import Web
from served import served

ENTRY = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/2601.00001v1</id>
<title>A new thing for chest films</title><published>2026-01-02T00:00:00Z</published>
<author><name>Ann Doe</name></author><summary>Words.</summary></entry></feed>"""
EMPTY = '<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


def paper(key: str, link: str, code: str = "") -> Paper:
    return Paper(key, "Title", ("Ann Doe",), "arXiv", 2026, link=link, code=code)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def web() -> Web:
    clock = Clock()
    return Web(pause=1.0, timeout=5.0, clock=lambda: clock.now, sleep=clock.sleep)


def test_a_host_is_asked_once_a_second_and_told_who_asks() -> None:
    clock = Clock()
    asker = Web(pause=1.0, clock=lambda: clock.now, sleep=clock.sleep)
    with served({"/a": (200, "yes")}) as seen:
        answers = [asker.ask(f"{seen.address}/a") for _ in range(3)]
    assert [answer.text for answer in answers] == ["yes"] * 3
    assert clock.slept == [1.0, 1.0]
    assert all(agent.startswith("asclip/") for _, _, agent in seen)


def test_dead_links_are_told_from_those_that_refuse(tmp_path: Path) -> None:
    answers = {
        "/good": (200, ""),
        "/nohead": (405, "page"),
        "/closed": (403, ""),
        "/old": (410, ""),
    }
    memory = tmp_path / "answers.json"
    with served(answers) as seen:
        at = seen.address
        papers = [
            paper("a", f"{at}/good", f"{at}/gone"), paper("b", f"{at}/nohead"),
            paper("c", f"{at}/closed"), paper("d", f"{at}/old"), paper("e", f"{at}/good"),
        ]  # fmt: skip
        found = links.check(papers, web(), memory)
        asked = len(seen)
        assert links.check(papers, web(), memory) == found
        assert len(seen) == asked  # remembered
    assert [(one["key"], one["kind"]) for one in found] == [
        ("c", "link not checked"), ("d", "dead link"), ("a", "dead link"),
    ]  # fmt: skip
    assert [method for method, path, _ in seen if path == "/nohead"] == ["HEAD", "GET"]
    assert "404" in found[2]["found"]
    text = json.loads(memory.read_text())
    memory.write_text(json.dumps({k: v | {"at": 0.0} for k, v in text.items()}))
    assert links.recall(memory) == {}  # older than a week


def test_without_a_network_one_sentence_says_so(tmp_path: Path) -> None:
    papers = [paper(str(n), f"http://127.0.0.1:{n}/x") for n in (1, 2, 3, 4)]
    with pytest.raises(
        ResourceError, match=r"checking links needs a network; .* leave out --links"
    ):
        links.check(papers, web(), tmp_path / "answers.json")
    assert json.loads((tmp_path / "answers.json").read_text()) == {}  # silence is not remembered


def test_one_silent_host_among_others_is_a_dead_link(tmp_path: Path) -> None:
    with served({"/good": (200, "")}) as seen:
        papers = [paper("a", f"{seen.address}/good"), paper("b", "http://127.0.0.1:1/x"),
                  paper("c", "mailto:nobody")]  # fmt: skip
        found = links.check(papers, web(), tmp_path / "answers.json")
    assert [(one["key"], one["kind"]) for one in found] == [("b", "dead link"), ("c", "dead link")]


def service(address: str, name: str = "arxiv") -> dict[str, online.Service]:
    return {name: replace(online.SERVICES[name], address=address)}


def test_a_paper_by_number_is_read_and_its_answer_kept(tmp_path: Path) -> None:
    with served({"/api": (200, ENTRY)}) as seen:
        services = service(seen.address + "/api?id_list={id}")
        found = online.fetch("arxiv:2601.00001", web(), tmp_path, services)
        again = online.fetch("arxiv:2601.00001", web(), tmp_path, services)
    assert found == again
    assert (found[0].arxiv_id, found[0].authors, found[0].year) == (
        "2601.00001",
        ("Ann Doe",),
        2026,
    )
    assert [path for _, path, _ in seen] == ["/api?id_list=2601.00001"]


def test_a_work_of_openalex_by_doi(tmp_path: Path) -> None:
    work = {"title": "A work", "publication_year": 2025, "doi": "https://doi.org/10.1234/a.b",
            "authorships": [{"author": {"display_name": "Ann Doe"}}]}  # fmt: skip
    with served({"/works/doi:10.1234/a.b": (200, json.dumps(work))}) as seen:
        services = service(seen.address + "/works/doi:{id}", "doi")
        found = online.fetch("doi:10.1234/a.b", web(), tmp_path, services)
    assert (found[0].title, found[0].doi, found[0].key) == ("A work", "10.1234/a.b", "doe2025work")


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("2103.00020", DataError, "--from takes service:id"),
        ("arxiv:twelve", DataError, "another form"),
        ("arxiv:2601.00002", DataError, "it has none with 2601.00002"),
        ("arxiv:2601.00003", ResourceError, "it said 503"),
        ("s2:gone", DataError, "it has none with gone"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    tmp_path: Path, word: str, error: type[Exception], message: str
) -> None:
    answers = {"/2601.00002": (200, EMPTY), "/2601.00003": (503, "")}
    with served(answers) as seen:
        services = service(seen.address + "/{id}") | service(seen.address + "/{id}", "s2")
        with pytest.raises(error, match=message):
            online.fetch(word, web(), tmp_path, services)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_cannot_be_reached_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="save its answer and add that file"):
        online.fetch("arxiv:2601.00001", web(), tmp_path, service("http://127.0.0.1:1/{id}"))


def test_every_address_of_a_service_is_encrypted() -> None:
    assert {name for name in online.SERVICES} == {"arxiv", "doi", "s2"}
    assert all(one.address.startswith("https://") for one in online.SERVICES.values())
