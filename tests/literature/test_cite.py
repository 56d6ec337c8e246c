from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from xml.etree import ElementTree

import pytest

from asclip.errors import DataError
from asclip.literature import Paper, load
from asclip.literature.bring import read
from asclip.literature.cite import FORMATS, cite
from asclip.literature.names import split_name, straight, turned

HARD = Paper(
    key="mueller2024set",
    title="{A} set & 50% of M_1 #2: naïve CLIP–X-ray ~ \\alpha^2, $5",
    authors=(
        "Jürgen Müller",
        "Tom van Sonsbeek",
        "Noel E. O'Connor",
        "Edson Amaro Junior",
        "OpenAI",
    ),
    venue="R&D Letters",
    year=2024,
    link="https://example.org/a_b?c=%20d#e",
    doi="10.1000/x_y",
    keywords=("one, two", "three"),
    arxiv_id="2401.00001",
)
PAPERS = [*load().papers, HARD]
FIELDS = ("key", "title", "authors", "venue", "year", "link", "doi", "arxiv_id", "keywords")


@pytest.mark.parametrize("form", ["bibtex", "ris", "csl-json"])
def test_what_is_written_is_read_again(form: str) -> None:
    back = read(cite(PAPERS, form), form.removeprefix("csl-"))
    for paper, again in zip(PAPERS, back, strict=True):
        for field in FIELDS:
            assert getattr(again, field) == getattr(paper, field), (paper.key, field)


def test_markdown_goes_round_in_the_form_of_the_list() -> None:
    text = cite(load().papers, "markdown")
    back = read(text, "markdown")
    fields = ("title", "authors", "venue", "year", "stage", "family", "link", "code")
    assert Counter(tuple(getattr(p, f) for f in fields) for p in back) == Counter(
        tuple(getattr(p, f) for f in fields) for p in load().papers
    )
    assert cite(back, "markdown") == text
    heads = re.findall("(?m)^##.*", text)
    assert len(heads) == len({(p.stage, p.family) for p in back}) + len({p.stage for p in back})


def test_bibtex_by_bibtexparser() -> None:
    kept = pytest.importorskip("bibtexparser", reason="bibtexparser is not installed")
    from bibtexparser.middlewares import LatexDecodingMiddleware

    library = kept.parse_string(
        cite(PAPERS, "bibtex"), append_middleware=[LatexDecodingMiddleware()]
    )
    assert not library.failed_blocks
    for paper, entry in zip(PAPERS, library.entries, strict=True):
        fields = {name: field.value for name, field in entry.fields_dict.items()}
        assert entry.key == paper.key
        if paper is not HARD:  # bibtexparser's decoder keeps no literal braces
            assert plain(fields["title"]) == plain(paper.title)
        assert fields["year"] == str(paper.year)
        names = [straight(plain(name)) for name in fields["author"].split(" and ")]
        assert names == [plain(name) for name in paper.authors]
        venue = next(fields[k] for k in ("journal", "booktitle", "howpublished") if k in fields)
        assert plain(venue) == plain(paper.venue)


def plain(text: str) -> str:
    return re.sub(r"[{}]", "", text).replace("--", "–").replace("’", "'")


def test_capitals_are_protected_by_braces() -> None:
    text = cite([load().paper("huang2021gloria")], "bibtex")
    assert "title = {{GLoRIA}: A Multimodal Global-Local" in text


def test_ris_by_rispy() -> None:
    kept = pytest.importorskip("rispy", reason="rispy is not installed")
    for paper, entry in zip(PAPERS, kept.loads(cite(PAPERS, "ris")), strict=True):
        assert entry["id"] == paper.key
        assert entry["title"] == paper.title
        assert [straight(name) for name in entry["authors"]] == list(paper.authors)
        assert entry["secondary_title"] == paper.venue
        assert entry["year"] == str(paper.year)
        assert entry.get("doi", "") == paper.doi
        assert entry["urls"] == [paper.link]
        assert entry.get("keywords", []) == list(paper.keywords)


def test_csl_by_citeproc() -> None:
    pytest.importorskip("citeproc", reason="citeproc-py is not installed")
    from citeproc.source.json import CiteProcJSON

    items = json.loads(cite(PAPERS, "csl-json"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = CiteProcJSON(items)
    for paper in PAPERS:
        entry = source[paper.key.lower()] if paper.key not in source else source[paper.key]
        assert str(entry.title) == paper.title
        names = [f"{name.get('given', '')} {name['family']}".strip() for name in entry.author]
        assert names == list(paper.authors)
        assert int(entry.issued.year) == paper.year
        assert str(entry.container_title) == paper.venue


def test_csl_names_are_whole() -> None:
    for paper, item in zip(PAPERS, json.loads(cite(PAPERS, "csl-json")), strict=True):
        names = [f"{one['given']} {one['family']}".strip() for one in item["author"]]
        assert names == list(paper.authors)


def test_endnote_xml_by_the_standard_parser() -> None:
    records = ElementTree.fromstring(cite(PAPERS, "endnote-xml").encode()).iter("record")
    for paper, record in zip(PAPERS, records, strict=True):
        assert record.findtext("label") == paper.key
        assert record.findtext("titles/title") == paper.title
        assert record.findtext("titles/secondary-title") == paper.venue
        assert [straight(one.text or "") for one in record.iter("author")] == list(paper.authors)
        assert record.findtext("dates/year") == str(paper.year)
        assert record.findtext("urls/related-urls/url") == paper.link
        assert record.findtext("electronic-resource-num", "") == paper.doi


def test_enw_has_one_record_a_paper() -> None:
    blocks = cite(PAPERS, "enw").strip().split("\n\n")
    for paper, block in zip(PAPERS, blocks, strict=True):
        tags = [line.split(" ", 1) for line in block.splitlines()]
        assert tags[0][0] == "%0"
        values = dict(tags)
        assert values["%T"] == paper.title
        assert values["%F"] == paper.key
        assert [straight(text) for tag, text in tags if tag == "%A"] == list(paper.authors)
        assert values.get("%B", values.get("%J")) == paper.venue
        assert values["%D"] == str(paper.year)


def test_every_name_goes_round() -> None:
    for name in {name for paper in PAPERS for name in paper.authors}:
        assert straight(turned(name)) == name
        assert " ".join(filter(None, split_name(name))) == name


def test_an_unknown_format_lists_near_ones() -> None:
    with pytest.raises(DataError, match="did you mean 'bibtex'"):
        cite([HARD], "bibtext")
    assert set(FORMATS) == {"bibtex", "ris", "enw", "endnote-xml", "csl-json", "markdown"}
