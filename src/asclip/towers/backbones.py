"""Image backbones behind one interface: pixels -> raw `Encoded`.

Every backbone gives a token grid `local` [B, N, F] and a summary `pooled`; of volumes the grid is
(d, h, w), row by row within slice by slice:

    summary "both"     [B, 2 F]: the class token and the mean over patches (transformers that have
                       one), or mean and maximum over the grid
    summary "first"    [B, F]: the first token, be it a class token or not
    summary "average"  [B, F]: the mean over the grid
    summary "head"     [B, F]: the network's own attention pooling (SigLIP)
    summary "moments"  [B, 3 F]: mean, maximum and standard deviation over the grid (textures)

"first", "average" and "head" are what published models have. `spread` writes each local vector in
the space of the summary, so that one projection serves both and phrases can be located on an image
even when the objective saw only pooled vectors.
"""

from __future__ import annotations

import math
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from asclip.errors import ModelError, nearest
from asclip.towers import extras
from asclip.towers.convnet import ConvNet
from asclip.towers.scattering import SCALES, Scattering
from asclip.towers.volume import VOLUMES, VolumeNet
from asclip.types import Encoded

SUMMARIES = {"both": 2, "first": 1, "average": 1, "head": 1, "moments": 3}  # F times what
CONVNETS: dict[str, dict[str, Any]] = {
    "micro": {"widths": (16, 32, 64, 128), "depths": (1, 1, 1, 2), "stem": 8},
    "tiny": {"widths": (32, 64, 128, 256), "depths": (1, 1, 1, 2), "stem": 16},
    "small": {"widths": (48, 96, 192, 384), "depths": (1, 2, 2, 2), "stem": 24},
    "base": {"widths": (64, 128, 256, 512), "depths": (2, 2, 4, 2), "stem": 32},
}

FIXED = "scattering"
"""The image tower that learns nothing but its projection; its features can always be cached."""

# Norms that these transformers networks apply to their summary alone; here to every local vector.
_LAST_NORMS = {"convnext": "layernorm", "clip_vision_model": "post_layernorm"}


SMALLEST = 32  # rows and columns: our own networks halve them five times
# What to do with images that have an axis too many or too few.
TO_VOLUMES = (
    "for volumes choose a 3-D tower (--image-tower tiny-3d), or ingest single slices (--size 224)"
)
TO_PICTURES = (
    "for pictures choose a 2-D tower (--image-tower tiny), or ingest volumes (--size 32x64x64)"
)


class Backbone(nn.Module):
    """A network and how to read its output; `channels` is what it takes.

    `features` is the width of the raw summary, `local_features` that of a local vector (F),
    `grid` the rows and columns of the local vectors (of volumes slices, rows and columns) at the
    `size` (H, W) or (Z, H, W) it was built for.
    """

    def __init__(
        self, net: nn.Module, channels: int, size: tuple[int, ...], summary: str = "both"
    ) -> None:
        super().__init__()
        if summary not in SUMMARIES or (summary == "head" and not hasattr(net, "head")):
            raise ModelError(
                f"this image backbone has no summary {summary!r}; {nearest(summary, [*SUMMARIES])}"
            )
        self.net = net
        self.summary = summary
        self.channels = channels
        self.axes = len(size)
        self.has_class_token = False
        self.options = _options(net, size)
        kind = getattr(getattr(net, "config", None), "model_type", "")
        norm = getattr(net, _LAST_NORMS.get(kind, ""), None)
        # A list, so that the module is not registered a second time.
        self.last_norm = [norm] if isinstance(norm, nn.LayerNorm) else []
        with torch.no_grad():
            training = net.training
            net.eval()
            tokens = self._tokens(torch.zeros(1, channels, *size))
            net.train(training)
        self.grid, self.has_class_token = _layout(tokens, size, net)
        self.local_features = int(tokens.shape[-1])
        self.features = self.local_features * SUMMARIES[summary]

    def _tokens(self, x: Tensor) -> Tensor:
        out = self.net(x, **self.options)
        tokens = out if isinstance(out, Tensor) else out.last_hidden_state
        if tokens.ndim == 2 + self.axes:
            tokens = tokens.movedim(1, -1)  # [B, (d,) h, w, F]
        for norm in self.last_norm:
            tokens = norm(tokens)
        return tokens

    def forward(self, x: Tensor, *, local: bool = True) -> Encoded:
        """Raw features of pixels [B, C, H, W], for a 3-D network of volumes [B, C, Z, H, W].

        One channel is repeated where three are needed.
        """
        if x.ndim != 2 + self.axes:
            takes = "[B, C, H, W]" if self.axes == 2 else "[B, C, Z, H, W]"
            way = TO_VOLUMES if self.axes == 2 else TO_PICTURES
            raise ModelError(
                f"a {self.axes}-D image tower takes {takes}, got {tuple(x.shape)}; {way}"
            )
        if x.shape[1] == 1 and self.channels == 3:
            x = x.expand(-1, 3, -1, -1)
        if x.shape[1] != self.channels:
            raise ModelError(
                f"the image tower takes {self.channels} channels, got {x.shape[1]}; "
                "ingest with channels=1 or build the tower with the channels of the data"
            )
        if self.axes == 2:
            x = x.contiguous(memory_format=torch.channels_last)
        tokens = self._tokens(x)
        first: Tensor | None = None
        if tokens.ndim > 3:
            tokens = tokens.flatten(1, -2)
        elif self.has_class_token:
            extra = tokens.shape[1] - math.prod(self.grid)
            first, tokens = tokens[:, 0], tokens[:, extra:]
        return Encoded(self._sum_up(tokens, first), tokens if local else None)

    def _sum_up(self, tokens: Tensor, first: Tensor | None) -> Tensor:
        if self.summary == "head":
            return self.net.head(tokens)  # pyright: ignore[reportCallIssue]
        if self.summary == "first":
            return tokens[:, 0] if first is None else first
        average = tokens.mean(1)
        if self.summary == "average":
            return average
        if self.summary == "moments":
            return torch.cat([average, tokens.amax(1), tokens.std(1, correction=0)], 1)
        return torch.cat([average, tokens.amax(1)] if first is None else [first, average], 1)

    def spread(self, raw: Encoded) -> Tensor:
        """Local vectors [B, N, F] written as summaries [B, N, `features`].

        Under "head" each is pooled as if it were the whole image; under "moments" each is mean and
        maximum, and the deviation is that of the image.
        """
        assert raw.local is not None
        if self.summary == "head":
            alone = raw.local.flatten(0, 1)[:, None]
            return self.net.head(alone).unflatten(0, raw.local.shape[:2])  # pyright: ignore
        if self.summary == "moments":
            whole = raw.pooled[:, None, 2 * self.local_features :].expand_as(raw.local)
            return torch.cat([raw.local, raw.local, whole], -1)
        if self.summary != "both":
            return raw.local
        if not self.has_class_token:
            return torch.cat([raw.local, raw.local], -1)
        first = raw.pooled[:, None, : self.local_features].expand_as(raw.local)
        return torch.cat([first, raw.local], -1)


