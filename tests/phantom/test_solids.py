from __future__ import annotations

import numpy as np
import pytest

from asclip.phantom.shapes import ellipsoids, rods, tube, turn
from asclip.phantom.solids import join, level_at, nothing, radius_at


def test_inside_is_radius_up_to_one() -> None:
    ball = ellipsoids([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], hu=0, level=1)
    points = np.array([[1, 2, 3], [3, 2, 3], [1, 5, 3], [1, 2, 8.0]])
    np.testing.assert_allclose(radius_at(ball, points)[0], [0, 1, 1, 1.25], atol=1e-12)


def test_rotation_moves_axes() -> None:
    long = ellipsoids([0, 0, 0], [5.0, 1.0, 1.0], hu=0, level=1, rotation=turn(z=90))
    assert radius_at(long, np.array([[0, 4.9, 0]]))[0, 0] < 1 < radius_at(long, np.eye(3) * 2)[0, 0]
    np.testing.assert_allclose(long.high, [[1, 5, 1]], atol=1e-9)


def test_boxes_hold_their_solids() -> None:
    rng = np.random.default_rng(0)
    points = np.cumsum(rng.normal(0, 1, (6, 3)) + np.array([4, 0, 0]), axis=0)
    bent = tube(points, 2.0, hu=1, flat=0.5)
    cloud = rng.uniform(points.min(0) - 4, points.max(0) + 4, (20000, 3))
    for k, inside in enumerate(radius_at(bent, cloud) <= 1):
        assert np.all(cloud[inside] >= bent.low[k] - 1e-9)
        assert np.all(cloud[inside] <= bent.high[k] + 1e-9)


def test_mitred_segments_neither_overlap_nor_gap() -> None:
    bent = tube(np.array([[0, 0, 0], [10, 0, 0], [18, 6, 0.0]]), 2.0, hu=1)
    spine = np.stack([np.linspace(1, 9, 50), np.zeros(50), np.zeros(50)], 1)
    around = np.random.default_rng(1).uniform([0, -3, -3], [18, 8, 3], (20000, 3))
    assert np.all((radius_at(bent, spine) <= 1).sum(0) == 1)
    assert (radius_at(bent, around) <= 1).sum(0).max() == 1


def test_cut_and_scale() -> None:
    half = ellipsoids([0, 0, 0], 4.0, hu=0, level=1).cut([0, 0, 1], 1.0)
    assert radius_at(half, np.array([[0, 0, 1.5]]))[0, 0] == np.inf
    small = half.scaled(0.5, np.array([0.0, 0.0, 4.0]))  # the cut moves to z = 2.5
    inside = (
        radius_at(small, np.array([[0, 0, 2.4], [0, 0, 2.6], [0, 0, 0.1], [0, 0, -0.1]]))[0] <= 1
    )
    assert inside.tolist() == [True, False, True, False]
    with pytest.raises(ValueError, match="room for two planes"):
        half.cut([1, 0, 0], 1.0).cut([0, 1, 0], 1.0)


def test_lowest_level_shows() -> None:
    both = join(
        [ellipsoids([0, 0, 0], 5.0, hu=0, level=4), ellipsoids([0, 0, 0], 2.0, hu=0, level=1)]
    )
    assert level_at(both, np.array([[0, 0, 0], [3, 0, 0], [9, 0, 0.0]])).tolist() == [1, 4, 99]
    assert len(nothing()) == 0
    assert len(join([nothing(), both])) == 2


def test_rods_end_square() -> None:
    rod = rods(np.zeros((1, 3)), np.array([[0, 0, 8.0]]), 1.5, hu=1)
    at = np.array([[0, 0, 0.1], [0, 0, -0.1], [1.4, 0, 4], [1.6, 0, 4], [0, 0, 8.1]])
    assert (radius_at(rod, at)[0] <= 1).tolist() == [True, False, True, False, False]
