from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from asclip.card import Card, Explained, Judged
from asclip.card.judgement import errors, groups
from asclip.card.page import render
from asclip.card.robustness import split
from asclip.card.textual import view
from asclip.metrics.calibration import equal_width, reliability
from asclip.types import Score


def score(task: str, metric: str, label: str, value: float, block: str, **more) -> Score:
    low, high = (value - 0.05, value + 0.05) if value == value else (math.nan, math.nan)
    return Score("d", "test", task, metric, label, value, low, high, n=90, block=block, **more)


TEXT = [
    score("negation", "paraphrase_before_contrary", "", 0.31, "text", chance=0.5),
    score("negation-words", "paraphrase_before_contrary", "", 0.02, "text", chance=0.5),
    score("entailment", "balanced_accuracy", "", 0.77, "text", chance=1 / 3),
    score("entailment-words", "balanced_accuracy", "", 0.41, "text", chance=1 / 3),
    score("text-probe", "auroc", "mass", 0.91, "text", chance=0.5),
    score("text-probe", "auroc", "macro", 0.92, "text", chance=0.5),
]
LEVELS = [
    score("robustness-images", metric, label, value, "robustness", prompts="set@1:aa")
    for metric, label, value in (
        ("auroc", "clean", 0.8),
        *(("auroc", f"blur-{k}", 0.8 - 0.01 * k) for k in range(1, 6)),
        *(("auroc", f"noise-{k}", 0.8 - 0.05 * k) for k in range(1, 6)),
        *(("relative_drop", f"noise-{k}", 0.06 * k) for k in range(1, 6)),
        ("relative_drop", "noise", 0.18),
    )
] + [
    score("robustness-site", "auroc", "device NG-1", 0.7, "robustness", prompts="set@1:aa"),
    score("robustness-site", "auroc", "device NG-2", 0.71, "robustness", prompts="set@1:aa"),
    score("robustness-negation", "auroc", "denied", 0.4, "robustness", prompts="set@1:bb"),
]
TRUST = [
    score("zero-shot", "ece_raw", "macro", 0.2, "trust", chance=0.03),
    score("zero-shot", "ece_platt", "macro", 0.04, "trust", chance=0.02),
    score("zero-shot", "ece_raw", "mass", 0.9, "trust"),
    score("zero-shot", "conformal_present@0.9", "mass", 0.93, "trust"),
    score("zero-shot", "conformal_absent@0.9", "mass", 0.88, "trust"),
    score("zero-shot", "aurc", "macro", 0.03, "trust", chance=0.1),
]
GROUP = {"label": "mass", "attribute": "sex", "group": "F", "n": 40, "positives": 12,
         "prevalence": 0.3, "auroc": 0.6, "low": 0.5, "high": 0.7, "gap": -0.2, "gap_low": -0.3,
         "gap_high": -0.1, "why_nan": ""}  # fmt: skip
SMALL = GROUP | {"group": "M", "auroc": math.nan, "gap": math.nan, "gap_low": math.nan,
                 "gap_high": math.nan, "why_nan": "3 positives"}  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Card:
    rng = np.random.default_rng(0)
    share = rng.random(200)
    table = reliability((rng.random(200) < share).astype(float), share, equal_width(10))
    judged = Judged(
        "zero-shot-set", "Zero-shot: set@1, 1 labels", {"raw": table},
        (np.arange(1, 201) / 200, np.linspace(0, 0.2, 200)), TRUST, [GROUP, SMALL],
    )  # fmt: skip
    film = np.zeros((16, 16), np.uint8)
    explained = Explained(
        film, "a mass", np.array([[0.1, 0.2, 0.5, 0.6]]), {"similarity": rng.random((4, 4))}
    )
    pointing = [
        score("explain-similarity", "pointing", label, 0.5, "explanation", chance=0.2)
        for label in ("mass", "macro")
    ]
    guard = [score("leakage-guard", "patients", "", 0.0, "guard")]
    return Card(
        "Full", scores=[*TEXT, *LEVELS, *TRUST, *pointing, *guard], judged=[judged],
        explained=[explained],
        warnings={"trust": ["the two splits are not alike"], "text": ["not done: no text"]},
    )  # fmt: skip


def test_each_block_has_its_section_in_the_contents_and_its_number(full: Card) -> None:
    page = render(full)
    listed = re.findall(r'<li><a href="#([\w-]+)">', page)
    sections = re.findall(r'<h2 id="([\w-]+)"><span class="no">(\d+)</span>', page)
    assert [name for name, _ in sections] == listed
    assert [int(number) for _, number in sections] == list(range(1, len(sections) + 1))
    assert {"text", "trust", "robustness", "explanation"} <= set(listed)
    assert "The two splits are not alike." in page
    assert "Not done: no text." in page
    for axis in ("severity", "coverage, 95 % interval", "wrong among them (%)", "n = 90"):
        assert axis in page, axis
    for kind in ("Figure", "Table"):
        numbers = [int(n) for n in re.findall(rf"<b>{kind} (\d+)\.</b>", page)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert page.count("<details>") == page.count("</details>") > 2


def test_a_card_without_blocks_has_none_of_their_sections(card: Card) -> None:
    page = render(card)
    for name in ("text", "trust", "robustness", "explanation"):
        assert f'id="{name}"' not in page
    assert "Leakage guard" not in page


def test_pictures_of_the_contact_sheet_can_be_left_out(full: Card) -> None:
    assert render(full).count("data:image") == 2  # the image and one map
    assert "data:image" not in render(full, include_images=False)


def test_the_text_tower_stands_beside_the_words() -> None:
    shown = view(TEXT)
    assert shown is not None
    row = shown["groups"]["Negation"][0]
    assert (row.tower.value, row.words.value) == (0.31, 0.02)
    assert [r.tower.label for r in shown["probe"]] == ["mass"]
    assert "entailment (balanced accuracy) 0.77 (words 0.41)" in shown["plot"].svg
    assert view([]) is None
    nothing = view([score("negation", "spearman", "", math.nan, "text", why_nan="no text")])
    assert nothing is not None
    assert nothing["plot"] is None


def test_severities_are_curves_the_lowest_first_and_names_with_numbers_are_not() -> None:
    curves, rest = split(LEVELS)
    assert [one.what for one in curves] == ["noise", "blur"]
    assert list(curves[0].score) == list(curves[0].drop) == [1, 2, 3, 4, 5]
    assert curves[0].mean is not None
    assert curves[0].mean.value == 0.18
    assert all(one.clean is not None and one.clean.value == 0.8 for one in curves)
    assert [one.what for one in rest] == ["clean", "device NG-1", "device NG-2", "denied"]
    assert split([replace(one, value=math.nan) for one in LEVELS])[0] == []


def test_errors_and_groups_are_means_and_counts() -> None:
    ((name, by_stage, last),) = errors(TRUST)
    assert name == "expected calibration error"
    assert {stage: one.value for stage, one in by_stage.items()} == {"raw": 0.2, "platt": 0.04}
    assert last.chance == 0.02
    female, male = groups([GROUP, SMALL])
    assert (female["lower"], female["higher"], female["mean"]) == (1, 0, "0.600")
    assert (male["labels"], male["mean"]) == (0, "–")
