from __future__ import annotations

from asclip.literature import Paper, load
from asclip.literature.awesome import read
from asclip.literature.lint import computed, lint

LIST = """## Pre-training

### Data-efficient

[**EMNLP 2022**] One method \\
_Ada Lovelace, Alan Turing_ \\
[[paper](https://www.google.com.hk/url?sa=t&url=https%3A%2F%2Fexample.org)] [[code](https://x.org/a)]

## CLIP-driven Application

### Classification

[**MIDL 2023**] Quite another thing \\
_Ada Lovelace, Alan Turing_ \\
[[paper](https://example.org/two)] [[code](https://x.org/a)]

[**ACL 2023**] A model that answers questions \\
_Grace Hopper and Mary Jackson_ \\
[[paper](https://arxiv.org/pdf/2305.10415.pdf)]

[**arXiv 2022**] Data of questions \\
_Katherine Johnson, Dorothy Vaughan_ \\
[[paper](https://arxiv.org/abs/2305.10415)]

[**ICASSP 2024**] Freeze the Backbones \\
_Ada Lovelace & Mary Jackson_ \\
[[paper](https://arxiv.org/abs/2401.01179)]

[**ICASSP 2024**] Freeze the backbones \\
_Ada Lovelace, Mary Jackson_\\
[[paper](https://arxiv.org/pdf/2401.01179v2)]
"""


def test_the_known_defects_of_the_source_come_out_with_what_was_done() -> None:
    found = {(line["key"], line["kind"]): line["done"] for line in lint(load())}
    for known in [
        ("eslami2023pubmedclip", "wrong link"),
        ("mishra2023improving", "wrong authors"),
        ("wang2022medclip", "redirect link"),
        ("zhou2023crossmodal", "redirect link"),
        ("qin2024freeze-2", "duplicate"),
        ("yang2024multimodal-3", "duplicate"),
    ]:
        assert found[known] in ("corrected", "marked"), known


def test_every_recorded_defect_is_of_an_entry_and_says_what_was_done() -> None:
    keys = set(load().keys) | {one.key for one in load().datasets}
    for line in lint(load()):
        assert line["key"] in keys
        assert all((line["found"], line["done"])), line


def test_the_same_kinds_are_computed_from_a_list_as_it_stands() -> None:
    found = [(line["key"], line["kind"]) for line in computed(read(LIST))]
    assert found == [
        ("lovelace2022one", "redirect link"),
        ("lovelace2023quite", "same authors"),
        ("lovelace2023quite", "code link"),
        ("johnson2022data", "wrong link"),
        ("johnson2022data", "year"),
        ("lovelace2024freeze-2", "duplicate"),
    ]


def test_missing_fields_and_venues_that_the_link_contradicts() -> None:
    one = Paper("a", "T", ("A B",), "arXiv", 2024, link="https://www.authorea.com/1")
    found = [line["found"] for line in computed([one, Paper("b", "U")])]
    assert found[0] == "the venue is arXiv, the link is at www.authorea.com"
    assert found[1:] == ["no authors", "no venue", "no year", "no link"]
