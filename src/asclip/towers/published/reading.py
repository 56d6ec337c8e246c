"""A file, a folder or a hub id -> tensors under their official names.

safetensors are preferred. Pickles are opened with `weights_only=True` alone, so that nothing in
them can run; a file that needs more is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.towers.checkpoint import file_digest, is_pickle, read_json, read_tensors

WEIGHTS = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
BESIDE = (
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar")
_HUB = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`tensors` by official key, the name and SHA-256 of their file, the folder it lies in."""

    tensors: dict[str, Tensor]
    file: str
    sha256: str
    folder: Path

    def config(self, name: str) -> dict[str, Any]:
        """A JSON file beside the weights; ModelError where there is none."""
        if not (self.folder / name).is_file():
            raise ModelError(
                f"{name} must lie beside {self.file}, it says what the weights do not; give the "
                "whole folder"
            )
        return read_json(self.folder / name)


def locate(source: str, names: Sequence[str] = WEIGHTS, *, refused: str = "") -> Path:
    """The weights file of a file, a folder or a hub id; `refused` is added where there is none.

    Of a folder or a hub id the first of `names` is taken, of a folder also its only weights file.
    """
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        return _in_folder(path, names)
    found = [_cached(source, name) for name in names] if _HUB.fullmatch(source) else []
    weights = next((one for one in found if one is not None), None)
    if weights is None:
        shown = source if _HUB.fullmatch(source) else path.name
        raise ModelError(
            f"{shown!r} must be a weights file, a folder with one, or a hub id that this machine "
            f"can reach, with {' or '.join(names)}{refused}"
        )
    for name in BESIDE:
        _cached(source, name)
    return weights


def _in_folder(folder: Path, names: Sequence[str]) -> Path:
    known = [folder / name for name in names if (folder / name).is_file()]
    others = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if known or len(others) == 1:
        return (known or others)[0]
    told = f"it has {', '.join(path.name for path in others[:4])}" if others else "it has none"
    raise ModelError(
        f"{folder.name}/ must hold {' or '.join(names)}, or one weights file; {told}; give the file"
    )


def _cached(source: str, name: str) -> Path | None:
    """A file of a hub repository, fetched if need be; None where it cannot be had."""
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(
            source,
            name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
    except OSError:
        return None
    return None if found is None else Path(found)


def read(
    path: Path,
    *,
    inside: Sequence[str] = (),
    strip: Sequence[str] = (),
    sha256: str | None = None,
) -> Checkpoint:
    """The tensors of a file.

    `inside` are keys under which a training checkpoint keeps them, `strip` prefixes that are taken
    away where all keys have them. ModelError when the file has not the SHA-256 that is asked for.
    """
    digest = file_digest(path)
    if sha256 and digest != sha256.lower():
        raise ModelError(
            f"{path.name} must have the SHA-256 {sha256[:12]}..., it has {digest[:12]}...; the "
            "file is damaged, or another version; get it again, or say which with --sha256"
        )
    held = _open(path)
    for key in inside:
        held = held[key] if isinstance(held.get(key), dict) else held
    odd = next((key for key, value in held.items() if not isinstance(value, Tensor)), None)
    if odd is not None or not held:
        told = "it is empty" if odd is None else f"under {odd!r} is a {type(held[odd]).__name__}"
        raise ModelError(
            f"{path.name} must hold weights by their names, at the top or in "
            f"{', '.join(inside) or 'nothing else'}; {told}"
        )
    for prefix in strip:
        if all(key.startswith(prefix) for key in held):
            held = {key.removeprefix(prefix): value for key, value in held.items()}
    return Checkpoint(held, path.name, digest, path.parent)


def _open(path: Path) -> dict[str, Any]:
    if not is_pickle(path):
        return dict(read_tensors(path))
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # any: torch reads a damaged file as if it were a pickle
        reason = str(error).strip().partition("\n")[0].partition(".")[0]
        raise ModelError(
            f"{path.name} is damaged, or holds more than weights and opening it could run code "
            f"({reason}); where it can be trusted, save its state dict as safetensors and give "
            "that file"
        ) from None
    if not isinstance(held, dict):
        raise ModelError(
            f"{path.name} must hold a dictionary of weights, got a {type(held).__name__}"
        )
    return held
