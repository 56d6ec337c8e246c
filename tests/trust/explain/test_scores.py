"""Scores of maps against plain loops and against answers that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from asclip.trust.explain import scores

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("small", "large"), [((4, 4), (32, 32)), ((2, 3), (7, 5)), ((5, 5), (5, 5))]
)
def test_enlarging_is_linear_between_centres(small: tuple, large: tuple) -> None:
    maps = RNG.random((2, *small))
    want = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size=large, mode="bilinear", align_corners=False
    )[:, 0]
    np.testing.assert_allclose(scores.enlarged(maps, large), want, atol=1e-12)


@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=3), st.floats(0, 0.3)
)  # fmt: skip
def test_inside_is_a_loop_over_pixels(boxes: list, margin: float) -> None:
    mask = scores.inside(np.array(boxes), (5, 4), margin)
    for row in range(5):
        for column in range(4):
            x, y = (column + 0.5) / 4, (row + 0.5) / 5
            want = any(
                a - margin <= x <= c + margin and b - margin <= y <= d + margin
                for a, b, c, d in boxes
            )
            assert mask[row, column] == want


def test_one_of_several_boxes_is_enough_to_hit() -> None:
    heat = np.zeros((1, 4, 4))
    heat[0, 0, 3] = 1
    left, right = [0.0, 0.0, 0.3, 0.3], [0.7, 0.0, 1.0, 0.3]
    boxes = [np.array([left]), np.array([right]), np.array([left, right]), np.zeros((0, 4))]
    found = [scores.pointing(heat, [one], 0.0)[0] for one in boxes]
    np.testing.assert_array_equal(found, [0.0, 1.0, 1.0, np.nan])
    assert scores.pointing(np.ones((1, 4, 4)), [np.array([[0, 0, 1, 1.0]])], 0.0)[0] == 0


def test_chance_is_what_a_random_point_reaches() -> None:
    boxes = [np.array([[0.2, 0.2, 0.5, 0.6], [0.4, 0.3, 0.8, 0.9]]), np.zeros((0, 4))]
    chance = scores.pointing_chance(boxes, (16, 16), 0.1)
    assert np.isnan(chance[1])
    maps = RNG.random((1500, 16, 16))
    assert chance[0] == pytest.approx(
        scores.pointing(maps, [boxes[0]] * 1500, 0.1).mean(), abs=0.05
    )


def test_contrast_to_noise_by_hand() -> None:
    heat = np.array([[3.0, 5.0], [0.0, 2.0]])
    mask = np.array([[True, True], [False, False]])
    assert scores.contrast_to_noise(heat, mask) == pytest.approx((4 - 1) / np.sqrt(1 + 1))
    assert scores.contrast_to_noise(7 - 2 * heat, mask) == pytest.approx(3 / np.sqrt(2))
    assert np.isnan(scores.contrast_to_noise(heat, ~mask & mask))
    assert scores.contrast_to_noise(np.ones((2, 2)), mask) == 0
    assert np.isnan(scores.contrast_to_noise(mask.astype(float), mask))  # no noise at all


def test_overlap_and_the_threshold_that_is_best_for_it() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1:3, 1:3] = True
    heat = 0.2 + 0.5 * mask + 0.1 * np.eye(4)
    assert scores.overlap(heat, mask, 0.5) == 1.0
    assert scores.overlap(heat, mask, 0.0) == pytest.approx(4 / 6)
    assert scores.overlap(3 * heat - 1, mask, 0.0) == pytest.approx(4 / 6)
    best = scores.best_threshold([heat, heat], [mask, ~mask & mask])
    assert scores.overlap(heat, mask, best) == 1.0
    assert np.isnan(scores.best_threshold([heat], [~mask & mask]))
    assert np.isnan(scores.overlap(heat, ~mask & mask, 0.5))


@pytest.mark.parametrize("shape", [(8, 8), (6, 10, 3)])
@pytest.mark.parametrize("insert", [True, False])
def test_pixels_go_in_the_order_of_the_map(shape: tuple, insert: bool) -> None:
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    heat = RNG.random(shape[:2])
    found = scores.steps_of(image, heat, 5, insert=insert)
    hidden = scores.blurred(image)
    first, last = (hidden, image) if insert else (image, hidden)
    for step in range(6):
        number = step * heat.size / 5
        ranked = sorted(np.ndindex(heat.shape), key=lambda place: -heat[place])
        want = first.copy()
        for place in ranked[: int(np.ceil(number))]:
            want[place] = last[place]
        np.testing.assert_array_equal(found[step], want)


def test_a_map_that_knows_has_high_insertion_and_low_deletion() -> None:
    image = np.full((64, 64), 100, np.uint8)
    image[20:24, 8:12] = 250

    def score(images: np.ndarray) -> np.ndarray:
        return images[:, 20:24, 8:12].mean((1, 2)) / 250

    knows = np.zeros((64, 64))
    knows[20:24, 8:12] = 1
    good, bad = scores.areas(score, image, knows), scores.areas(score, image, -knows)
    assert good[0] > bad[0] + 0.2
    assert good[1] < bad[1] - 0.2
    flat = scores.areas(lambda images: np.full(len(images), 0.3), image, knows)
    assert flat == (pytest.approx(0.3), pytest.approx(0.3))


def test_area_is_the_trapezoid_rule() -> None:
    curve = np.array([0.0, 1.0, 0.5])
    found = scores.areas(lambda images: curve, np.zeros((4, 4), np.uint8), np.eye(4), steps=2)
    assert found[0] == pytest.approx(np.trapezoid(curve, dx=0.5))


@given(st.integers(0, 10_000))
def test_rank_correlation_is_spearmans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 4, (2, 3, 4)) + np.array([[0], [0.5], [1]])
    want = spearmanr(one.ravel(), other.ravel()).statistic
    assert scores.rank_correlation(one, other) == pytest.approx(want, abs=1e-12)
    assert scores.rank_correlation(np.exp(one), other) == pytest.approx(want, abs=1e-12)


def test_a_flat_map_has_no_ranks() -> None:
    assert np.isnan(scores.rank_correlation(np.ones((2, 2)), np.eye(2)))
