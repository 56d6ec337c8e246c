from __future__ import annotations

import html.parser
import re
import urllib.parse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asclip.card import Card, Heatmap, RetrievalExample, write
from asclip.card.page import render
from asclip.errors import DataError, ResourceError
from asclip.types import Predictions

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(html.parser.HTMLParser):
    """Elements, ids, addresses and running text of a page; fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def source(card: Card) -> str:
    return render(card)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_it_nests_and_needs_no_network_and_no_script(page: Page, source: str) -> None:
    assert not [tag for tag, _ in page.tags if tag in ("script", "iframe", "object", "embed")]
    for address in [*page.values("src"), *page.values("href"), *page.values("xlink:href")]:
        assert address.startswith(("#", "data:")), address
    assert "@import" not in source
    assert not re.findall(r"url\((?!#)", source)


def test_ids_are_unique_and_every_link_has_its_target(page: Page, source: str) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    wanted = {one[1:] for one in page.values("href") if one.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", source))
    assert wanted <= set(ids)


def test_pictures_and_plots_say_what_they_show(page: Page) -> None:
    for tag, attrs in page.tags:
        if tag == "img":
            assert attrs.get("alt")
        if tag == "svg":
            assert attrs.get("role") == "img"
            assert attrs.get("aria-label")


def test_headers_of_tables_have_a_scope(page: Page) -> None:
    scopes = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    assert scopes
    assert set(scopes) == {"row", "col"}
    tables = [tag for tag, _ in page.tags if tag == "table"]
    assert len(tables) == len([tag for tag, _ in page.tags if tag == "caption"])


def test_figures_and_tables_are_numbered_in_order(page: Page) -> None:
    for kind in ("Figure", "Table"):
        numbers = [int(n) for n in re.findall(rf"\b{kind} (\d+)\.", page.text)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_numbers_are_those_of_the_scores(page: Page, card: Card) -> None:
    macro = next(s for s in card.scores if s.label == "macro")
    assert f"{macro.value:.3f} 95 % interval [{macro.low:.3f}, {macro.high:.3f}]" in page.text
    assert "35.2 % 95 % interval [32.2, 38.2] pool 376 · chance 2.7 %" in page.text
    assert "R@1 8.2 % [5.2, 11.2] 0.3 % 376 396" in page.text
    assert "median rank 18.0 [15.0, 22.0] 188.0 376 396" in page.text
    assert "MRR 0.171" in page.text
    effusion = next(s for s in card.bound if s.label == "pleural_effusion")
    assert f"{effusion.value:.3f} [{effusion.low:.3f}" in page.text


def test_an_undefined_score_is_na_with_its_reason(page: Page) -> None:
    reasons = [attrs.get("title") for tag, attrs in page.tags if tag == "abbr"]
    assert reasons
    assert set(reasons) == {"no positive study among the 380 that state this label"}
    assert "Undefined scores (n/a) no positive study" in page.text
    assert "nan" not in re.findall(r"[a-z]+", page.text.lower())


def test_it_says_what_is_at_chance_even_with_labels(page: Page) -> None:
    assert "At chance even with supervision: nodule" in page.text
    assert "not a medical device" in page.text
    assert "R@k depends on the number of candidates" in page.text


def test_the_same_card_gives_the_same_bytes(card: Card, source: str) -> None:
    assert render(card) == source


def test_no_patient_and_no_path(card: Card) -> None:
    n = 40
    ids = np.array([f"{70000 + i}" for i in range(n)])
    found = Predictions(
        np.random.default_rng(0).normal(size=(n, 1)), (np.arange(n) % 2)[:, None].astype(float),
        ("mass",), ids, np.array(["Study-X9"] * n), {"task": "zero-shot"},
    )  # fmt: skip
    example = RetrievalExample(
        np.zeros((8, 8), np.uint8),
        "Patient 70003 seen, MR/70004.",
        [("see Study-X9.", 0.5, True)],
        1,
    )
    made = replace(
        card,
        title="Run of 70001",
        run={"recipe": "clip", "parameters": {"data": "/home/user/secret/chest"}},
        provenance={"table": "C:\\Users\\u70\\t.csv", "patient_id": "70002", "node": "70005"},
        predictions=[found],
        examples=[example],
        heatmaps=[Heatmap(np.zeros((8, 8), np.uint8), "70006", np.ones((2, 2)))],
        limits=["read from /srv/pacs/in and file:///mnt/x/y.csv"],
        commands=["asclip pretrain /home/user/secret/chest --out ~/secret/run"],
        preprocessing=[("window", "/mnt/secret/table.json")],
    )
    text = Page(render(made)).text
    for word in ("7000", "X9", "u70", "secret", "/srv", "/mnt", "/home", "C:"):
        assert not re.search(rf"(?<![a-z]){re.escape(word)}", text), word
    assert "asclip pretrain chest --out run" in text
    assert "t.csv" in text


def test_text_is_not_markup() -> None:
    text = render(Card("<b>a</b> & <script>alert(1)</script>", limits=["</style><img src=x>"]))
    page = Page(text)
    assert "<b>a</b> & <script>alert(1)</script>" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("script", "img")]


def test_pictures_can_be_left_out(card: Card, source: str) -> None:
    without = render(card, include_images=False)
    assert "data:image" in source
    assert "data:image" not in without
    text = Page(without).text
    assert "left out of this page on request; its examples still quote reports." in text
    assert card.examples[0].text in text


def test_an_empty_card_is_a_page(tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "card.html", Card("Nothing yet"))
    text = Page(path.read_text(encoding="utf-8")).text
    assert "Nothing yet" in text
    assert "The data were not described." in text
    assert list(path.parent.iterdir()) == [path]


def test_a_full_page_stays_under_3_mb_and_says_how_many_it_shows(card: Card) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (600, 500, 3), dtype=np.uint8)
    grey = noise[..., 0]
    many = replace(
        card,
        examples=[replace(card.examples[0], image=grey) for _ in range(30)],
        heatmaps=[Heatmap(grey, "mass", rng.random((7, 7))) for _ in range(30)],
        curves=[{"step": float(i), "loss": rng.random()} for i in range(20000)],
    )
    text = render(many)
    assert len(text.encode()) < 3e6
    assert "12 of 30 queries" in Page(text).text
    assert "12 of 30 maps" in Page(text).text


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"card.html cannot be written"):
        write(tmp_path / "file" / "card.html", Card("t"))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_a_picture_must_be_uint8(image: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"must be uint8"):
        Heatmap(image, "x", np.ones((2, 2)))


def test_addresses_of_pictures_decode(source: str) -> None:
    import base64
    import io

    from PIL import Image

    found = re.findall(r"data:image/(png|jpeg);base64,([^\"]+)", source)
    assert {kind for kind, _ in found} == {"png", "jpeg"}
    for _, data in found:
        Image.open(io.BytesIO(base64.b64decode(urllib.parse.unquote(data)))).verify()