def _options(net: nn.Module, size: tuple[int, ...]) -> dict[str, bool]:
    """Position embeddings of transformers made for another image size are interpolated."""
    made_for = getattr(getattr(net, "config", None), "image_size", size)
    made_for = (made_for, made_for) if isinstance(made_for, int) else tuple(made_for)
    able = "interpolate_pos_encoding" in signature(net.forward).parameters
    return {"interpolate_pos_encoding": True} if able and made_for != tuple(size) else {}


def _layout(tokens: Tensor, size: tuple[int, ...], net: nn.Module) -> tuple[tuple[int, ...], bool]:
    """The grid, and whether class (or register) tokens come before it."""
    if tokens.ndim > 3:
        return tuple(int(count) for count in tokens.shape[1:-1]), False
    count = int(tokens.shape[1])
    patch = getattr(getattr(net, "config", None), "patch_size", None)
    if isinstance(patch, int):
        rows, columns = size[0] // patch, size[1] // patch
        if 0 <= count - rows * columns <= 16:
            return (rows, columns), count > rows * columns
    side = math.isqrt(count)
    if side * side == count:
        return (side, side), False
    side = math.isqrt(count - 1)
    if side * side == count - 1:
        return (side, side), True
    raise ModelError(f"cannot arrange {count} tokens of this backbone on a grid; use another")


def build_image_backbone(
    name: str,
    *,
    channels: int,
    size: tuple[int, ...],
    architecture: dict[str, Any] | None,
    summary: str = "both",
) -> Backbone:
    """A backbone with random weights; `architecture` is what `describe` gave (transformers)."""
    _check(name, size)
    net, takes = _network(name, channels, size, architecture)
    return Backbone(net, takes, size, summary)


def _network(
    name: str, channels: int, size: tuple[int, ...], architecture: dict[str, Any] | None
) -> tuple[nn.Module, int]:
    """The network, and the channels that it takes."""
    if name in CONVNETS:
        return ConvNet(channels, **CONVNETS[name]), channels
    if name in VOLUMES:
        return VolumeNet(channels, **VOLUMES[name]), channels
    if name == FIXED:
        return Scattering(channels, (size[0], size[1])), channels
    if name == "efficientnet-lite0":
        from asclip.towers.efficientnet import EfficientNetLite0

        return EfficientNetLite0(), 3
    if name == "hf":
        from asclip.towers.hub import model_from_architecture

        net = model_from_architecture(architecture or {})
        return net, int(getattr(net.config, "num_channels", 3))
    if name.startswith("timm:"):
        return extras.timm_network(name, channels, size), channels
    return extras.open_clip_network(name), 3


def _check(name: str, size: tuple[int, ...]) -> None:
    """Raise ModelError for a name that no tower has, and for a tower of other images."""
    named = [*CONVNETS, *VOLUMES, FIXED, "efficientnet-lite0"]
    if name not in (*named, "hf") and not name.startswith(("timm:", "open_clip:")):
        known = [*named, "hf:ORG/NAME", "timm:NAME", "open_clip:ARCH/TAG"]
        raise ModelError(f"no image tower is called {name!r}; {nearest(name, known)}")
    if name in (*CONVNETS, *VOLUMES, FIXED) and min(size[-2:]) < SMALLEST:
        raise ModelError(
            f"image tower {name!r} takes images of at least {SMALLEST} rows and columns, got "
            f"{' x '.join(map(str, size))}; ingest with a larger --size"
        )
    axes = 3 if name in VOLUMES else 2
    if len(size) != axes:
        takes, way = ("volumes", TO_PICTURES) if axes == 3 else ("pictures", TO_VOLUMES)
        raise ModelError(
            f"image tower {name!r} takes {takes}, and the images are "
            f"{' x '.join(map(str, size))}; {way}"
        )
    step = 2**SCALES
    if name == FIXED and any(length % step for length in size):
        raise ModelError(
            f"image tower {name!r} takes rows and columns in multiples of {step}, got "
            f"{' x '.join(map(str, size))}; ingest with --size {round(size[-1] / step) * step}"
        )
