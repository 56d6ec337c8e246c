"""The files of a data set other than its pixels, each written in one step."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asclip.data import atomic
from asclip.data.pixels import PIXEL_FILE
from asclip.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame

FORMAT = 1
INFO_FILE = "dataset.json"
TABLES = ("studies.parquet", "images.parquet")
QUARANTINE_FILE = "quarantine.csv"
CONFLICTS_FILE = "conflicts.csv"


def write_list(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A CSV (UTF-8) of `rows`, readable by its owner only: names of files may hold an id."""
    import pandas as pd

    text = pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False)
    atomic.write(path, text.encode("utf-8", "backslashreplace"), private=True)


def write_tables(out: Path, frames: Mapping[str, DataFrame]) -> dict[str, str]:
    """Name -> sha256 of the Parquet files that were written."""
    result = {}
    for name, frame in frames.items():
        buffer = io.BytesIO()
        frame.to_parquet(buffer, engine="pyarrow", index=False, compression="zstd")
        atomic.write(out / f"{name}.parquet", buffer.getvalue())
        result[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    return result


def write_info(out: Path, info: Mapping[str, Any]) -> None:
    """dataset.json, last of all: with it the data set is whole."""
    text = json.dumps(info, indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write(out / INFO_FILE, text.encode("utf-8", "backslashreplace") + b"\n")


def relative(root: Path, out: Path) -> str:
    """`root` as seen from `out`, so that dataset.json has no path of this machine."""
    return Path(os.path.relpath(root, os.path.realpath(out))).as_posix()


def remove(out: Path) -> None:
    """Remove everything that an ingest made, except the journal and the key."""
    for name in (INFO_FILE, *TABLES, QUARANTINE_FILE, CONFLICTS_FILE, PIXEL_FILE):
        (out / name).unlink(missing_ok=True)


def read_info(root: Path) -> dict[str, Any]:
    """dataset.json of the folder `root`.

    Raises:
        DataError: it is not there, damaged, or of another format.
    """
    path = root / INFO_FILE
    if not path.is_file():
        raise DataError(
            f"{root} must hold a data set ({INFO_FILE} is not there); make one with: "
            f"asclip ingest TABLE --out {root}"
        )
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        found = info.get("format")
    except (ValueError, AttributeError):
        raise DataError(f"{path} must be JSON and is damaged; run asclip ingest again") from None
    if found != FORMAT:
        raise DataError(
            f"{root} must be a data set of format {FORMAT}, got {found}; ingest it again with this "
            "version of Asclip"
        )
    return info
