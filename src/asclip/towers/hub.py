"""Backbones of `transformers`: from a hub id or a local folder, or from a saved architecture.

A saved model holds the architecture (the configuration as a dictionary, without names and paths)
and its own weights, so loading it asks neither the hub nor the folder it came from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asclip.errors import ModelError

# Not needed to build the network, and they would carry paths, names or the label lists of others.
_DROP = (
    "_name_or_path",
    "transformers_version",
    "architectures",
    "id2label",
    "label2id",
    "torch_dtype",
    "dtype",
)


def model_from_architecture(architecture: dict[str, Any]) -> Any:
    """The network of a saved architecture, random weights; no network access, no file."""
    net = _trim(_built(architecture))
    embeddings = getattr(net, "embeddings", None)
    if isinstance(embeddings, nn.Module):
        embeddings.register_forward_hook(_lower)
    return net


def with_weights(architecture: dict[str, Any], tensors: dict[str, Tensor], what: str) -> Any:
    """The network of an architecture with `tensors`, named as checkpoints of the hub name them.

    Raises ModelError unless every key and shape fits, poolers that no tower reads aside.
    """
    built = _built(architecture)
    with _quiet():
        net, info = type(built).from_pretrained(
            None,
            config=built.config,
            state_dict=tensors,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    problems = [
        f"{len(keys)} weights {told}, first {keys[0]!r}"
        for told, keys in (
            ("are missing", sorted(key for key in info["missing_keys"] if not _spare(key))),
            ("are not of this architecture", sorted(info["unexpected_keys"])),
            ("have another shape", sorted(key for key, *_ in info["mismatched_keys"])),
        )
        if keys
    ]
    if problems:
        raise ModelError(
            f"{what} does not fit: {'; '.join(problems)}; load the weights of this model"
        )
    return _trim(net.float())


def _spare(key: str) -> bool:
    """Whether a network may do without this key of a checkpoint."""
    return "pooler" in key or key.endswith("num_batches_tracked")


def _built(architecture: dict[str, Any]) -> Any:
    import transformers

    if "model_type" not in architecture:
        raise ModelError("a transformers tower needs its architecture with a 'model_type'")
    config = transformers.AutoConfig.for_model(**architecture)
    if config.model_type == "siglip_text_model":  # the only tower that AutoModel does not know
        return transformers.SiglipTextModel(config)  # pyright: ignore[reportArgumentType]
    return transformers.AutoModel.from_config(config)


def read_architecture(
    source: str, *, part: str, changes: dict[str, Any], local_files_only: bool
) -> dict[str, Any]:
    """The configuration of a hub id or folder as a dictionary that builds the same network.

    `part` is "vision_config" or "text_config": taken when `source` is itself a pair of towers
    (CLIP, SigLIP). `changes` replace fields that the configuration has (image_size, ...).
    """
    config = _read_config(source, part, local_files_only)
    for name, value in changes.items():
        if hasattr(config, name):
            setattr(config, name, value)
    kept = {k: v for k, v in config.to_dict().items() if k not in _DROP}
    return {"model_type": config.model_type, **kept}


def pretrained(source: str, *, part: str, local_files_only: bool) -> Any:
    """The network with the weights of a hub id or folder.

    Raises ModelError when it cannot be read, or when a weight that the network uses is absent.
    """
    from transformers import AutoModel

    config = _read_config(source, part, local_files_only)
    with _quiet():
        try:
            net, info = AutoModel.from_pretrained(
                source,
                config=config,
                local_files_only=local_files_only,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(_why(source, error)) from None
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    if missing:
        raise ModelError(
            f"{shown(source)!r} lacks {len(missing)} weights of its own architecture, first "
            f"{missing[0]!r}; use a complete checkpoint, or pretrained=False for random weights"
        )
    return _trim(net.float())


def recorded_statistics(
    source: str, *, local_files_only: bool
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """(mean, std) per channel in the preprocessor_config.json of a hub id or folder, else None."""
    from transformers.utils.hub import cached_file

    try:
        path = cached_file(
            source,
            "preprocessor_config.json",
            local_files_only=local_files_only,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    except OSError:
        path = None
    if path is None:
        return None
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    if not values.get("image_mean") or not values.get("image_std"):
        return None
    return tuple(map(float, values["image_mean"])), tuple(map(float, values["image_std"]))


def _read_config(source: str, part: str, local_files_only: bool) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(source, local_files_only=local_files_only)
    except (OSError, ValueError) as error:
        raise ModelError(_why(source, error)) from None
    return getattr(config, part, config)


def _lower(module: nn.Module, inputs: Any, out: Any) -> Any:
    """Under autocast, embeddings in its dtype, so that the residual stream is in it as well.

    Position embeddings in float32 would make every addition and norm behind them float32, too:
    a sixth of a step on CPU cores, for digits that the next matrix product rounds off.
    """
    if isinstance(out, Tensor) and torch.is_autocast_enabled(out.device.type):
        return out.to(torch.get_autocast_dtype(out.device.type))
    return out


def _trim(net: Any) -> Any:
    """Without the parts whose output no tower reads, so that every parameter has a gradient."""
    pooler = getattr(net, "pooler", None)
    if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
        net.pooler = None
    if getattr(net.config, "model_type", "") == "siglip_text_model":
        inner = getattr(net, "text_model", net)
        inner.head = nn.Identity()  # a linear map: the tower's own projection stands for it
    for name, parameter in net.named_parameters():
        if name.endswith("mask_token"):
            parameter.requires_grad_(False)
    return net


def shown(source: str) -> str:
    """A hub id as it is, of a folder only its name: messages and files carry no paths."""
    return Path(source).name if Path(source).exists() or source.startswith(("/", ".")) else source


def _why(source: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    reason = reason.replace(source, shown(source))
    return (
        f"{shown(source)!r} cannot be read as a transformers model ({reason}); give a hub id that "
        "this machine can reach, or a folder with config.json and model.safetensors"
    )


class _quiet:
    """Silence transformers' progress bars and its notes on unused heads while loading."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.level = logging.get_verbosity()
        self.bar = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.level)
        if self.bar:
            logging.enable_progress_bar()
