"""Residual networks as torchvision names them (18, 34, 50, 101, 152), without their classifier.

    layer1.0.conv2.weight    -> encoder.stages.0.layers.0.layer.1.convolution.weight
    layer1.0.downsample.1.*  -> encoder.stages.0.layers.0.shortcut.normalization.*

The stride is in the 3 x 3 convolution, as in torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from asclip.towers.published.keys import Layout, Part, Row, depth, shape

STAGES = 4
SQUEEZE = 4  # a bottleneck's inner channels are a quarter of its output


def vision(tensors: Mapping[str, Tensor], prefix: str) -> Part:
    """The convolutional network; its vectors are the channels of the last map."""
    stem, channels, *_ = shape(tensors, f"{prefix}conv1.weight", 4)
    deep = any(key.startswith(prefix) and ".conv3." in key for key in tensors)
    last = "conv3" if deep else "conv2"
    depths = [depth(tensors, f"{prefix}layer{s + 1}.") for s in range(STAGES)]
    widths = [shape(tensors, f"{prefix}layer{s + 1}.0.{last}.weight", 4)[0] for s in range(STAGES)]
    layout = {
        f"{prefix}conv1.weight": Row(
            (stem, channels, 7, 7), ("embedder.embedder.convolution.weight",)
        ),
        **_normalisation(f"{prefix}bn1", "embedder.embedder.normalization", stem),
    }
    into = stem
    for s, (blocks, out) in enumerate(zip(depths, widths, strict=True)):
        for b in range(blocks):
            old, new = f"{prefix}layer{s + 1}.{b}.", f"encoder.stages.{s}.layers.{b}."
            layout |= _block(old, new, into, out, deep=deep)
            if b == 0 and (into != out or s > 0):
                name = f"{new}shortcut"
                layout |= _convolution(f"{old}downsample.0", name, out, into, 1)
                layout |= _normalisation(f"{old}downsample.1", f"{name}.normalization", out)
            into = out
    architecture = {
        "model_type": "resnet",
        "num_channels": channels,
        "embedding_size": stem,
        "hidden_sizes": widths,
        "depths": depths,
        "layer_type": "bottleneck" if deep else "basic",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }
    return Part(architecture, prefix, layout, widths[-1])


def _block(old: str, new: str, into: int, out: int, *, deep: bool) -> Layout:
    inner = out // SQUEEZE
    chain = [(inner, into, 1), (inner, inner, 3), (out, inner, 1)]
    layout: Layout = {}
    for k, (a, b, size) in enumerate(chain if deep else [(out, into, 3), (out, out, 3)]):
        name = f"{new}layer.{k}"
        layout |= _convolution(f"{old}conv{k + 1}", name, a, b, size)
        layout |= _normalisation(f"{old}bn{k + 1}", f"{name}.normalization", a)
    return layout


def _convolution(old: str, new: str, out: int, into: int, size: int) -> Layout:
    return {f"{old}.weight": Row((out, into, size, size), (f"{new}.convolution.weight",))}


def _normalisation(old: str, new: str, width: int) -> Layout:
    names = ("weight", "bias", "running_mean", "running_var")
    return {
        **{f"{old}.{name}": Row((width,), (f"{new}.{name}",)) for name in names},
        f"{old}.num_batches_tracked": Row((), (f"{new}.num_batches_tracked",), optional=True),
    }
