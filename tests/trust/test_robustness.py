from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asclip.metrics.classification import auroc
from asclip.trust.robustness import (
    by_group,
    compared,
    mean_quality,
    quality,
    relative_drop,
    score_of,
    spread,
    warnings_of,
)
from asclip.trust.subgroups import groups
from asclip.types import Predictions, Score

DRAW = {"seed": 0, "resamples": 60}


def told(
    strength: float, *, seed: int = 0, studies: int = 160, kind: str = "multi-label"
) -> Predictions:
    """Scores that tell two labels (or one of two classes) with this strength; same patients."""
    rng = np.random.default_rng(5)
    truth = (rng.random((studies, 2)) < 0.4).astype(float)
    if kind == "single-label":
        truth[:, 1] = 1 - truth[:, 0]
    noise = np.random.default_rng(seed).normal(size=truth.shape)
    who = np.array([f"p{k // 2}" for k in range(studies)])
    facts = dict.fromkeys(("dataset", "split", "task", "preprocessing"), "x")
    facts |= {"seed": 0, "kind": kind, "prompts": "toy@1:abc"}
    return Predictions(strength * truth + noise, truth, ("a", "b"), who, who, facts)


def test_quality_and_drop_against_a_loop() -> None:
    clean, worse = told(2.0), told(0.7, seed=1)

    def macro(p: Predictions, rows: np.ndarray) -> float:
        return float(np.mean([auroc(p.truth[rows, k], p.scores[rows, k]) for k in range(2)]))

    every = np.arange(160)
    base, now = (quality(p, **DRAW) for p in (clean, worse))
    lost = relative_drop(base, now)
    assert base.value == pytest.approx(macro(clean, every))
    assert lost.value == pytest.approx(1 - macro(worse, every) / macro(clean, every))
    rng, slow = np.random.default_rng(0), []
    for _ in range(60):
        drawn = np.bincount(rng.integers(0, 80, size=80), minlength=80)
        rows = np.repeat(every, drawn[every // 2])
        slow.append(1 - macro(worse, rows) / macro(clean, rows))
    np.testing.assert_allclose(lost.samples, slow, atol=1e-12)


def test_the_interval_is_paired() -> None:
    """A small loss is seen for sure, though each score alone could be the other."""
    clean = told(1.0)
    worse = replace(clean, scores=clean.scores + 0.35 * told(0.0, seed=3).scores)
    (now, lost) = compared(clean, {"blur-1": worse}, "images", **DRAW)["blur-1"]
    base = score_of(clean, "images", "clean", quality(clean, **DRAW))
    assert now.low < base.value < now.high
    assert lost.low > 0
    assert (lost.task, lost.metric, lost.label) == ("robustness-images", "relative_drop", "blur-1")
    assert lost.chance is None
    assert now.chance == 0.5


def test_one_class_of_several_is_balanced_accuracy() -> None:
    found = quality(told(9.0, kind="single-label"), **DRAW)
    assert (found.metric, found.chance) == ("balanced_accuracy", 0.5)
    assert found.value > 0.95


def test_a_mean_of_drops_keeps_the_pairs() -> None:
    base, parts = quality(told(2.0), **DRAW), [quality(told(s, seed=9), **DRAW) for s in (1.0, 0.5)]
    drops = [relative_drop(base, part) for part in parts]
    both = mean_quality(drops)
    assert both.value == pytest.approx((drops[0].value + drops[1].value) / 2)
    np.testing.assert_allclose(both.samples, (drops[0].samples + drops[1].samples) / 2)


def test_nothing_known_is_nan_with_a_reason() -> None:
    clean = told(1.0)
    empty = replace(clean, truth=np.full_like(clean.truth, np.nan))
    now, lost = compared(empty, {"blur-1": empty}, "images", **DRAW)["blur-1"]
    for one in (now, lost):
        assert np.isnan([one.value, one.low, one.high]).all()
        assert one.why_nan
    flat = replace(clean, scores=-clean.truth)  # an AUROC of 0 has no share to lose
    assert compared(flat, {"blur-1": clean}, "images", **DRAW)["blur-1"][1].why_nan


def test_the_spread_of_templates() -> None:
    each = [told(s, seed=7) for s in (2.0, 0.5, 1.0)]
    values = [quality(one, **DRAW).value for one in each]
    found = {(one.metric, one.label): one for one in spread(each, **DRAW)}
    assert found["auroc", "least template"].value == min(values)
    assert found["auroc", "best template"].value == max(values)
    assert found["auroc", "mean template"].value == pytest.approx(np.mean(values))
    deviation = found["sd", "templates"]
    assert deviation.value == pytest.approx(np.std(values))
    assert deviation.low <= deviation.value <= deviation.high


def test_a_planted_site_is_found() -> None:
    clean = told(2.0, studies=400)
    words = ["Harbour" if k % 4 < 2 else "Lakeside" for k in range(400)]
    away = np.array(words) == "Lakeside"
    bad = replace(
        clean, scores=np.where(away[:, None], told(0.0, seed=4, studies=400).scores, clean.scores)
    )
    found = {one.label: (one, lost) for one, lost in by_group(bad, groups("site", words), **DRAW)}
    assert found["site Lakeside"][1].low > 0.1
    assert found["site Harbour"][1].high < 0
    (text,) = warnings_of([lost for _, lost in found.values()])
    assert "site Lakeside" in text
    assert "Harbour" not in text
    even = by_group(clean, groups("site", words), **DRAW)
    assert warnings_of([lost for _, lost in even]) == []


def test_a_site_without_enough_studies_is_left_out() -> None:
    clean = told(1.0)
    words = ["rare" if k < 6 else "common" for k in range(160)]
    assert [one.label for one, _ in by_group(clean, groups("site", words), **DRAW)] == [
        "site common"
    ]


def score(task: str, label: str, value: float, low: float, high: float = 0.9) -> Score:
    metric = "relative_drop" if task != "negation" else "auroc"
    task = f"robustness-{task}"
    return Score("d", "test", task, metric, label, value, low, high, prompts="toy@1:a")


def test_what_is_told_and_what_is_not() -> None:
    loud = [
        score("images", "blur-2", 0.2, 0.12),
        score("attack", "fgsm-1", 0.5, 0.4),
        score("missing", "without PA", 0.3, 0.2),
    ]
    quiet = [
        score("images", "blur-3", 0.4, 0.3),  # a severe fault may cost something
        score("images", "blur", 0.4, 0.3),  # a mean over severe ones
        score("images", "noise-1", 0.2, 0.05),  # perhaps by chance
        score("attack", "fgsm-2", 0.5, 0.4),
        score("attack", "random-4", 0.5, 0.4),
        score("negation", "denied", 0.4, 0.3, 0.6),
    ]
    assert warnings_of(quiet) == []
    (text,) = warnings_of(quiet + loud)
    assert text.startswith(
        "toy: the score falls by more than 10% with fgsm-1 50%, without PA 30%, "
    )
    deaf = warnings_of([score("negation", "denied", 0.3, 0.2, 0.4)])
    assert "the word no is not heard" in deaf[0]
