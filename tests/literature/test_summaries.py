from __future__ import annotations

import re

from asclip.literature import load
from asclip.literature.page import page
from asclip.literature.summaries import MOST, summary_of, written


def test_every_summary_is_of_a_paper_short_and_with_its_source() -> None:
    for key, one in written().items():
        assert key in load().keys
        assert one.summary
        assert one.source
        assert len(one.findings) <= MOST
        assert len(re.findall(r"[.:](?:\s|$)", one.summary)) <= 4, key
        assert all(text.rstrip('"').endswith(".") for text in (one.summary, *one.findings)), key


def test_every_implemented_paper_has_one_and_others_are_not_made_up() -> None:
    for paper in load().papers:
        said = summary_of(paper)
        if paper.status != "noted":
            assert said.summary, paper.key
        elif paper.key not in written() and paper.same_as not in written():
            shown = page(paper, load())
            assert shown["summary"] == shown["findings"] == "not available"


def test_no_summary_is_an_abstract() -> None:
    # Our own words are short; a sentence of fifty words would be somebody else's.
    for key, one in written().items():
        for sentence in re.split(r"(?<=[.;:])\s", one.summary):
            assert len(sentence.split()) < 50, key
