"""Every recipe beside plain `clip`: seconds of a step and peak memory, on one phantom data set.

    python benchmarks/methods.py --out methods.json

A phantom hospital with frontal and lateral films is written and ingested. Each recipe then takes a
few steps on it, as `asclip pretrain --profile` does, in a process of its own: `tiny` towers, one
batch size, all else as the recipe has it (a recipe with locked packaged towers keeps them, and
reads cached features). `ratio` is its seconds a step over those of `clip`, `processor_ratio` the
same of the time of all threads, which other work on the machine changes less, `memory_ratio` the
same of the process's peak memory. Medians over rounds. A recipe that cannot run on these data is
listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import AsclipError
from asclip.files.preprocessing import Preprocessing
from asclip.phantom.hospital import write
from asclip.recipes import RECIPES
from asclip.recipes.pretraining import profile
from asclip.terminal import plain, print_rows

PLAIN, VIEWS = "clip", ("PA", "LATERAL")
TINY = {"image_tower": "tiny", "text_tower": "tiny"}
OWN_TOWERS = ("locked",)  # frozen random towers would say nothing
SKIPPED = {"kad-knowledge": "it learns from an ontology, and no data set brings one yet"}
NUMBERS = ("step_seconds", "processor_seconds", "peak_bytes")


def hospital(folder: Path, studies: int, size: int) -> Path:
    table = write(folder / "hospital", studies, 0, size=size, views=VIEWS)
    return ingest(Table(table), folder / "data", Preprocessing((size, size))).root


def child(name: str, data: Path, batch: int) -> None:
    """Print the profile of a recipe, or the reason why there is none."""
    given = {"batch": batch} | ({} if name in OWN_TOWERS else TINY)
    try:
        print(json.dumps(plain(profile(data, name, given).to_json())))
    except AsclipError as error:
        print(json.dumps({"reason": str(error)}))


def measure(name: str, data: Path, batch: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, str(data), "--batch", str(batch)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return {"reason": "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout)


def middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several profiles of a recipe, the median of each number."""
    lacking = [one for one in found if "reason" in one]
    if lacking:
        return lacking[0]
    result: dict[str, Any] = {key: statistics.median(one[key] for one in found) for key in NUMBERS}
    parts = found[0]["seconds"]
    result["seconds"] = {
        part: statistics.median(one["seconds"][part] for one in found) for part in parts
    }
    return result


def beside(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the ratios to `clip` to each result; the rows of a table, the cheapest first."""
    base = results.get(PLAIN, {})
    rows = []
    for name, one in results.items():
        if "reason" in one or "reason" in base:
            continue
        for key, of in zip(("ratio", "processor_ratio", "memory_ratio"), NUMBERS, strict=True):
            one[key] = round(one[of] / base[of], 3)
        rows.append({
            "recipe": name,
            "ms a step": 1000 * one["step_seconds"],
            "ratio": one["ratio"],
            "processor": one["processor_ratio"],
            "image ms": 1000 * one["seconds"]["image tower"],
            "text ms": 1000 * one["seconds"]["text tower"],
            "objective ms": 1000 * one["seconds"]["objective"],
            "backward ms": 1000 * one["seconds"]["backward"],
            "MB": one["peak_bytes"] / 1e6,
            "memory": one["memory_ratio"],
        })  # fmt: skip
    return sorted(rows, key=lambda row: row["processor"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child[0], Path(given.child[1]), given.batch)
    names = dict.fromkeys([PLAIN, *given.recipes])
    with tempfile.TemporaryDirectory() as folder:
        data = hospital(Path(folder), given.studies, given.size)
        found = [
            {name: measure(name, data, given.batch) for name in names if name not in SKIPPED}
            for _ in range(given.rounds)
        ]
    results: dict[str, Any] = {name: middle([one[name] for one in found]) for name in found[0]} | {
        name: {"reason": why} for name, why in SKIPPED.items() if name in names
    }
    rows = beside(results)
    print_rows(f"Recipes beside {PLAIN}, {given.batch} studies a step", rows)
    reasons = {name: one["reason"] for name, one in results.items() if "reason" in one}
    for name, reason in reasons.items():
        print(f"{name}: left out; {reason}")
    result = {
        "benchmark": "methods",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "studies": given.studies,
        "size": given.size,
        "batch": given.batch,
        "results": results,
    }
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
