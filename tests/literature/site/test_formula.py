from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.literature import load
from asclip.literature.code import docstring
from asclip.literature.site import atlas, prose
from asclip.literature.site.formula import inline, typeset

MODULES = sorted({module for paper in load().papers for module in paper.implemented_in})


class Balance(HTMLParser):
    """Elements that are open, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.text = list[str](), ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def bare(html: str) -> str:
    parser = Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.text


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("x_i^2", "<i>x</i><sub><i>i</i></sub><sup>2</sup>"),
        ("w_clip * CLIP", "<i>w</i><sub>clip</sub> × CLIP"),
        ("image_to_text", "image_to_text"),
        ("tau >= eps", "<i>τ</i> ≥ <i>ε</i>"),
        ("e^(b z_ij)", "<i>e</i><sup><i>b</i> <i>z</i><sub><i>ij</i></sub></sup>"),
        ("z^T_t", "<i>z</i><sup>T</sup><sub><i>t</i></sub>"),
        ("v_k+, w", "<i>v</i><sub><i>k</i></sub><sup>+</sup>, <i>w</i>"),
        ("v_k-", "<i>v</i><sub><i>k</i></sub><sup>−</sup>"),
        ("zero-shot a < b", "zero-shot <i>a</i> &lt; <i>b</i>"),
        ("f_i.W", "<i>f</i><sub><i>i</i></sub> · <i>W</i>"),
        ("sqrt D", "√<i>D</i>"),
        ("u' + v", "<i>u′</i> + <i>v</i>"),
        ("D_v^-1/2", "<i>D</i><sub><i>v</i></sub><sup>−1/2</sup>"),
    ],
)  # fmt: skip
def test_the_writing_of_the_docstrings(plain: str, html: str) -> None:
    assert inline(plain) == html


@pytest.mark.parametrize("module", MODULES)
def test_no_letter_or_digit_of_a_formula_is_lost(module: str) -> None:
    for block in atlas.blocks(docstring(module)):
        if block.kind != "formula":
            continue
        shown = bare(typeset(block.text))
        said = re.sub(r"\b(alpha|beta|gamma|delta|eps|epsilon|lambda|mu|rho|sigma|tau|Theta|phi)"
                      r"(?=\b|_)|\b(sum|sqrt|inf|in|x)(?=\b|_)", "", block.text)  # fmt: skip
        for piece in re.findall(r"[A-Za-z]{2,}|\d+", said):
            assert piece in shown, (module, piece)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abxT_^{}()[]'\"`.,:;+-*<>=~ 012|/&\\", max_size=40))
def test_any_line_is_well_formed_html(line: str) -> None:
    bare(inline(line))
    assert "<script" not in inline(line + "<script>")


def test_docstrings_fall_into_their_parts() -> None:
    text = (
        "Title.\n\n    L = x\n      + y\n\nWords of\ntwo lines.\n\n    path/of/file   what\n\n"
        "Paper    CLIP, arXiv:2103.00020\nDiffers  one\n         two\n"
    )
    assert [(b.kind, b.text) for b in atlas.blocks(text)] == [
        ("formula", "L = x\n  + y"), ("prose", "Words of two lines."),
        ("table", "path/of/file   what"), ("Paper", "CLIP, arXiv:2103.00020"),
        ("Differs", "one two"),
    ]  # fmt: skip


def test_numbers_of_papers_are_links_and_text_is_escaped() -> None:
    html = prose.html("CLIP, arXiv:2103.00020 <b> doi:10.1007/978-3_39, see kad.py", {})
    assert '<a href="https://arxiv.org/abs/2103.00020">arXiv:2103.00020</a>' in html
    assert '<a href="https://doi.org/10.1007/978-3_39">' in html
    assert "&lt;b&gt;" in html
    assert "<code>kad.py</code>" in html
