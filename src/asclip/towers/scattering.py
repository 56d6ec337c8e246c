"""Wavelet scattering: an image network that has nothing to learn (for a few hundred images).

    U1[j, a]       = | x * psi_{j, a} |                 scales j < J, angles a pi / L, a < L
    U2[j, a, k, b] = | U1[j, a] * psi_{k, b} |          k > j: how texture is itself spread
    out            = x, log(U1 + e), log(U2 + e)        means over blocks of 2^J x 2^J pixels

Paper    Mallat 2012, arXiv:1101.2286; Bruna and Mallat 2013, arXiv:1203.1513, section 2
Differs  blocks are averaged instead of smoothed with a Gaussian; an image of scale j is kept on a
         grid of H/2^j x W/2^j, cut from its spectrum, so that one wavelet per grid serves all
         scales (the papers' filters are cut there, too, but fold what lies beyond back)

J = 4 and L = 8 give 417 numbers a block (1 + 32 + 384) on a grid of H/16 x W/16. Borders wrap
around. A thousand slices teach a convolutional network less about their texture than this knows;
see LOG.md.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALES, ANGLES = 4, 8
FLOOR = 0.005  # below the contrast of one grey level in normalised images
_CENTRE, _SIGMA = 3 * math.pi / 4, 0.8  # of the finest wavelet: radians a pixel, pixels


class Scattering(nn.Module):
    """[B, C, H, W] -> [B, C * 417, H/16, W/16] float32; rows and columns are multiples of 16."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        height, width = size
        self.channels = channels
        self.paths = 1 + SCALES * ANGLES + ANGLES**2 * SCALES * (SCALES - 1) // 2
        for scale in range(SCALES):
            grid = (height >> scale, width >> scale)
            self.register_buffer(f"wavelets_{scale}", wavelets(grid), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The logarithms, by image channel; a gradient goes back to the pixels if it is asked."""
        with torch.autocast(x.device.type, enabled=False):
            planes = x.float().flatten(0, 1)  # [B C, H, W]
            grid = (x.shape[-2] >> SCALES, x.shape[-1] >> SCALES)
            mean = functional.adaptive_avg_pool2d(planes[:, None], grid)
            texture = torch.cat(list(self._texture(torch.fft.fft2(planes), grid)), 1)
            out = torch.cat([mean, torch.log(texture + FLOOR)], 1)
        return out.unflatten(0, x.shape[:2]).flatten(1, 2)

    def _texture(self, spectrum: Tensor, grid: tuple[int, int]):
        """Block means of U1 and U2, [B C, paths of a scale, *grid], scale by scale."""
        for scale in range(SCALES):
            first = self._modulus(_cut(spectrum, scale), scale)  # [B C, L, H/2^j, W/2^j]
            yield functional.adaptive_avg_pool2d(first, grid)
            if scale == SCALES - 1:
                return
            inner = torch.fft.fft2(first)
            for further in range(scale + 1, SCALES):
                second = self._modulus(_cut(inner, further - scale), further).flatten(1, 2)
                yield functional.adaptive_avg_pool2d(second, grid)

    def _modulus(self, spectrum: Tensor, scale: int) -> Tensor:
        """|x * psi| at every angle, [..., H, W] -> [..., L, H, W], from the spectrum of x."""
        bank = getattr(self, f"wavelets_{scale}")
        return torch.fft.ifft2(spectrum.unsqueeze(-3) * bank).abs()


def wavelets(grid: tuple[int, int]) -> Tensor:
    """Spectra of the finest Morlet wavelets on a grid, [L, rows, columns] float32.

    A Gaussian around a frequency of 3 pi / 4 at each angle, 4 / L times as narrow across, less a
    Gaussian around zero, so that its mean is zero; sampled in space, hence periodic in frequency.
    """
    rows, columns = (2 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64) for n in grid)
    turns = 2 * math.pi * torch.arange(-2, 3, dtype=torch.float64)
    # [copies, 1] + [rows]: the copies of the spectrum that sampling in space adds.
    y = (turns[:, None] + rows).view(1, 5, 1, -1, 1)
    x = (turns[:, None] + columns).view(1, 1, 5, 1, -1)
    angle = (math.pi / ANGLES * torch.arange(ANGLES, dtype=torch.float64)).view(-1, 1, 1, 1, 1)
    along, across = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    across = (across * ANGLES / 4) ** 2

    def bump(centre: float) -> Tensor:
        return torch.exp(-(_SIGMA**2) / 2 * ((along - centre) ** 2 + across)).sum((1, 2))

    wave, still = bump(_CENTRE), bump(0.0)
    return (wave - still * (wave[:, :1, :1] / still[:, :1, :1])).float()


def _cut(spectrum: Tensor, octaves: int) -> Tensor:
    """The spectrum of the image on a grid 2^octaves coarser: its lowest frequencies."""
    for axis in (-2, -1):
        half = spectrum.shape[axis] >> (octaves + 1)
        ends = spectrum.narrow(axis, 0, half), spectrum.narrow(axis, -half, half)
        spectrum = torch.cat(ends, axis)
    return spectrum / 4**octaves
