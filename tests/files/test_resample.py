from __future__ import annotations

import numpy as np
import pytest

from asclip.files.resample import plan, resample

RNG = np.random.default_rng(8)


def centred_square(shape=(200, 100), side=50) -> np.ndarray:
    film = np.full(shape, 40, np.uint8)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    film[top : top + side, left : left + side] = 240
    return film


def extent(film: np.ndarray) -> tuple[int, ...]:
    places = np.argwhere(film > 140)
    return tuple(int(v) for v in places.max(axis=0) - places.min(axis=0) + 1)


def test_pad_keeps_the_field_and_the_aspect():
    item = resample(centred_square(), plan((200, 100), (64, 64), spacing=(1.0, 1.0)))
    assert item.shape == (64, 64)
    assert extent(item) == (16, 16)
    assert (item[:, :16] == 0).all()
    assert (item[:, 16:48] > 0).all()


def test_crop_fills_and_squash_stretches():
    film = centred_square()
    crop = resample(film, plan((200, 100), (64, 64), spacing=(1.0, 1.0), fit="crop"))
    assert extent(crop) == (32, 32)
    assert crop.min() > 0
    squash = resample(film, plan((200, 100), (64, 64), spacing=(1.0, 1.0), fit="squash"))
    assert extent(squash) == (16, 32)


def test_physical_aspect_and_target_spacing():
    film = centred_square()
    tall = resample(film, plan((200, 100), (128, 128), spacing=(0.5, 1.0)))
    assert extent(tall) == (32, 64)
    axes = plan((200, 100), (40, 60), spacing=(0.5, 1.0), target=(2.0, 2.0))
    item = resample(film, axes)
    # 200 rows of 0.5 mm are 50 of 2 mm, cut to 40; 100 columns of 1 mm are 50, between borders.
    assert item.shape == (40, 60)
    assert extent(item) in ((12, 24), (12, 26))  # the edges fall on half pixels
    assert (item[:, :5] == 0).all()
    assert (item[:, 5:55] > 0).all()
    assert (item[:, 55:] == 0).all()


def test_downsampling_does_not_alias():
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    item = resample(board, plan((256, 256), (32, 32), spacing=(1.0, 1.0)))
    assert np.abs(item.astype(int) - 127).max() <= 2


def test_same_grid_is_the_same_array():
    film = RNG.integers(0, 256, (32, 48), dtype=np.uint8)
    assert np.shares_memory(resample(film, plan((32, 48), (32, 48), spacing=(1.0, 1.0))), film)


@pytest.mark.parametrize("shape", [(40, 30, 20), (5, 30, 20)])
def test_volumes_equal_scipy_zoom_on_smooth_data(shape):
    """Oracle: linear interpolation at the same centres, by scipy."""
    from scipy.ndimage import map_coordinates

    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    volume = (120 + 60 * grid[0] + 30 * grid[1] - 20 * grid[2]).astype(np.uint8)
    size = (20, 15, 10)
    got = resample(volume, plan(shape, size, spacing=(1.0,) * 3, fit="squash"))
    centres = [(np.arange(m) + 0.5) * n / m - 0.5 for n, m in zip(shape, size, strict=True)]
    wanted = map_coordinates(
        volume.astype(float), np.meshgrid(*centres, indexing="ij"), order=1, mode="nearest"
    )
    inner = (slice(3, -3),) * 3
    assert np.abs(got.astype(float) - wanted)[inner].max() < 2.5
