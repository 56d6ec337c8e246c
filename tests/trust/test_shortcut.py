from __future__ import annotations

import numpy as np
import pytest

from asclip.trust.shortcut import ends, shortcut
from asclip.trust.subgroups import groups
from asclip.types import Predictions, Score


def world(
    *, seen: float, used: float, studies: int = 260, tied: float = 0.85, seed: int = 0
) -> tuple[np.ndarray, Predictions, list[str]]:
    """Embeddings that hold the site with strength `seen`, scores that go by it with `used`."""
    rng = np.random.default_rng(seed)
    site = rng.random(studies) < 0.5
    truth = np.where(rng.random(studies) < tied, site, ~site).astype(float)
    vectors = rng.normal(size=(studies, 6))
    vectors[:, 0] += 2 * truth
    vectors[:, 1] += seen * site
    score = truth + used * site + rng.normal(0, 0.8, studies)
    who = np.array([f"p{k}" for k in range(studies)])
    facts = dict.fromkeys(("dataset", "split", "task", "prompts", "preprocessing"), "x")
    found = Predictions(score[:, None], truth[:, None], ("mass",), who, who, facts | {"seed": 0})
    return vectors, found, ["Harbour" if one else "Lakeside" for one in site]


def asked(vectors, found, words) -> tuple[dict[str, Score], list[str]]:
    among = groups("site", words)
    scores, warnings = shortcut(vectors, found, among, [ends(found.truth[:, 0], among)])
    return {one.metric: one for one in scores}, warnings


def test_a_planted_shortcut_is_said_and_only_where_both_hold() -> None:
    said = {}
    for seen, used in ((3.0, 1.5), (3.0, 0.0), (0.0, 1.5), (0.0, 0.0)):
        said[seen, used] = asked(*world(seen=seen, used=used))[1]
    assert [bool(text) for text in said.values()] == [True, False, False, False]
    (text,) = said[3.0, 1.5]
    assert "mass: site is read" in text
    assert "where Harbour has it and Lakeside has not" in text


def test_a_score_that_goes_against_training_is_said_too() -> None:
    vectors, found, words = world(seen=3.0, used=-1.5)
    scores, warnings = asked(vectors, found, words)
    assert scores["dependence"].high < -0.05
    assert len(warnings) == 1


def test_what_only_tells_the_label_is_at_chance() -> None:
    """The site is 85 % the label: a plain probe reads it, the strata show that it does not."""
    values = [asked(*world(seen=0.0, used=0.0, seed=s))[0]["read"].value for s in range(3)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)
    found = asked(*world(seen=4.0, used=0.0))[0]["read"]
    assert found.value > 0.85
    assert found.chance == 0.5
    assert found.low < found.value < found.high


def test_the_pairs_against_a_loop() -> None:
    vectors, found, words = world(seen=1.0, used=0.7)
    score, truth = found.scores[:, 0], found.truth[:, 0]

    def share(first: tuple[str, int], second: tuple[str, int]) -> float:
        sides = [
            [s for s, t, w in zip(score, truth, words, strict=True) if (w, t) == one]
            for one in (first, second)
        ]
        return float(np.mean([[a > b for b in sides[1]] for a in sides[0]]))

    agree = share(("Harbour", 1), ("Lakeside", 0))
    conflict = share(("Lakeside", 1), ("Harbour", 0))
    within = np.mean([share((w, 1), (w, 0)) for w in ("Harbour", "Lakeside")])
    scores = asked(vectors, found, words)[0]
    assert scores["auroc_agreeing"].value == pytest.approx(agree)
    assert scores["auroc_conflicting"].value == pytest.approx(conflict)
    assert scores["auroc_within"].value == pytest.approx(within)
    assert scores["dependence"].value == pytest.approx(agree - conflict)
    assert scores["dependence"].low > 0.1


def test_the_ends_are_those_of_training() -> None:
    among = groups("site", ["a"] * 30 + ["b"] * 30 + ["c"] * 30 + ["d"] * 5)
    truth = np.array([1.0] * 10 + [0] * 20 + [1] * 25 + [0] * 5 + [1] * 3 + [0] * 27 + [1] * 5)
    assert ends(truth, among) == (1, 2)
    assert ends(truth[:95], groups("site", ["a"] * 90 + ["b"] * 5)) is None


def test_too_few_studies_are_nan_with_a_reason() -> None:
    vectors, found, words = world(seen=1.0, used=1.0, studies=60, tied=1.0)
    scores, warnings = asked(vectors, found, words)
    assert warnings == []
    assert all(np.isnan(one.value) and one.why_nan for one in scores.values())
    assert "10 studies with the label" in scores["read"].why_nan
