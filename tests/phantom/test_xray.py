from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asclip.phantom.body import Body
from asclip.phantom.layout import Layout, Person, Pose
from asclip.phantom.shapes import ellipsoids
from asclip.phantom.solids import WATER
from asclip.phantom.xray import Device, aim, attenuation, blur, develop, expose, film

SILENT = replace(Device(), scatter=0.0, blur=0.0, photons=1e12)


def show(body: Body, view: str = "PA", device: Device = SILENT, size: int = 128) -> np.ndarray:
    beam = aim(view, size, body=body, device=device)
    return film(body, beam, device, np.random.default_rng(0)).astype(float)


def test_water_ball_obeys_beer_lambert() -> None:
    ball = ellipsoids([0, 0, -40.0], 50.0, hu=0.0, level=0)  # AIR's level: mu = 0
    water = ellipsoids([0, 0, -40.0], 50.0, hu=1000.0)  # adds water's density to air
    from asclip.phantom.solids import join

    body = Body(Layout(Person(50, "M"), Pose()), join([ball, water]))
    beam = aim("PA", 65, body=body, device=SILENT)
    depth = attenuation(body, beam)
    assert depth[32, 32] == pytest.approx(WATER * 100.0, rel=1e-4)
    detected = expose(depth, SILENT, beam.pitch, np.random.default_rng(0))
    np.testing.assert_allclose(detected, depth, atol=1e-3)


def test_noise_follows_the_exposure() -> None:
    depth = np.full((64, 64), 2.0, np.float32)
    noise = []
    for photons in (1e5, 4e5):
        device = replace(Device(), photons=photons, scatter=0.0)
        noise.append(expose(depth, device, 1.0, np.random.default_rng(0)).std())
    assert noise[0] / noise[1] == pytest.approx(2.0, rel=0.03)  # quantum noise: 1 / sqrt(N)


def test_scatter_flattens() -> None:
    depth = np.zeros((64, 64), np.float32)
    depth[:, 32:] = 3.0
    plain, hazy = (
        expose(depth, replace(SILENT, scatter=f), 1.0, np.random.default_rng(0)) for f in (0.0, 0.3)
    )
    assert np.ptp(hazy) < 0.8 * np.ptp(plain)


def test_blur_keeps_the_mean_of_a_constant_and_spreads_a_point() -> None:
    assert np.allclose(blur(np.full((20, 30), 3.0), 2.0), 3.0, atol=1e-5)
    point = np.zeros((41, 41))
    point[20, 20] = 1
    spread = blur(point, 3.0)
    x = np.arange(41) - 20
    assert spread.sum() == pytest.approx(1, rel=1e-4)
    assert np.sqrt((spread.sum(0) * x**2).sum()) == pytest.approx(3.0, rel=0.03)


def test_polarity_and_bits() -> None:
    detected = np.random.default_rng(0).uniform(0.8, 4, (32, 32))
    plain = develop(detected, replace(Device(), bits=14), 2.0)
    inverse = develop(detected, replace(Device(), bits=14, inverted=True), 2.0)
    assert plain.dtype == np.uint16
    assert plain.max() < 2**14
    np.testing.assert_array_equal(plain, 2**14 - 1 - inverse)


@pytest.mark.parametrize("view", ["PA", "AP"])
def test_frontal_film_is_hung_with_the_right_side_at_the_left(healthy: Body, view: str) -> None:
    picture = show(healthy, view)
    beam = aim(view, 128, body=healthy, device=SILENT)

    def at(x: float, y: float, z: float) -> float:
        row, column = np.rint(beam.project(np.array([x, y, z]))).astype(int)
        return picture[row - 1 : row + 2, column - 1 : column + 2].mean()

    dome = healthy.layout.dome[-1]
    assert beam.project(np.array([-60.0, 0, 0]))[1] > 64  # left side at the image's right
    assert at(-56, 22, dome - 24) < at(56, 22, dome - 24)  # stomach gas
    assert at(-62, 25, -95) > at(62, 25, -95)  # heart's apex
    assert at(80, 0, -20) < at(0, 0, -20)  # lung darker than mediastinum


def test_lateral_has_the_front_at_the_left() -> None:
    body = Body(Layout(Person(50, "M"), Pose()), ellipsoids([0, 60, -40.0], 9.0, hu=1000))
    beam = aim("LATERAL", 64, body=body, device=SILENT)
    assert np.argmax(attenuation(body, beam).sum(0)) < 32


def test_heart_is_larger_in_ap(healthy: Body) -> None:
    widths = []
    for view in ("PA", "AP"):
        beam = aim(view, 128, body=healthy, device=SILENT)
        heart, plane = healthy.layout.heart_centre, np.array([0.0, 0.0, 0.0])
        scale = [
            np.linalg.norm(
                np.diff(beam.project(p + np.array([[-20.0, 0, 0], [20.0, 0, 0]])), axis=0)
            )
            for p in (heart, plane)
        ]
        widths.append(scale[0] / scale[1])
    assert widths[1] > 1 > widths[0]  # against structures in the middle of the body


def test_same_noise_same_film(healthy: Body) -> None:
    np.testing.assert_array_equal(show(healthy, device=Device()), show(healthy, device=Device()))
