from __future__ import annotations

import numpy as np
import pytest

from asclip.trust.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def film(height: int = 96, width: int = 80) -> np.ndarray:
    """Two dark lungs between bright ribs, brighter on the left, uint8."""
    rows, columns = np.mgrid[:height, :width]
    y, x = rows / height, columns / width
    lungs = np.hypot((x - 0.3) / 0.17, (y - 0.5) / 0.35) < 1
    lungs |= np.hypot((x - 0.7) / 0.17, (y - 0.5) / 0.35) < 1
    grey = 0.55 + 0.15 * np.sin(22 * y) - 0.35 * lungs + 0.1 * x
    return np.rint(grey * 255).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_takes_the_image_further_away(name: str) -> None:
    clean = film()
    for seed in range(3):  # a fault to either side, at another place
        far = [
            np.abs(
                corrupt(clean, name, s, np.random.default_rng(seed)) - clean.astype(float)
            ).mean()
            for s in SEVERITIES
        ]
        assert far[0] > 0
        assert (np.diff(far) > 0).all(), far


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_shape_and_type_stay_and_the_same_chance_is_the_same_image(name: str) -> None:
    grey = film()
    colour, volume = np.stack([grey, grey // 2, 255 - grey], -1), np.stack([grey, grey // 2] * 2)
    for image in (grey, colour, volume, grey / 255.0, (grey / 255.0).astype(np.float32)):
        kept = image.copy()
        found = corrupt(image, name, 3, rng())
        assert (found.shape, found.dtype) == (image.shape, image.dtype)
        assert found.min() >= 0
        assert found.max() <= (255 if image.dtype == np.uint8 else 1)
        assert np.array_equal(image, kept)
        assert np.array_equal(found, corrupt(image, name, 3, rng()))


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"noise", "quantum-noise"}))
def test_the_slices_of_a_volume_and_the_colours_get_one_change(name: str) -> None:
    grey = film()
    alone = corrupt(grey, name, 4, rng())
    volume = corrupt(np.stack([grey] * 4), name, 4, rng())
    colour = corrupt(np.stack([grey] * 3, -1), name, 4, rng())
    assert all(np.array_equal(plane, alone) for plane in volume)
    assert all(np.array_equal(colour[..., c], alone) for c in range(3))


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"occlusion", "dead-rows", "crop"}))
def test_left_and_right_stay_where_they_are(name: str) -> None:
    """The brighter side is the same one; what hides a side is left out."""
    clean = film()
    for seed in range(4):
        found = corrupt(clean, name, 3, np.random.default_rng(seed)).astype(float)
        own, mirrored = (
            np.corrcoef(found.ravel(), c.ravel())[0, 1] for c in (clean, clean[:, ::-1])
        )
        assert own > mirrored - 0.02


def test_strengths_are_what_they_say() -> None:
    flat = np.full((64, 64), 0.5)
    assert corrupt(flat, "noise", 3, rng()).std() == pytest.approx(0.07, rel=0.1)
    assert corrupt(flat, "quantum-noise", 2, rng()).std() == pytest.approx(
        (0.5 / 250) ** 0.5, rel=0.1
    )
    assert abs(corrupt(flat, "brightness", 2, rng()) - 0.5).mean() == pytest.approx(0.12)
    ramp = np.tile(np.linspace(0.2, 0.8, 64), (64, 1))
    assert np.ptp(corrupt(ramp, "contrast", 5, rng())) == pytest.approx(0.2 * 0.6)
    assert (corrupt(flat + 0.1, "dead-rows", 4, rng()) == 0).all(1).sum() == round(0.11 * 64)
    assert (corrupt(flat, "occlusion", 5, rng()) == 0).sum() == round(0.42 * 64) ** 2
    point = np.zeros((101, 101))
    point[50, 50] = 1.0
    rows, columns = np.nonzero(corrupt(point, "motion", 4, rng()))
    assert (np.ptp(rows), np.ptp(columns)) == (10, 0)
    spread = corrupt(point, "blur", 5, rng())
    variance = (spread * (np.arange(101) - 50) ** 2).sum() / spread.sum()
    assert variance**0.5 == pytest.approx(0.036 * 101, rel=0.02)


def test_a_rotation_turns_by_its_degrees() -> None:
    y, x = np.mgrid[:101, :101] - 50
    line = (np.abs(y) < 2) & (np.abs(x) < 40)
    found = corrupt(line.astype(float), "rotation", 5, rng())
    slope = np.polyfit(x.ravel(), y.ravel(), 1, w=found.ravel() + 1e-9)[0]
    assert abs(np.rad2deg(np.arctan(slope))) == pytest.approx(22, abs=0.5)


def test_what_is_no_corruption_is_refused() -> None:
    for name, severity in (("fog", 1), ("noise", 0), ("noise", 6)):
        with pytest.raises(ValueError, match="a corruption is one of noise, quantum-noise"):
            corrupt(film(), name, severity, rng())
    with pytest.raises(ValueError, match="uint8 or floats in 0-1"):
        corrupt(film().astype(np.int32), "noise", 1, rng())
