"""The image tower: pixels or cached features -> `Encoded` in the joint space.

    pixels [B, C, H, W] -> backbone -> raw (pooled [B, F], local [B, N, F']) -> projection -> [B, D]

Presets `tiny`, `small`, `base` are our own convolutional networks (convnet.py), `tiny-3d` and
`small-3d` those for volumes [B, C, Z, H, W] (volume.py); any backbone of
`transformers` comes by hub id or folder (`hf:ORG/NAME`, `hf:./folder`), any of timm and open_clip
by `timm:NAME` and `open_clip:ARCH/TAG` where those extras are installed; `efficientnet-lite0` has
ImageNet weights that ship as a package (weights.py); `scattering` is made of wavelets and learns
its projection only (scattering.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asclip.errors import ModelError
from asclip.towers import extras, hub, weights
from asclip.towers.backbones import build_image_backbone
from asclip.towers.checkpoint import read_config
from asclip.towers.projection import Projection, Standard
from asclip.types import Encoded


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """Everything that rebuilds an image tower, except its weights; plain JSON values.

    `size` is (H, W) in pixels, of volumes (Z, H, W); `width` is D. `local` is "shared" (the local
    vectors go through the projection of the summary, so that plain CLIP can point) or "own" (a
    projection of their own).
    `architecture` is the configuration of a transformers backbone (name "hf"), else None.
    `weights` says where a pretrained backbone came from, for the record. `summary` is how the
    backbone sums an image up (see `backbones`), `projection` a kind of `Projection`.
    """

    name: str = "tiny"
    width: int = 256
    channels: int = 1
    size: tuple[int, ...] = (128, 128)
    locked: bool = False
    dropout: float = 0.0
    hidden: int = 0
    local: str = "shared"
    architecture: dict[str, Any] | None = None
    weights: str = ""
    summary: str = "both"
    projection: str = "norm"

    def to_json(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return {**asdict(self), "size": list(self.size)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageConfig:
        """The inverse of `to_json`; an unknown field is a ModelError."""
        return read_config(cls, {**values, "size": tuple(values.get("size", (128, 128)))})


class ImageTower(nn.Module):
    """`tower(x)` is `Encoded(pooled [B, D], local [B, N, D] or None)`, not normalised.

    `width` D, `features` F of the raw summary, `local_features` F' of a raw local vector, `grid`
    (rows, columns) of the local vectors, of volumes (slices, rows, columns), `locked` whether the
    backbone is frozen. Weights are random; `image_tower` also loads pretrained ones.
    """

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.locked = config.locked
        self.backbone = build_image_backbone(
            config.name,
            channels=config.channels,
            size=config.size,
            architecture=config.architecture,
            summary=config.summary,
        )
        self.features = self.backbone.features
        self.local_features = self.backbone.local_features
        self.grid = self.backbone.grid
        options: dict[str, Any] = {
            "hidden": config.hidden,
            "dropout": config.dropout,
            "kind": config.projection,
        }
        self.projection = Projection(self.features, config.width, **options)
        self.local_projection = (
            Projection(self.local_features, config.width, **options)
            if config.local == "own"
            else None
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if self.locked:
            self.backbone.requires_grad_(False)
            self.backbone.eval()

    def train(self, mode: bool = True) -> ImageTower:
        """Training mode, except for a locked backbone."""
        super().train(mode)
        if self.locked:
            self.backbone.eval()
        return self

    @property
    def standardised(self) -> bool:
        """Whether raw features are told apart by their training statistics; see `standardise`."""
        return isinstance(self.projection.norm, Standard)

    def standardise(self, raw: np.ndarray) -> None:
        """Take mean and deviation from raw features [n, F] of the training images."""
        assert isinstance(self.projection.norm, Standard)
        self.projection.norm.fit(torch.from_numpy(np.asarray(raw, np.float32)))

    def raw(self, x: Tensor, *, local: bool = True) -> Encoded:
        """The backbone's own features, not projected; no graph is kept when locked."""
        if not self.locked:
            return self.backbone(x, local=local)
        with torch.no_grad():
            return self.backbone(x, local=local)

    def project(self, raw: Encoded, *, local: bool = True) -> Encoded:
        """Raw features (fresh or cached, any float dtype) -> joint space."""
        pooled = self.projection(raw.pooled)
        if not local:
            return Encoded(pooled)
        if raw.local is None:
            raise ModelError(
                "local image features are needed, but the cached features hold only the pooled "
                "ones; cache them again with local=True"
            )
        if self.local_projection is not None:
            return Encoded(pooled, self.local_projection(raw.local), raw.valid)
        return Encoded(pooled, self.projection(self.backbone.spread(raw)), raw.valid)

    def forward(self, x: Tensor | Encoded, *, local: bool = True) -> Encoded:
        """Encode pixels [B, C, (Z,) H, W] float32 (normalised), or cached raw features."""
        raw = x if isinstance(x, Encoded) else self.raw(x, local=local)
        return self.project(raw, local=local)

    def projection_parameters(self) -> Iterator[nn.Parameter]:
        """What is trained on top of the backbone."""
        yield from self.projection.parameters()
        if self.local_projection is not None:
            yield from self.local_projection.parameters()


def image_tower(
    config: ImageConfig, *, pretrained: bool = True, local_files_only: bool = False
) -> ImageTower:
    """An image tower, with the pretrained weights of its name where there are any.

    Names: `tiny`, `small`, `base`, `tiny-3d`, `small-3d` (random weights), `efficientnet-lite0`,
    `hf:ORG/NAME` or `hf:FOLDER`, `timm:NAME`, `open_clip:ARCH/TAG`. `pretrained=False` builds the
    same architecture with random weights, for `hf:` at the configuration's own image size.

    >>> tower = image_tower(ImageConfig("tiny", width=64, size=(64, 64)))
    >>> tuple(tower(torch.zeros(2, 1, 64, 64)).pooled.shape), tower.grid
    ((2, 64), (4, 4))
    """
    name, source = config.name, config.name.removeprefix("hf:")
    if name.startswith("hf:"):
        changes = {} if pretrained else {"image_size": config.size[0]}
        architecture = hub.read_architecture(
            source, part="vision_config", changes=changes, local_files_only=local_files_only
        )
        config = replace(config, name="hf", architecture=architecture)
    tower = ImageTower(config)
    if not pretrained:
        return tower
    if name.startswith("hf:"):
        net = hub.pretrained(source, part="vision_config", local_files_only=local_files_only)
        tower.backbone.net.load_state_dict(net.state_dict())
        tower.config = replace(config, weights=hub.shown(source))
    elif name in weights.IMAGE:
        weights.load_packaged(tower.backbone.net, name)
        tower.config = replace(config, weights=name)
    elif name.startswith(("timm:", "open_clip:")):
        extras.load_published(tower.backbone.net, name)
        tower.config = replace(config, weights=name)
    return tower
