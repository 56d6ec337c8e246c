"""A small residual convolutional network made for training on a few CPU cores.

    stem:   4x4 stride 2 -> ReLU -> 2x2 stride 2               [B, C, H, W] -> [B, W1, H/4, W/4]
    block:  x + gain * conv3x3(ReLU(conv3x3(LayerNorm(x))))    plain convolutions, no BatchNorm
    stages: four, 2x2 stride 2 between them                    the last grid is H/32 x W/32
    last:   upsample(stage 4) + 1x1(stage 3)                   the output grid is H/16 x W/16

The 1x1 starts at zero: at first the finer grid repeats the coarse one, and training adds detail.
Started at random it cost 0.03 of macro-AUROC in a short supervised run on phantom films, and three
stages without the coarse grid cost as much; four stages are also a quarter faster.

Even kernels at every stride keep a local vector over the middle of its cell; a padded 3x3 with
stride 2 moves it half a cell up and left, which shows in heat maps and boxes.

Why so: on CPUs with bf16 matrix units, plain 3x3 convolutions in channels_last reach several times
the arithmetic rate of depthwise ones, and LayerNorm over channels costs less than BatchNorm or
GroupNorm in training and does not depend on the batch (measured, see benchmarks/towers.py).
The gain starts at 0.1 so that depth does no harm at the start (LayerScale: arXiv:2103.17239).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel; [B, C, H, W] in channels_last stays so."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and, under autocast, the dtype of `x`."""
        # Parameters follow the input: a float32 result would double the traffic of a bf16 net.
        rows = x.permute(0, 2, 3, 1)
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            rows = functional.layer_norm(rows, rows.shape[-1:], weight, bias)
        return rows.permute(0, 3, 1, 2)


class Residual(nn.Module):
    """x + gain * conv(ReLU(conv(norm(x)))), width unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.full((), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        inner = self.second(functional.relu(self.first(self.norm(x))))
        return x + self.gain.to(inner.dtype) * inner


def initialise(net: nn.Module) -> None:
    """Weights of every convolution after He et al. (arXiv:1502.01852), biases zero."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class ConvNet(nn.Module):
    """[B, channels, H, W] -> feature map [B, widths[-1], H/16, W/16], best at multiples of 32."""

    def __init__(
        self, channels: int, *, widths: tuple[int, ...], depths: tuple[int, ...], stem: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, stem, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(stem, widths[0], 2, stride=2),
        )
        stages = []
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            before = widths[stage - 1]
            reduce = [ChannelNorm(before), nn.Conv2d(before, width, 2, stride=2)] if stage else []
            stages.append(nn.Sequential(*reduce, *(Residual(width) for _ in range(depth))))
        self.stages = nn.ModuleList(stages)
        self.detail_norm = ChannelNorm(widths[-2])
        self.detail = nn.Conv2d(widths[-2], widths[-1], 1)
        self.norm = ChannelNorm(widths[-1])
        initialise(self)
        nn.init.zeros_(self.detail.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The output map, not negative."""
        x = self.stem(x)
        finer = x
        for stage in self.stages:
            finer, x = x, stage(x)
        detail = self.detail(self.detail_norm(finer))
        coarse = functional.interpolate(x, size=detail.shape[-2:], mode="nearest")
        return functional.relu(self.norm(coarse + detail))
