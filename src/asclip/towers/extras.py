"""Backbones of timm and open_clip, where those extras are installed.

Architectures only, with random weights; `load_published` then fetches and copies published ones,
so that a saved model can be rebuilt without a network.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor, nn

from asclip.errors import MissingExtra, ModelError


def _import(module: str, extra: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(extra, what) from None
    except RuntimeError as error:
        # A torchvision whose compiled operators do not match this torch fails at import.
        raise ModelError(
            f"{module} is installed but does not import here ({error}); "
            "install the torchvision that belongs to this torch"
        ) from None


def timm_network(name: str, channels: int, size: tuple[int, ...]) -> nn.Module:
    """The feature network of `timm:NAME`, random weights; output [B, F, h, w] or [B, N, F]."""
    return _Timm(_create_timm(name, channels, size, pretrained=False))


def _create_timm(name: str, channels: int, size: tuple[int, ...], *, pretrained: bool) -> Any:
    timm = _import("timm", "timm", "timm backbones")
    options: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0, "in_chans": channels}
    try:
        return timm.create_model(name[5:], img_size=size, **options)
    except TypeError:  # convolutional networks have no img_size
        return timm.create_model(name[5:], **options)
    except RuntimeError as error:
        raise ModelError(f"timm has no such model: {error}") from None


class _Timm(nn.Module):
    """timm's `forward_features`, with channels first for four-dimensional maps."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        features = self.model.forward_features(x)
        if features.ndim == 4 and features.shape[-1] == self.model.num_features:
            features = features.permute(0, 3, 1, 2)  # Swin and its kin are channels-last
        return features


def open_clip_network(name: str) -> nn.Module:
    """The visual tower of `open_clip:ARCH/TAG`, random weights; output tokens [B, N, F]."""
    return _OpenClip(_create_open_clip(name, pretrained=False))


def _create_open_clip(name: str, *, pretrained: bool) -> Any:
    open_clip = _import("open_clip", "openclip", "open_clip backbones")
    architecture, _, tag = name[10:].partition("/")
    try:
        return open_clip.create_model(architecture, pretrained=tag if pretrained else None).visual
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"open_clip cannot build {name!r}: {error}") from None


class _OpenClip(nn.Module):
    """Patch tokens of an open_clip visual transformer, class token first."""

    def __init__(self, visual: Any) -> None:
        super().__init__()
        if not hasattr(visual, "forward_intermediates"):
            raise ModelError("this open_clip tower gives no patch tokens; use a ViT architecture")
        self.visual = visual

    def forward(self, x: Tensor) -> Tensor:
        import torch

        out = self.visual.forward_intermediates(
            x, indices=1, normalize_intermediates=True, output_extra_tokens=True, output_fmt="NLC"
        )
        patches = out["image_intermediates"][-1]
        prefix = out.get("image_intermediates_prefix")
        return patches if prefix is None else torch.cat([prefix[-1], patches], 1)


def load_published(net: nn.Module, name: str) -> None:
    """Copy the published weights of `name` into a network that this module built."""
    if isinstance(net, _Timm):
        channels = next(net.parameters()).shape[1]
        size = getattr(net.model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))[1:]
        source: Any = _create_timm(name, int(channels), tuple(size), pretrained=True)
        net.model.load_state_dict(source.state_dict())
    elif isinstance(net, _OpenClip) and name.partition("/")[2]:
        net.visual.load_state_dict(_create_open_clip(name, pretrained=True).state_dict())
