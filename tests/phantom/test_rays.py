from __future__ import annotations

import numpy as np
import pytest

from asclip.phantom.body import Body
from asclip.phantom.layout import TISSUE_HU
from asclip.phantom.rays import Beam, added, visible
from asclip.phantom.shapes import ellipsoids, rods, turn
from asclip.phantom.solids import Solids, join, radius_at


def beam(size: int = 48, pitch: float = 2.0) -> Beam:
    """Source 1.5 m behind the origin, film 100 mm in front of it."""
    half = (size - 1) / 2 * pitch
    right, down = np.array([-pitch, 0.0, 0.0]), np.array([0.0, 0.0, -pitch])
    corner = np.array([half, 100.0, half])
    return Beam(np.array([0.0, -1500.0, 0.0]), corner, right, down, (size, size), pitch)


def sampled(solids: Solids, ray: np.ndarray, step: float = 0.02) -> float:
    """Length (mm) of the union of `solids` along one ray [6], by brute force."""
    t = np.arange(-200, 200, step)
    points = ray[:3] + t[:, None] * ray[3:]
    return float((radius_at(solids, points) <= 1).any(0).sum() * step)


def test_sphere_has_the_chord_of_geometry() -> None:
    centre, radius = np.array([6.0, 10.0, -4.0]), 20.0
    b = beam()
    rays = b.rays.reshape(6, -1).T.astype(float)
    offset = centre - rays[:, :3]
    along = (offset * rays[:, 3:]).sum(1)
    distance2 = (offset**2).sum(1) - along**2
    chord = 2 * np.sqrt(np.maximum(radius**2 - distance2, 0)).reshape(b.shape)
    ball = ellipsoids(centre, radius, hu=1000.0)
    np.testing.assert_allclose(added(ball, b) / 1000, chord, atol=0.02)
    painted = ellipsoids(centre, radius, hu=1000.0, level=2)
    np.testing.assert_allclose(visible(painted, b)[2], chord, atol=0.02)


def test_soft_solid_is_the_integral_of_its_profile() -> None:
    b = beam()
    ball = ellipsoids(
        [0, 0, 0], [15.0, 20.0, 10.0], hu=1000.0, soft=True, rotation=turn(x=30, z=20)
    )
    ray = b.rays[:, 20, 26].astype(float)
    t = np.arange(-60, 60, 0.01)
    r = radius_at(ball, ray[:3] + t[:, None] * ray[3:])[0]
    expected = (np.maximum(1 - np.minimum(r, 1) ** 2, 0) ** 2).sum() * 0.01
    assert expected > 1
    assert added(ball, b)[20, 26] / 1000 == pytest.approx(expected, rel=1e-3)


def test_cut_tube_against_brute_force() -> None:
    b = beam()
    rod = rods(np.array([[-20.0, -10, -15]]), np.array([[25.0, 15, 20]]), 6.0, hu=1000.0, flat=0.6)
    shadow = added(rod, b) / 1000
    for row, column in np.argwhere(shadow > 0.5)[::40]:
        expected = sampled(rod, b.rays[:, row, column].astype(float))
        assert shadow[row, column] == pytest.approx(expected, abs=0.06)


def test_levels_cover_each_other_against_brute_force() -> None:
    rng = np.random.default_rng(4)
    parts = [
        ellipsoids(rng.uniform(-15, 15, 3), rng.uniform(6, 20, 3), hu=0, level=int(level))
        for level in (0, 1, 1, 3, 3, 6)
    ]
    solids, b = join(parts), beam()
    shown = visible(solids, b)
    for row, column in ((24, 24), (20, 30), (30, 18), (15, 22)):
        ray = b.rays[:, row, column].astype(float)
        before = 0.0
        for level in (0, 1, 3, 6):
            union = sampled(solids.take(solids.level <= level), ray)
            assert shown[level, row, column] == pytest.approx(union - before, abs=0.1)
            before = union


def test_organs_lie_inside_muscle_and_muscle_inside_skin(healthy: Body) -> None:
    """What `rays.SHELLS` relies on: no organ sticks out of the body."""
    paint = healthy.paint
    rng = np.random.default_rng(0)
    points = rng.uniform([-170, -120, -230], [170, 130, 130], (20000, 3))
    soft, fat = max(TISSUE_HU) - 1, max(TISSUE_HU)
    organ = (radius_at(paint.take(paint.level < soft), points) <= 1).any(0)
    muscle = (radius_at(paint.take(paint.level == soft), points) <= 1).any(0)
    skin = (radius_at(paint.take(paint.level == fat), points) <= 1).any(0)
    assert not np.any(muscle & ~skin)
    assert np.mean(organ & ~muscle) < 2e-3


def test_projection_of_a_point_is_where_its_ray_is() -> None:
    b = beam()
    ray = b.rays[:, 12, 33].astype(float)
    np.testing.assert_allclose(b.project(ray[:3] + 17.0 * ray[3:]), [12, 33], atol=1e-3)
    # the patient's right (+x) is at the left of the film, the head (+z) is up
    assert b.project(np.array([10.0, 0, 0]))[1] < b.project(np.array([-10.0, 0, 0]))[1]
    assert b.project(np.array([0.0, 0, 10]))[0] < b.project(np.array([0.0, 0, -10]))[0]
