"""What `asclip compare` found, as a small table that the atlas shows.

`python -m asclip.literature.results compare.json src/asclip/literature/data/compare.csv` joins new
rows to it, in place of those of the same challenge and method. One row a challenge and method:
means over the leading measures of the challenge, and the difference to plain CLIP on the same texts
with its 95 % interval over seeds.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any

from asclip.errors import DataError
from asclip.literature.catalogue import rows, text_of

NUMBERS = ("mean", "baseline_mean", "difference", "low", "high", "steps")


@dataclass(frozen=True)
class Result:
    """One row; numbers that do not exist (the baseline has no difference) are NaN."""

    challenge: str
    method: str
    seeds: int
    mean: float
    baseline: str
    baseline_mean: float
    difference: float
    low: float
    high: float
    steps: float

    @property
    def recipe(self) -> str:
        """The method's recipe, without changed parameters."""
        return self.method.partition(":")[0]

    @property
    def verdict(self) -> str:
        """Where the interval has no zero: "better" or "worse", else "open"."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "open"


COLUMNS = tuple(field.name for field in fields(Result))


def summarise(found: Mapping[str, Any]) -> list[Result]:
    """The rows of a compare.json; a method that could not run has none.

    >>> one = {"challenge": "c", "measure": "m", "primary": True, "method": "clip", "mean": 0.5,
    ...        "seeds": [0], "values": [0.5], "baseline": ""}
    >>> other = one | {"method": "x", "mean": 0.75, "baseline": "clip", "difference": 0.25,
    ...                "low": 0.1, "high": 0.4}
    >>> [(r.method, r.baseline_mean, r.difference) for r in summarise({"table": [one, other]})]
    [('clip', nan, nan), ('x', 0.5, 0.25)]
    """
    leading: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in found["table"]:
        if row["primary"] and "error" not in row:
            leading.setdefault((row["challenge"], row["method"]), []).append(row)
    steps = taken(found.get("records", ()))
    results = []
    for (challenge, method), some in leading.items():
        first = some[0]
        apart = first.get("together", first)
        results.append(
            Result(
                challenge,
                method,
                len(first["seeds"]),
                mean(row["mean"] for row in some),
                first["baseline"],
                over(leading.get((challenge, first["baseline"]), ()), first["seeds"]),
                float(apart.get("difference", math.nan)),
                float(apart.get("low", math.nan)),
                float(apart.get("high", math.nan)),
                steps.get((challenge, method), math.nan),
            )
        )
    return results


def over(rows: Iterable[Mapping[str, Any]], seeds: Iterable[int]) -> float:
    """The mean of a method's leading measures over some of its seeds; NaN without any.

    A baseline may have run with more seeds than a method: only the shared ones are compared.
    """
    wanted = set(seeds)
    return mean(
        value
        for row in rows
        for seed, value in zip(row["seeds"], row["values"], strict=True)
        if seed in wanted
    )


def mean(values: Iterable[float]) -> float:
    """The mean; NaN of nothing."""
    every = list(values)
    return sum(every) / len(every) if every else math.nan


def taken(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """{(challenge, method): steps of its runs}, the mean over seeds."""
    found: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if "steps" in record.get("given", {}):
            key = record["challenge"], record["method"]
            found.setdefault(key, []).append(record["given"]["steps"])
    return {key: mean(some) for key, some in found.items()}


def write(results: Iterable[Result]) -> str:
    """The rows as CSV: four decimals, an empty cell for NaN."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results:
        row = asdict(result)
        writer.writerow(row | {key: number(row[key]) for key in NUMBERS})
    return text.getvalue()


def number(value: float) -> str:
    """A number in a cell.

    >>> number(0.25), number(math.nan), number(300.0)
    ('0.25', '', '300')
    """
    return "" if math.isnan(value) else f"{round(value, 4):g}"


def read(text: str, name: str = "compare.csv") -> list[Result]:
    """The rows of such a CSV; anything else is a `DataError` with its line."""
    found = []
    for where, row in rows(text, name):
        try:
            numbers = [float(row[key] or "nan") for key in NUMBERS]
            words = row["challenge"], row["method"], int(row["seeds"]), row["baseline"]
        except (KeyError, ValueError) as problem:
            must = f"the row must have numbers under {', '.join(NUMBERS)}"
            raise DataError(f"{where}: {must}; {problem}; write the table again") from None
        challenge, method, seeds, baseline = words
        first, *others = numbers
        found.append(Result(challenge, method, seeds, first, baseline, *others))
    return found


def load(path: Path | None = None) -> list[Result]:
    """The results of a compare.json, or without one those that come with the package.

    Raises:
        DataError: the file is not what `asclip compare` writes.
    """
    if path is None:
        return read(text_of("compare.csv"))
    try:
        return summarise(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(f"{path.name} must exist; it does not; run asclip compare first") from None
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        must = f"{path.name} must be a compare.json of asclip compare"
        raise DataError(f"{must}; got something else ({problem})") from None


def joined(known: Iterable[Result], found: Iterable[Result]) -> list[Result]:
    """Both, `found` in place of what is known of the same pair; challenges stay together."""
    every = {(one.challenge, one.method): one for one in (*known, *found)}
    order = list(dict.fromkeys(challenge for challenge, _ in every))
    return sorted(every.values(), key=lambda one: order.index(one.challenge))


if __name__ == "__main__":
    table = Path(sys.argv[2])
    before = read(table.read_text(encoding="utf-8"), table.name) if table.exists() else []
    table.write_text(write(joined(before, load(Path(sys.argv[1])))), encoding="utf-8")
