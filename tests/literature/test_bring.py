from __future__ import annotations

import json
from pathlib import Path

import pytest

from asclip.errors import DataError
from asclip.literature import load
from asclip.literature.bring import bring, read
from asclip.literature.latex import unescape

BIB = r"""@comment{not this}
@string{emnlp = "Proceedings of " # {EMNLP}}
@InProceedings{wang22,
  author = "M{\"u}ller, J{\'e}r{\^o}me and Fran\c{c}ois {de la Cruz} and others",
  title = {{MedCLIP}: {\'E}tude of R\&D -- 50\%},
  booktitle = emnlp # { 2022}, year = 2022,
  doi = {https://doi.org/10.1000/a_b}, eprint = {2210.10163v2},
  keywords = {one, two}
}
free text with a@b.c
@article(no, )
"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"
 xmlns:arxiv="http://arxiv.org/schemas/atom"><entry>
 <id>http://arxiv.org/abs/2210.06044v1</id><published>2022-10-12T00:00:00Z</published>
 <title>Multi-Granularity
  Cross-modal Alignment</title><summary> Words. </summary>
 <author><name>Fuying Wang</name></author><author><name>Lequan Yu</name></author>
 <arxiv:doi>10.1000/z</arxiv:doi></entry></feed>"""
SCHOLAR = {
    "total": 1,
    "data": [
        {
            "paperId": "x",
            "title": "A new thing",
            "year": 2025,
            "venue": "CVPR",
            "authors": [{"authorId": "1", "name": "Ada Lovelace"}],
            "externalIds": {"ArXiv": "2501.00001", "DOI": None},
            "url": "https://www.semanticscholar.org/paper/x",
            "abstract": None,
        }
    ],
}
ALEX = {
    "results": [
        {
            "id": "https://openalex.org/W1",
            "title": "Another thing",
            "publication_year": 2024,
            "doi": "https://doi.org/10.1000/q",
            "authorships": [{"author": {"display_name": "Grace Hopper"}}],
            "primary_location": {
                "landing_page_url": "https://arxiv.org/abs/2401.00002",
                "source": {"display_name": "arXiv"},
            },
        }
    ]
}


def test_bibtex_of_others() -> None:
    (paper,) = read(BIB.replace("@article(no, )", ""), "bibtex")
    assert paper.key == "wang22"
    assert paper.authors == ("Jérôme Müller", "François de la Cruz")
    assert paper.title == "MedCLIP: Étude of R&D – 50%"
    assert paper.venue == "Proceedings of EMNLP 2022"
    assert (paper.year, paper.doi, paper.arxiv_id) == (2022, "10.1000/a_b", "2210.10163")
    assert paper.keywords == ("one", "two")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"{\o}re \"{o} \'\i \v{S} \aa{} {\ss} \~n", "øre ö í Š å ß ñ"),
        (r"\textbackslash{}x \{y\}", r"\x {y}"),
        (r"{N}o {\'{E}}t", "No Ét"),
    ],
)
def test_latex_is_read(written: str, meant: str) -> None:
    assert unescape(written) == meant


def test_ris_of_others() -> None:
    text = (
        "\ufeffTY  - JOUR\nT1  - A long\n title\nA1  - de Melo, Gerard\nY1  - 2020/05/01\nER  -\n"
    )
    (paper,) = read(text, "ris")
    assert paper.title == "A long title"
    assert (paper.authors, paper.year) == (("Gerard de Melo",), 2020)
    assert paper.key == "melo2020long"


def test_a_wrapped_title_of_ris_may_have_capitals_and_hyphens() -> None:
    text = "TY  - JOUR\nTI  - Reports and\nCT and X-ray\nAI-made images\nER  - \n"
    assert read(text, "ris")[0].title == "Reports and CT and X-ray AI-made images"


def test_feeds(tmp_path: Path) -> None:
    (paper,) = read(ATOM, "arxiv")
    assert paper.title == "Multi-Granularity Cross-modal Alignment"
    assert (paper.arxiv_id, paper.doi, paper.year) == ("2210.06044", "10.1000/z", 2022)
    (paper,) = read(json.dumps(SCHOLAR), "json")
    assert (paper.key, paper.arxiv_id, paper.doi) == ("lovelace2025new", "2501.00001", "")
    (paper,) = read(json.dumps(ALEX), "json")
    assert (paper.venue, paper.doi, paper.arxiv_id) == ("arXiv", "10.1000/q", "2401.00002")
    path = tmp_path / "one.json"
    path.write_text(json.dumps([*SCHOLAR["data"], *SCHOLAR["data"]]))
    found = bring(path, load().papers)
    assert len(found.new) == 1
    assert found.known[0][2] == "same arXiv number"


