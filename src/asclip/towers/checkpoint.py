"""Weights on disk and in dictionaries: strict loading, JSON configurations, atomic writing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from asclip.errors import ModelError

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")


def read_config(cls: type[Any], values: dict[str, Any]) -> Any:
    """A dataclass from JSON values; an unknown field is a ModelError that names it."""
    unknown = sorted(set(values) - set(cls.__dataclass_fields__))
    if unknown:
        raise ModelError(
            f"{cls.__name__} has no field {unknown[0]!r}; the model was written by a newer Asclip, "
            "update it"
        )
    return cls(**values)


def check_keys(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Raise ModelError naming the first missing, extra or misshapen tensor; else nothing."""
    expected = module.state_dict()
    missing = [key for key in expected if key not in tensors]
    extra = [key for key in tensors if key not in expected]
    problems = []
    if missing:
        problems.append(f"{len(missing)} weights are missing, first {missing[0]!r}")
    if extra:
        problems.append(f"{len(extra)} are not of this architecture, first {extra[0]!r}")
    for key in expected:
        if key in tensors and tensors[key].shape != expected[key].shape:
            got, want = tuple(tensors[key].shape), tuple(expected[key].shape)
            problems.append(f"{key!r} has shape {got}, must have {want}")
            break
    if problems:
        raise ModelError(
            f"{what} does not fit: " + "; ".join(problems) + "; load the weights of this model"
        )


def load_strict(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Copy `tensors` into `module`; ModelError unless every key and shape fits."""
    check_keys(module, tensors, what)
    module.load_state_dict(dict(tensors), strict=True)


def save_tensors(module: nn.Module, path: Path) -> None:
    """Write the state of `module` as safetensors, atomically."""
    from safetensors.torch import save_file

    state = {key: value.detach().contiguous().cpu() for key, value in module.state_dict().items()}
    part = path.with_name(path.name + ".part")
    save_file(state, part)
    os.replace(part, path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_pickle(path: Path) -> bool:
    """Whether a file begins as pickles do, plain or in torch's archive."""
    with path.open("rb") as stream:
        head = stream.read(9)
    # A safetensors file begins with eight bytes, its header's length, and "{". The length can be
    # 128, which is 0x80 as at the start of a pickle.
    return head[:2] == b"PK" or (head[:1] == b"\x80" and head[8:] != b"{")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file; a pickle, or a damaged file, is a ModelError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix in _PICKLES:
        raise ModelError(
            f"{path.name} is a pickle, which can run code when it is opened, so Asclip does not "
            "open it; give a .safetensors file"
        )
    if not path.is_file():
        beside = sorted(p.name for p in path.parent.glob("*") if p.suffix in _PICKLES)
        hint = f"; {beside[0]} is a pickle and is not opened" if beside else ""
        raise ModelError(f"{path.name} is not in the model folder{hint}")
    if is_pickle(path):
        raise ModelError(
            f"{path.name} is a pickle under another name, which can run code when it is opened, "
            "so Asclip does not open it; give a true safetensors file"
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path.name} is not a readable safetensors file ({error})") from None


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write JSON with two spaces of indent, atomically."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; absent or broken is a ModelError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path.name} is not in the folder; give a folder that `asclip pretrain` wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path.name} must hold a JSON object")
    return values
