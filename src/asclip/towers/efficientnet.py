"""EfficientNet-Lite0 as a feature network, with the key names of its published weights.

Blocks of Tan and Le 2019 (arXiv:1905.11946, table 1) without squeeze-and-excitation, with ReLU6,
stem and head widths fixed: the "Lite" variant. Padding is TensorFlow's "same": for stride 2 the
odd pixel goes to the bottom right, so it depends on the input size.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# kernel, stride of the first, expansion, channels out, repeats
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding; no bias."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', ceil(H / stride), ceil(W / stride)]."""
        return self.apply_with(input, self.weight, None)

    def apply_with(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with other weights of the same shape."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
        if rows == columns and rows % 2 == 0:
            return functional.conv2d(x, weight, bias, stride, rows // 2, groups=self.groups)
        left, top = columns // 2, rows // 2
        x = functional.pad(x, (left, columns - left, top, rows - top))
        return functional.conv2d(x, weight, bias, stride, groups=self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _convolve(conv: SameConv, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """norm(conv(x)); in evaluation the norm is folded into the weights, which saves its pass."""
    if norm.training or norm.running_var is None or norm.running_mean is None:
        return norm(conv(x))
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return conv.apply_with(
        x, conv.weight * gain[:, None, None, None], norm.bias - norm.running_mean * gain
    )


class Block(nn.Module):
    """Inverted residual: 1x1 expand, depthwise, 1x1 project; skip where shapes agree."""

    def __init__(self, before: int, after: int, *, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = before * expansion
        if expansion != 1:
            self._expand_conv = SameConv(before, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = _norm(inner)
        self._project_conv = SameConv(inner, after, 1, bias=False)
        self._bn2 = _norm(after)
        self.expands = expansion != 1
        self.skips = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """[B, before, H, W] -> [B, after, H / stride, W / stride]."""
        inner = x
        if self.expands:
            inner = functional.relu6(_convolve(self._expand_conv, self._bn0, inner))
        inner = functional.relu6(_convolve(self._depthwise_conv, self._bn1, inner))
        inner = _convolve(self._project_conv, self._bn2, inner)
        return x + inner if self.skips else inner


class EfficientNetLite0(nn.Module):
    """[B, 3, H, W] -> feature map [B, 1280, H/32, W/32]."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks, before = [], 32
        for kernel, stride, expansion, after, repeats in STAGES:
            for index in range(repeats):
                blocks.append(
                    Block(
                        before,
                        after,
                        kernel=kernel,
                        stride=stride if index == 0 else 1,
                        expansion=expansion,
                    )
                )
                before = after
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(320, 1280, 1, bias=False)
        self._bn1 = _norm(1280)

    def forward(self, x: Tensor) -> Tensor:
        """The last feature map."""
        x = functional.relu6(_convolve(self._conv_stem, self._bn0, x))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(_convolve(self._conv_head, self._bn1, x))