def test_known_papers_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.bib"
    path.write_text(
        "@misc{a, title={Anything}, eprint={2210.06044v3}}\n"
        "@misc{b, title={CLIP IN medical imaging - a survey}}\n@misc{c, title={Quite new}}\n"
    )
    found = bring(path, load().papers)
    assert [paper.key for paper in found.new] == ["c"]
    assert [(key, why) for _, key, why in found.known] == [
        ("wang2022multigranularity", "same arXiv number"),
        ("zhao2025clip", "same title"),
    ]


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("bibtex", "@misc{a,\n title = {x}\n year = 2020}", "line 3: field 'title' must end with"),
        ("bibtex", "@misc{a,\n title = {x", "line 2: a value must end with }"),
        ("bibtex", "@misc{a,\n title = {x,\n year = 2020\n}\n@misc{b, title={y}}",
         "line 5: field 'title' must end with.*open brace in line 2"),
        ("bibtex", " ", "line 1: the file must hold papers as bibtex; got an empty file"),
        ("markdown", "hello", "the file must hold papers as markdown; got 'hello'"),
        ("ris", "TY  - JOUR\nTI - x\nER  - ", "line 2: a line must be a tag"),
        ("ris", "TY  - JOUR\nTI  - x\nPY  2020\nER  - ", "line 3: a line must be a tag"),
        ("ris", "TY  - JOUR\nT1 x\nER  - ", "line 2: a line must be a tag.*got 'T1 x'"),
        ("json", '[{"id": 1, "title": "x", "issued": {}}, {"id": 1, "title": "y", "issued": {}}]',
         "item 2: an id must be unique; '1' was used before; rename one"),
        ("json", '[{"title": "x", "issued": {"date-parts": [[]]}}]', "item 1: a field has another"),
        ("table", "key,title,stage,family,leaf\na,x,application,classification,zeroshot\n",
         "^line 2: family 'classification' has no leaf 'zeroshot'; did you mean 'zero-shot'"),
        ("bibtex", "\n@misc{title = {x}}", "line 2: an entry must begin with its key"),
        ("bibtex", "@misc{a, year=2020}", "line 1: entry 'a' must have a title"),
        ("bibtex", "@misc{a,title={x}}\n@misc{a,title={y}}", "line 2.*must be unique.*rename"),
        ("bibtex", "@misc{a, title={x}, year={soon}}", "line 1.*year must be four digits"),
        ("bibtex", "@misc{a, title=, year={2020}}", "line 1: a field must have a value"),
        ("bibtex", "@article(no, )", "line 1: an @ must begin an entry"),
        ("ris", "TY  - JOUR\nTI  - x\n", "line 1: the record must end with ER"),
        ("ris", "TI  - x\nER  - ", "line 1: a record must begin with TY"),
        ("ris", "hello\n", "line 1: a line must be a tag"),
        ("ris", "TY  - JOUR\nTI  - x\nTY  - JOUR\n", "line 3: the record of line 1 must end"),
        ("ris", "TY  - JOUR\nER  - ", "line 1: a record must have a title"),
        ("ris", "TY  - A\nID  - k\nTI  - x\nER  - \nTY  - A\nID  - k\nTI  - y\nER  - ", "line 5"),
        ("json", '[{"title": "x",}]', "line 1, column 16: the file must be JSON"),
        ("json", "[1]", "a paper or a list of papers"),
        ("json", '[{"title": ""}]', "item 1: a paper must have a title"),
        ("json", '[{"title": "x", "authors": [1]}]', "item 1: a field has another form"),
        ("arxiv", "<feed>\n<entry>", "line 2: the file must be XML"),
        ("markdown", "\n[**MIDL 2023 no end", "line 2: a paper must begin with"),
        ("word", "", "no form is called 'word'"),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_line_and_mend(form: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(text, form)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.bib"
    path.write_text("@misc{a, title={x}")
    with pytest.raises(DataError, match=r"broken\.bib, line 1: field 'title' must end"):
        bring(path, ())
    path.write_bytes(b"@misc{a, title={M\xfcller}}")
    with pytest.raises(DataError, match="must be UTF-8"):
        bring(path, ())
    with pytest.raises(DataError, match=r"the ending must be one of \.bib"):
        bring(tmp_path / "x.doc", ())
    with pytest.raises(DataError, match=r"gone\.bib must exist; it does not"):
        bring(tmp_path / "gone.bib", ())
