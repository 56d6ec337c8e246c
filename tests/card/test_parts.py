"""Tables, remarks, ROC, pictures, words and privacy of the card, each against a plain oracle."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import replace

import numpy as np
import pytest

from asclip.card import Card, Heatmap
from asclip.card.pictures import MOST_PIXELS, overlay, uri
from asclip.card.plots import draw
from asclip.card.privacy import clean, searchable
from asclip.card.remarks import remarks
from asclip.card.roc import plots, roc_points
from asclip.card.tables import arrange
from asclip.metrics.classification import auroc
from asclip.types import Predictions, Score

# --- tables ---------------------------------------------------------------------------------------


def test_no_score_is_lost(card: Card) -> None:
    odd = Score("phantom", "test", "calibration", "ece", "", 0.1)
    tables = arrange([*card.scores, odd], card.predictions, card.bound)
    shown = [s for t in (*tables.single, *tables.retrieval, *tables.others) for s in t.rows]
    for table in tables.labels:
        for row in (*table.rows, table.macro):
            shown += [s for s in (row.auroc, row.precision) if row and s]
    assert sorted(map(repr, shown)) == sorted(map(repr, [*card.scores, odd]))


def test_labels_have_their_counts_and_bounds(card: Card) -> None:
    (table, single) = arrange(card.scores, card.predictions, card.bound).labels
    row = next(row for row in table.rows if row.label == "nodule")
    truth = card.predictions[0].truth[:, card.predictions[0].labels.index("nodule")]
    assert (row.positives, row.n) == (np.nansum(truth), np.isfinite(truth).sum())
    assert row.bound in card.bound
    assert table.macro is not None
    assert table.macro.bound == next(s for s in card.bound if s.label == "macro")
    assert next(row.auroc.value for row in table.rows if row.auroc) == max(
        s.value for s in card.scores if s.metric == "auroc" and s.prompts.startswith("cxr")
    )
    assert not single.has_bound
    assert single.single_label
    assert not table.single_label


def test_the_bounds_mean_is_over_the_same_labels() -> None:
    def score(task: str, label: str, value: float) -> Score:
        return Score("d", "test", task, "auroc", label, value, value - 0.1, value + 0.1)

    asked = [score("zero-shot", label, 0.7) for label in ("a", "b", "macro")]
    values = {"a": 0.9, "b": 0.8, "c": 0.1, "macro": 0.6}
    bound = [score("supervised", label, value) for label, value in values.items()]
    (table,) = arrange(asked, [], bound).labels
    assert table.macro is not None
    assert table.macro.bound is not None
    assert table.macro.bound.value == pytest.approx(0.85)
    assert math.isnan(table.macro.bound.low)


def test_prompt_sets_and_seeds_are_kept_apart() -> None:
    one = Score("d", "test", "zero-shot", "auroc", "a", 0.7, prompts="x@1:00")
    group = [one, replace(one, prompts="y@1:11"), replace(one, prompts="y@1:11", seed=1)]
    titles = [table.title for table in arrange(group, [], []).labels]
    assert titles == [
        "Zero-shot: x@1 (seed 0)", "Zero-shot: y@1 (seed 0)", "Zero-shot: y@1 (seed 1)",
    ]  # fmt: skip


# --- remarks --------------------------------------------------------------------------------------


def bound_of(value: float, low: float, high: float) -> Card:
    same = {"dataset": "d", "split": "test", "metric": "auroc", "label": "nodule"}
    score = Score(**same, task="zero-shot", value=0.62, low=0.55, high=0.7)
    return Card(
        "t", scores=[score], bound=[Score(**same, task="s", value=value, low=low, high=high)]
    )


@pytest.mark.parametrize(
    ("bound", "weak"),
    [
        ((0.7, 0.49, 0.9), True),
        ((0.59, 0.55, 0.63), True),
        ((0.7, 0.6, 0.8), False),
        ((math.nan, math.nan, math.nan), False),
    ],
)
def test_a_weak_bound_is_said(bound: tuple[float, float, float], weak: bool) -> None:
    card = bound_of(*bound)
    text = " ".join(remarks(card, arrange(card.scores, [], card.bound), include_images=True))
    assert ("At chance even with supervision: nodule" in text) is weak


def test_few_positives_and_missing_bounds_are_said() -> None:
    truth = np.zeros((50, 1))
    truth[:4] = 1
    ids = np.arange(50).astype(str)
    found = Predictions(truth, truth, ("mass",), ids, ids, {"task": "zero-shot"})
    scores = [Score("d", "test", "zero-shot", "auroc", "mass", 0.6, 0.4, 0.8)]
    card = Card("t", scores=scores, predictions=[found])
    text = remarks(card, arrange(scores, [found], []), include_images=True)
    assert any(one.startswith("Fewer than 10 positives: mass") for one in text)
    assert any(one.startswith("No supervised bound") for one in text)
    assert any("the interval holds 0.5): mass" in one for one in text)


# --- ROC ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_area_under_the_drawn_points_is_auroc_with_ties_and_nan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = (rng.random((80, 1)) < 0.3).astype(float)
    score = np.round(rng.normal(size=(80, 1)) + truth, 1)
    truth[rng.random((80, 1)) < 0.1] = np.nan
    score[rng.random((80, 1)) < 0.1] = np.nan
    ids = np.arange(80).astype(str)
    x, y = roc_points(Predictions(score, truth, ("a",), ids, ids), "a")
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(auroc(truth[:, 0], score[:, 0]), abs=1e-12)


def test_a_label_with_one_outcome_or_no_score_has_no_roc() -> None:
    ids = np.arange(4).astype(str)
    truth = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0], [0, np.nan, 1]])
    score = truth.copy()
    score[:, 2] = np.nan
    found = plots("r", Predictions(score, truth, ("a", "b", "c"), ids, ids), None)
    assert [plot.caption for plot in found] == ["a|2 of 4"]


# --- pictures and plots ---------------------------------------------------------------------------


def picture(address: str) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def test_a_grey_picture_is_kept_exactly_and_a_large_one_is_shrunk() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    assert np.array_equal(picture(uri(image)), image)
    large = np.zeros((1000, 500), np.uint8)
    assert picture(uri(large)).shape == (MOST_PIXELS, MOST_PIXELS // 2)


def test_the_map_is_hot_where_similarity_is_high() -> None:
    heat = np.full((4, 4), -0.3)
    heat[0, 3] = 0.4  # top right
    made = overlay(Heatmap(np.full((64, 64), 100, np.uint8), "x", heat, (32, 0, 64, 16)))
    shown = picture(made.overlay).astype(int).sum(axis=2)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert row < 16
    assert column >= 48
    assert made.box == (0.5, 0.0, 1.0, 0.25)
    assert (made.low, made.high) == ("-0.30", "0.40")


@pytest.mark.parametrize("heat", [np.full((3, 3), np.nan), np.ones((3, 3))])
def test_a_map_without_contrast_is_drawn_without_warning(heat: np.ndarray) -> None:
    made = overlay(Heatmap(np.full((16, 16), 100, np.uint8), "x", heat))
    assert len(np.unique(picture(made.overlay).reshape(-1, 3), axis=0)) == 1


def test_ids_of_a_plot_begin_with_its_name_and_colours_follow_the_page() -> None:
    svg = draw("abc", (2, 1), lambda axes: axes.plot([0, 1], [0, 1], color="#1f5a9f"), alt='a "b"')
    assert "var(--accent)" in svg
    assert "#1f5a9f" not in svg
    assert "<style" not in svg
    assert 'aria-label="a &quot;b&quot;"' in svg
    assert all(found.startswith("abc-") for found in svg.split(' id="')[1:])


# --- privacy --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/user/x.csv", "x.csv"),
        ("/home/user smith/my data", "my data"),
        ("~/runs/clip", "clip"),
        ("--root=/home/user/in", "--root=in"),
        ("path:/home/user/x", "path:x"),
        ("file:///mnt/x/y.csv now", "y.csv now"),
        ("C:\\Users\\u70\\a.csv", "a.csv"),
        ("\\\\server\\share\\a.csv", "a.csv"),
        ("mounted at /scratch.", "mounted at scratch."),
        ("in ('/a/b/c', 3)", "in ('c', 3)"),
        # What must stay as it is:
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("R@1/5/10, and/or 12/376, PA / lateral", "R@1/5/10, and/or 12/376, PA / lateral"),
        ("../shared/data and runs/clip", "../shared/data and runs/clip"),
        ("(x/255 - mean)/std, 10:30", "(x/255 - mean)/std, 10:30"),
    ],
)
def test_paths_lose_their_folders(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_identifiers_are_removed_as_whole_words_only() -> None:
    known = searchable(["12345", "A-77", "9", "smith"])
    assert clean("12345, 123456 and A-77; 9 mm, smithy", known) == (
        "[removed], 123456 and [removed]; 9 mm, smithy"
    )
    assert clean({"n": 12345, "patients": 3, "patients_list": "x"}, known)["n"] == 12345


def test_entries_that_name_a_person_are_left_out() -> None:
    value = {"patient": "anna", "study_id": ["a"], "patients": 12, "studies": {"n": 3}}
    assert clean(value) == {"patients": 12, "studies": {"n": 3}}
