"""The scattering network against its own formula, computed in space and without any cutting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from asclip.errors import ModelError
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.projection import Standard
from asclip.towers.scattering import _CENTRE, _SIGMA, ANGLES, FLOOR, SCALES, Scattering, wavelets

GRID = (32, 48)
# Of each scale the wavelets at all angles, then what further scales say of them.
FIRST = [
    1 + sum(ANGLES + ANGLES**2 * (SCALES - 1 - one) for one in range(scale)) + angle
    for scale in range(SCALES)
    for angle in range(ANGLES)
]


def morlet(rows: int, columns: int, angle: float) -> np.ndarray:
    """The finest wavelet sampled on a periodic grid, [rows, columns] complex, its mean zero."""
    found = np.zeros((2, rows, columns), complex)
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    for up in range(-2, 3):
        for left in range(-2, 3):
            v, u = y + up * rows, x + left * columns
            along = math.cos(angle) * u + math.sin(angle) * v
            across = math.cos(angle) * v - math.sin(angle) * u
            bump = np.exp(-(along**2 + (across * 4 / ANGLES) ** 2) / (2 * _SIGMA**2))
            found += bump * np.stack([np.exp(1j * _CENTRE * along), np.ones_like(along)])
    wave, still = found
    return wave - still * (wave.sum() / still.sum())


@pytest.mark.parametrize("grid", [(16, 16), (24, 40)])
def test_wavelets_are_morlets_sampled_in_space(grid: tuple[int, int]) -> None:
    for one, bank in enumerate(wavelets(grid).double()):
        plain = np.fft.fft2(morlet(*grid, math.pi * one / ANGLES))
        assert np.abs(plain.imag).max() < 1e-4  # a wavelet's halves are conjugate
        scale = 2 * math.pi * _SIGMA**2 * ANGLES / 4  # the bump's volume; its spectrum peaks at 1
        torch.testing.assert_close(bank, torch.tensor(plain.real) / scale, atol=2e-4, rtol=0)
        assert abs(float(bank[0, 0])) < 1e-6


def blocks(x: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    rows, columns = x.shape[0] // grid[0], x.shape[1] // grid[1]
    return x.reshape(grid[0], rows, grid[1], columns).mean((1, 3))


def test_the_finest_scale_is_the_modulus_of_a_plain_convolution() -> None:
    x = torch.randn(1, 1, *GRID, generator=torch.Generator().manual_seed(0))
    net, cells = Scattering(1, GRID), (GRID[0] // 16, GRID[1] // 16)
    out = net(x)[0].numpy()
    assert out.shape == (net.paths, *cells) == (417, *cells)
    picture = x[0, 0].double().numpy()
    np.testing.assert_allclose(out[0], blocks(picture, cells), atol=1e-5)
    for one in range(ANGLES):
        kernel = morlet(*GRID, math.pi * one / ANGLES) / (2 * math.pi * _SIGMA**2 * ANGLES / 4)
        plain = np.zeros(GRID, complex)
        for row in range(GRID[0]):  # a convolution written out: every shift of the picture
            for column in range(GRID[1]):
                plain += kernel[row, column] * np.roll(picture, (row, column), (0, 1))
        found = np.exp(out[1 + one]) - FLOOR
        np.testing.assert_allclose(found, blocks(np.abs(plain), cells), atol=1e-4)


@pytest.mark.parametrize("scale", range(SCALES))
@pytest.mark.parametrize("angle", [0, 3, 4])
def test_a_grating_answers_at_its_own_scale_and_angle(scale: int, angle: int) -> None:
    side = 128
    turn, pitch = math.pi * angle / ANGLES, _CENTRE / 2**scale
    waves = [round(pitch * f(turn) * side / (2 * math.pi)) for f in (math.cos, math.sin)]
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    grating = torch.cos(2 * math.pi * (waves[0] * x + waves[1] * y) / side)
    found = Scattering(1, (side, side))(grating[None, None])[0, FIRST].exp().mean((1, 2))
    assert int(found.argmax()) == scale * ANGLES + angle
    assert 0.45 < float(found.max()) < 0.55  # half of a real wave turns this way


def test_the_second_order_hears_how_a_texture_is_spread() -> None:
    side = 128
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    wave, slow = torch.cos(3 * math.pi / 4 * x), 1 + torch.cos(2 * math.pi * 12 / side * y)
    out = Scattering(1, (side, side))((wave * slow)[None, None])[0].exp().mean((1, 2))
    inner = out[1 + ANGLES : 1 + ANGLES + 3 * ANGLES**2].view(3, ANGLES, ANGLES)
    # 12 / 128 of a turn is 3 pi / 16: the third scale, across the wave.
    assert divmod(int(inner[:, 0].argmax()), ANGLES) == (1, ANGLES // 2)


def test_what_it_keeps_and_what_it_forgets() -> None:
    x = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    net = Scattering(2, (64, 64))
    out = net(x)
    assert out.shape == (1, 2 * net.paths, 4, 4)
    flat = net(torch.full_like(x, 3.0))
    assert torch.allclose(flat[:, 0], torch.tensor(3.0))  # the mean
    assert torch.allclose(flat[:, 1 : net.paths], torch.tensor(math.log(FLOOR)), atol=1e-3)
    moved = net(x.roll((16, 32), (2, 3)))  # whole blocks
    torch.testing.assert_close(moved, out.roll((1, 2), (2, 3)), atol=1e-4, rtol=1e-4)
    louder = net(2 * x)[:, 1 : net.paths].exp() - FLOOR
    torch.testing.assert_close(
        louder, 2 * (out[:, 1 : net.paths].exp() - FLOOR), atol=1e-4, rtol=1e-4
    )
    alone = Scattering(1, (64, 64))(x[:, 1:])
    torch.testing.assert_close(out[:, net.paths :], alone)


def test_its_tower_gives_moments_and_regions_and_refuses_odd_sizes() -> None:
    config = ImageConfig(
        "scattering", summary="moments", projection="standard", width=12, size=(48, 64), locked=True
    )
    tower = image_tower(config).eval()
    assert tower.standardised
    x = torch.randn(5, 1, 48, 64, generator=torch.Generator().manual_seed(2))
    raw = tower.raw(x)
    assert raw.local is not None
    local = raw.local
    torch.testing.assert_close(
        raw.pooled, torch.cat([local.mean(1), local.amax(1), local.std(1, correction=0)], 1)
    )
    tower.standardise(raw.pooled.numpy())
    norm = tower.projection.norm
    assert isinstance(norm, Standard)
    seen = norm(raw.pooled)
    torch.testing.assert_close(seen.mean(0), torch.zeros(tower.features), atol=1e-3, rtol=0)
    assert float(seen.abs().max()) <= 5.0
    found = tower(x)
    assert found.local is not None
    assert found.local.shape == (5, 12, 12)
    torch.testing.assert_close(tower(raw).pooled, found.pooled)
    for size, said in (((48, 72), "multiples of 16"), ((16, 16), "at least 32")):
        with pytest.raises(ModelError, match=said):
            image_tower(ImageConfig("scattering", size=size))


def test_standard_takes_mean_and_deviation_and_keeps_what_never_varies_at_zero() -> None:
    rows = torch.tensor([[1.0, 7.0, -2.0], [3.0, 7.0, 2.0], [5.0, 7.0, 90.0]])
    norm = Standard(3)
    norm.fit(rows)
    wide = rows.double()
    plain = (wide - wide.mean(0)) / wide.std(0, correction=0).clamp(min=1e-3)
    torch.testing.assert_close(norm(rows), plain.float())
    assert norm(rows)[:, 1].eq(0).all()
    assert norm(torch.full((1, 3), 1e6)).eq(5).all()
    again = Standard(3)
    again.load_state_dict(norm.state_dict())
    assert torch.equal(again(rows), norm(rows))
    assert not list(norm.parameters())


def test_a_gradient_goes_back_to_the_pixels() -> None:
    net = Scattering(1, (32, 32))
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    x[1] = 0.5  # a modulus of zero has a gradient of zero
    x.requires_grad_(True)
    (slope,) = torch.autograd.grad(net(x)[:, 1:].sum(), x)
    assert bool(slope.isfinite().all())
    step = 1e-2 * slope[:1] / slope[:1].norm()
    with torch.no_grad():
        up, down = (net(x[:1] + one)[:, 1:].double().sum() for one in (step, -step))
    assert float((up - down) / 2) == pytest.approx(1e-2 * float(slope[0].norm()), rel=0.02)
