"""Which runs of a comparison stand in its table, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asclip.errors import AsclipError
from asclip.phantom import challenges
from asclip.recipes.compare_files import folder_of, hospital_of, read, told_of
from asclip.recipes.equal import BASELINE, baseline, differing
from asclip.recipes.paired import rows

ENOUGH = 3  # seeds with which a method stands in the table, even if more are asked for now


def table(
    out: Path,
    common: dict[str, Any],
    wanted: Sequence[str],
    seeds: Sequence[int],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """All that is in `out` and was made with these settings.

    A method stands in it with as many seeds that its baseline has, too, as were asked for, or
    `ENOUGH`.
    """
    paths = sorted(out.glob("runs/*/*/*/record.json"))
    found = {name: _about(out, name, seeds[0], say) for name in challenges.NAMES}
    about = {name: one for name, one in found.items() if one}
    records = [
        r
        for path, r in zip(paths, map(read, paths), strict=True)
        if r.get("common") == common
        and path.parent == folder_of(out, r["challenge"], r["method"], r["seed"])
        and r["challenge"] in about
        and ("error" in r or r.get("asked") == about[r["challenge"]]["measures"])
    ]
    methods = list(dict.fromkeys([*wanted, *(r["method"] for r in records)]))
    against: dict[str, str] = {}
    for method in methods:
        try:
            against[method] = "" if method == BASELINE else baseline(method, common)
        except AsclipError as error:  # of another version
            say(f"left out of the table, its runs stay: {error}")
    records = _of_today(out, common, [r for r in records if r["method"] in against], say)
    done: dict[str, dict[str, tuple[str, list[int]]]] = {}
    for name in about:
        have = {m: set[int]() for m in against}
        for record in records:
            failed = record["method"] == BASELINE and "error" in record
            if record["challenge"] == name and not failed:
                have[record["method"]].add(record["seed"])
        shared = {m: sorted(some & have.get(against[m], some)) for m, some in have.items()}
        least = min(len(seeds), ENOUGH)
        complete = {m: (against[m], s) for m, s in shared.items() if len(s) >= least}
        done |= {name: complete} if BASELINE in complete else {}
    return {
        "equal": common,
        "baseline": BASELINE,
        "challenges": {name: about[name] for name in done},
        "table": [
            row
            for name, some in done.items()
            for row in rows(out, name, about[name]["measures"], some)
        ],
        "records": [r for r in records if r["method"] in done.get(r["challenge"], ())],
    }


def _of_today(
    out: Path,
    common: dict[str, Any],
    records: Sequence[dict[str, Any]],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Those whose recipe has the same parameters now; seeds of two versions make no mean.

    Whose steps differ are of one version: they are counted on the hospital of the first seed.
    """
    kept, left = [], dict[str, list[set[str]]]()
    for one in records:
        recipe, given = told_of(out, common, (one["challenge"], one["method"], one["seed"]))
        # What could not even be begun has no parameters.
        other = differing(recipe, one, given) if "given" in one else set[str]()
        if other := other - {"seed", "knowledge", "steps"}:
            left.setdefault(one["method"], []).append(other)
        else:
            kept.append(one)
    for method, names in left.items():
        say(
            f"left out of the table: {len(names)} runs of {method} with another "
            f"{', '.join(sorted(set().union(*names)))} than now; ask for it to run them again"
        )
    return kept


def _about(out: Path, name: str, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """What is asked in a challenge now; nothing where it has no hospital in `out`."""
    paths = [hospital_of(out, name, seed) / "challenge.json"]
    paths += sorted(out.glob(f"hospitals/{name}-*/challenge.json"))
    paths = [path for path in paths if path.exists()]
    about = next(filter(None, map(read, paths)), {})
    keys = ("question", "family", "measures", "ceiling", "chance", "counting", "notes", "counts")
    if paths and not about.keys() >= set(keys):
        why = "of an earlier version" if about else "damaged"
        say(f"{name} is {why} and stays out of the table; --challenges {name}")
    return {key: about[key] for key in keys} if about.keys() >= set(keys) else {}
