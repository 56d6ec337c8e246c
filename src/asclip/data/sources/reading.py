"""A table file of any kind -> its columns as lists of strings.

CSV, TSV and TXT (any delimiter out of comma, semicolon, tab, bar; quoted line breaks; cells of any
length), Parquet, JSON Lines; CSV and JSON Lines also gzipped. Nothing is guessed about types: a
missing value is '', a list in a Parquet or JSON cell stays a list.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from asclip.data.sources.encoding import decode, sniff
from asclip.errors import DataError, ResourceError

Cell = str | list[str]

PARQUET = (".parquet", ".pq")
JSON_LINES = (".jsonl", ".ndjson")
TEXT = (".csv", ".tsv", ".txt", ".tab")


@dataclass(slots=True)
class RawTable:
    """A table file whose header is known; `load` reads the wanted columns.

    `columns` in the file's order, `digest` the sha256 of its bytes, `notes` what was decided
    (encoding, delimiter).
    """

    path: Path
    columns: tuple[str, ...]
    digest: str
    notes: list[str] = field(default_factory=list)
    text: str = ""
    delimiter: str = ","

    def load(self, columns: Sequence[str]) -> dict[str, list[Cell]]:
        """The named columns as equally long lists; other columns are never kept.

        Raises:
            DataError: rows that do not fit the header, a quote that never closes, broken JSON.
        """
        if self.path.suffix.lower() in PARQUET:
            frame = _parquet(self.path, columns)
            return {name: [cell(value) for value in frame[name]] for name in columns}
        if _kind(self.path) in JSON_LINES:
            rows = _json_rows(self.text, self.path.name)
            return {name: [cell(row.get(name)) for row in rows] for name in columns}
        return self._delimited(columns)

    def _delimited(self, columns: Sequence[str]) -> dict[str, list[Cell]]:
        import pandas as pd

        with warnings.catch_warnings():
            # pandas drops the fields of rows that are longer than the header: with only a warning
            # here, and without any word if it is told the columns to read.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            try:
                frame = pd.read_csv(
                    io.StringIO(self.text),
                    sep=self.delimiter,
                    dtype=str,
                    na_filter=False,
                    engine="c",
                    index_col=False,
                )
            except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
                raise DataError(
                    f"{self.path.name}: each row must have the {len(self.columns)} fields of the "
                    f"header and each quote must close; {_reason(error)}. Quote the cells that "
                    f"hold the delimiter {self.delimiter!r}, or save the table as Parquet"
                ) from None
        return {name: [str(value).strip() for value in frame[name].tolist()] for name in columns}


def open_table(path: Path) -> RawTable:
    """The header of a table file, with its encoding and delimiter settled.

    Raises:
        DataError: no such file, an unknown kind, an empty table, an encoding that cannot be read,
            a column name that appears twice.
    """
    if not path.is_file():
        raise DataError(f"the table must be a file; there is none at {path}")
    kind = _kind(path)
    if kind not in (*PARQUET, *JSON_LINES, *TEXT):
        raise DataError(
            f"{path.name}: a table is .csv, .tsv, .parquet or .jsonl, got {path.suffix!r}; "
            "export a spreadsheet as CSV (UTF-8)"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path.name} cannot be read: {error.strerror}") from None
    digest = sha256(data).hexdigest()
    if kind in PARQUET:
        return RawTable(path, _parquet_columns(path), digest)
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    text, notes = decode(data, path.name)
    if kind in JSON_LINES:
        names = dict.fromkeys(key for row in _json_rows(text, path.name) for key in row)
        return RawTable(path, tuple(names), digest, notes, text)
    delimiter = "\t" if kind in (".tsv", ".tab") else sniff(text)
    if delimiter != "," and kind == ".csv":
        notes.append(f"the delimiter is {delimiter!r}")
    return RawTable(path, _header(text, delimiter, path.name), digest, notes, text, delimiter)


def _header(text: str, delimiter: str, name: str) -> tuple[str, ...]:
    import pandas as pd

    row = pd.read_csv(
        io.StringIO(text), sep=delimiter, dtype=str, na_filter=False, header=None, nrows=1
    )
    columns = tuple(str(value) for value in row.iloc[0])
    twice = sorted(column for column, count in Counter(columns).items() if count > 1 and column)
    if twice:
        raise DataError(
            f"{name}: each column name must appear once, got {twice[0]!r} more than once; "
            "rename one of them in the header"
        )
    return columns


def cell(value: Any) -> Cell:
    """One cell as a stripped string: missing is '', 3.0 is '3', a list is a list of strings.

    >>> cell(3.0), cell(float("nan")), cell(True), cell(["a", 2])
    ('3', '', '1', ['a', '2'])
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\0", "").strip()
    if isinstance(value, bool):
        return "1" if value else "0"
    if hasattr(value, "tolist") and not isinstance(value, bytes):
        value = value.tolist()
        if not isinstance(value, list):
            return cell(value)
    if isinstance(value, list | tuple):
        return [part for part in (str(cell(item)) for item in value) if part]
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else repr(value)
    text = str(value).strip()
    return "" if text in ("NaT", "<NA>") else text


def _kind(path: Path) -> str:
    suffixes = [part.lower() for part in path.suffixes[-2:]]
    return suffixes[0] if suffixes[-1:] == [".gz"] else (suffixes or [""])[-1]


def _reason(error: Exception) -> str:
    return str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")


def _json_rows(text: str, name: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{name}: each line must be one JSON object; line {number} is not: {error.msg}"
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"{name}: each line must be one JSON object; line {number} is not")
        rows.append(row)
    return rows


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        raise DataError(f"{path.name}: not a readable Parquet file; write it again") from None


def _parquet(path: Path, columns: Sequence[str]) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    return pq.read_table(path, columns=list(columns)).to_pydict()
