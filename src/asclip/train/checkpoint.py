"""The state of a run on disk: written whole or not at all, read without running any code."""

from __future__ import annotations

import csv
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from asclip.errors import MissingExtra, ModelError, ResourceError


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; a kill at any moment leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # and an interruption while it writes, too
        raise ResourceError(
            f"a checkpoint must fit on the disk of {path.parent.name}/; writing failed ({error}); "
            "free some space and run the same command again: it goes on from the last checkpoint"
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint with `weights_only=True`: a file that would run code is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on unusual pickles; they are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path.name} must hold tensors and plain values only; it holds code or another class "
            "and was not loaded; do not trust it, or convert it to safetensors where it was made"
        ) from error
    except Exception as error:  # any: torch reads a damaged file as if it were a pickle
        raise ModelError(
            f"{path.name} must be a whole checkpoint; it cannot be read "
            f"({str(error).strip().splitlines()[0] if str(error).strip() else 'cut off'}); "
            "delete it, or start over with --fresh"
        ) from error


def trim_rows(path: Path, step: int) -> None:
    """Drop rows of a metrics.csv that are later than `step`: the run goes on from there."""
    if not path.exists():
        return
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        whole = (row for row in reader if None not in row.values())  # a kill can cut a line
        rows = [row for row in whole if int(row["step"]) <= step]
        names = reader.fieldnames or []
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, path)


class Log:
    """metrics.csv, one row at a time, flushed; TensorBoard beside it where it is installed."""

    def __init__(self, folder: Path, columns: list[str], *, board: bool = False) -> None:
        self.path, self.columns = folder / "metrics.csv", columns
        fresh = not self.path.exists()
        self.file = self.path.open("a", newline="")
        self.writer = csv.DictWriter(self.file, columns, restval="")
        if fresh:
            self.writer.writeheader()
        self.board = _board(folder) if board else None

    def write(self, row: dict[str, float]) -> None:
        """Append a row; unknown columns are an error of ours, missing ones stay empty."""
        self.writer.writerow({k: f"{v:.6g}" if k != "step" else int(v) for k, v in row.items()})
        self.file.flush()
        if self.board is not None:
            for name, value in row.items():
                if name != "step":
                    self.board.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self.board is not None:
            self.board.close()


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise MissingExtra("track", "tensorboard logs") from None
    return SummaryWriter(str(folder / "tensorboard"))
