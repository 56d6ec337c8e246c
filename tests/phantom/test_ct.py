from __future__ import annotations

import numpy as np
import pytest

from asclip.phantom.body import Body
from asclip.phantom.ct import Volume, scan
from asclip.phantom.findings import Finding
from asclip.phantom.layout import Layout, Person, Pose
from asclip.phantom.shapes import ellipsoids
from asclip.phantom.structures import ill
from asclip.phantom.xray import Device, aim, attenuation


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return [
        Finding("mass", "right", "mid", 0.5, 4),
        Finding("pleural effusion", "left", "", 0.5, 5),
    ]


@pytest.fixture(scope="module")
def volume(person: Person, findings: list[Finding]) -> Volume:
    body = ill(person, Pose(arms_up=True), findings)
    return scan(body, findings, noise=0.0, rng=np.random.default_rng(0))


def at(volume: Volume, point: list[float]) -> tuple[int, int, int]:
    """Index (slice, row, column) of a point in RAS mm."""
    i, j, k = np.rint(np.linalg.solve(volume.affine, [*point, 1.0])[:3]).astype(int)
    return int(k), int(j), int(i)


def test_tissues_have_their_hu(volume: Volume) -> None:
    assert volume.hu.dtype == np.int16
    assert volume.hu[at(volume, [-30, 26, -90])] == 45  # heart
    lung = volume.hu[at(volume, [-85, 10, 20])]
    assert -820 <= lung < -300
    assert volume.hu[0, 0, 0] == -1000
    assert (volume.hu > 300).sum() > 500  # bone
    fat = volume.hu[(volume.hu > -110) & (volume.hu < -80)]
    assert len(fat) > 5000


def test_masks_are_on_their_side_and_have_the_right_hu(volume: Volume) -> None:
    mass, fluid = volume.masks
    columns = np.arange(volume.hu.shape[2])
    x = volume.affine[0, 3] + volume.affine[0, 0] * columns
    assert (mass.sum((0, 1)) * x).sum() > 0 > (fluid.sum((0, 1)) * x).sum()
    assert np.median(volume.hu[mass]) == pytest.approx(40, abs=3)
    assert np.median(volume.hu[fluid]) == pytest.approx(12, abs=3)
    litres = mass.sum() * np.prod(volume.spacing) / 1e6
    assert 0.03 < litres < 0.3


def test_a_thin_rod_keeps_its_mass() -> None:
    ball = ellipsoids([0, 0, -44.0], [3.0, 3.0, 60.0], hu=1000.0)
    body = Body(Layout(Person(50, "M"), Pose()), ball)
    volume = scan(body, shape=(64, 24, 24), noise=0.0, rng=np.random.default_rng(0))
    mass = (volume.hu.astype(float) + 1000).sum() / 1000 * np.prod(volume.spacing)
    assert mass == pytest.approx(4 / 3 * np.pi * 3 * 3 * 60, rel=0.06)


def test_noise_has_the_asked_deviation(healthy: Body) -> None:
    quiet, noisy = (
        scan(healthy, noise=n, rng=np.random.default_rng(0), shape=(6, 40, 40)).hu.astype(float)
        for n in (0.0, 20.0)
    )
    away = quiet > -1000  # air is clipped
    assert (noisy - quiet)[away].std() == pytest.approx(20, rel=0.05)


def test_film_and_ct_are_of_the_same_body(person: Person, findings: list[Finding]) -> None:
    """A parallel projection of the CT correlates with the film's line integrals."""
    body = ill(person, Pose(arms_up=True), findings)
    volume = scan(
        body, shape=(100, 96, 110), spacing=(3.0, 3.0, 3.0), noise=0, rng=np.random.default_rng(0)
    )
    projected = ((volume.hu.astype(float) + 1000) / 1000).sum(1)[::-1] * 3.0  # [Z, X], head up
    beam = aim("PA", 128, body=body, device=Device())
    depth = attenuation(body, beam)
    k, i = np.meshgrid(np.arange(15, 85), np.arange(15, 95), indexing="ij")
    x = volume.affine[0, 3] + volume.affine[0, 0] * i
    z = volume.affine[2, 3] + volume.affine[2, 2] * (99 - k)
    rows, columns = (
        np.rint(beam.project(np.stack([x, 0 * x, z], -1))).astype(int).transpose(2, 0, 1)
    )
    film, ct = depth[rows, columns].ravel(), projected[k, i].ravel()
    assert np.corrcoef(film, ct)[0, 1] > 0.95
    assert np.polyfit(ct, film, 1)[0] == pytest.approx(0.0193, rel=0.12)
