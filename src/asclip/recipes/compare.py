"""Methods side by side: every method on every challenge with several seeds, the rest equal.

    OUT/hospitals/CHALLENGE-SEED/          the challenge, and its data set in data/
    OUT/runs/CHALLENGE/METHOD/SEED/        the run, record.json and samples.npy
    OUT/operations/CHALLENGE/METHOD.json   what a step of the method costs
    OUT/compare.json, compare.html         the table of all runs in OUT with these settings

A method is a recipe, or a recipe with changed parameters: `clip:texts=report`. All of them get the
same towers, batch and learning rate, the same studies in the same order, and are asked the same
questions. Which texts of a report a recipe brings to a batch can weigh more than its objective, so
each is compared with plain CLIP on the same texts, which is run, too: what differs is the method.
All get the same arithmetic (`by="compute"`): a method whose step costs twice the baseline's,
counted in floating-point operations of the first batch, takes half as many. `by="steps"` gives all
the same steps. Run again, it goes on: a run with a record is not done again unless it failed, and
further methods and challenges join the table.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asclip import card
from asclip.allocation import keep_freed_memory
from asclip.data import atomic
from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import AsclipError, DataError
from asclip.files.preprocessing import Preprocessing
from asclip.metrics.bootstrap import percentile_interval
from asclip.phantom import challenges
from asclip.recipes.equal import BASELINE, BY, EQUAL, baseline, elsewhere, settings, whole
from asclip.recipes.evaluation import Encodings
from asclip.recipes.options import parameters
from asclip.recipes.paired import folder_of, rows
from asclip.recipes.pretraining import load, operations, pretrain
from asclip.tasks.measures import measure

RESAMPLES = 1000
ENOUGH = 3  # seeds with which a method stands in the table, even if more are asked for now


def compare(
    out: Path,
    methods: Sequence[str],
    names: Sequence[str] = challenges.NAMES,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    studies: int = 1500,
    size: int = 64,
    equal: dict[str, Any] | None = None,
    by: str = "compute",
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run what is missing, then write compare.json and compare.html; the content of the former.

    `equal` changes what all methods have in common (see `EQUAL`). The baseline `clip` always runs,
    and so does `baseline` of each method.
    `jobs` runs are made at a time, each with its share of the processors.

    Raises:
        DataError: a challenge or a method that is not known, or a baseline that cannot run.
    """
    if by not in BY:
        raise DataError(f"methods must have equal {' or '.join(BY)}; got {by!r}")
    common = EQUAL | {"studies": studies, "size": size, "equal": by} | (equal or {})
    # A typo ends it now, not after an hour.
    wanted = list(dict.fromkeys([BASELINE, *(baseline(m, common) for m in methods), *methods]))
    for name in names:
        challenges.describe(name)
    tasks = []
    for name in names:
        for seed in seeds:
            _hospital(out, name, seed, studies, size)
        tasks += [(name, method, seed) for seed in seeds for method in wanted]
    for record in _each(partial(_run, out, common, seeds[0]), tasks, jobs):
        say(_line(record))
        if record["method"] == BASELINE and "error" in record:
            raise DataError(
                f"the baseline {BASELINE} must run on {record['challenge']}, as every method is "
                f"compared with it; it did not: {record['error']}; run again with that mended"
            )
    result = _table(out, common, wanted, seeds, say)
    (out / "compare.json").write_text(json.dumps(result, indent=1) + "\n")
    card.write_comparison(out / "compare.html", result)
    return result


Task = tuple[str, str, int]  # challenge, method, seed


def _each(
    run: Callable[[Task], dict[str, Any]], tasks: Sequence[Task], jobs: int
) -> Iterator[dict[str, Any]]:
    if jobs <= 1:
        yield from map(run, tasks)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=_begin, initargs=(threads,)
    ) as pool:
        yield from pool.map(run, tasks)


def _begin(threads: int) -> None:
    """What a process has to do before its first run."""
    torch.set_num_threads(threads)
    keep_freed_memory()


def _hospital(out: Path, name: str, seed: int, studies: int, size: int) -> Path:
    """The challenge on disk, ingested; its folder."""
    folder = _place(out, name, seed)
    table = challenges.write(name, folder, studies, seed, size)
    how = Preprocessing(size=(size, size), mean=(0.5,), std=(0.25,))
    ingest(Table(table, name=name), folder / "data", how, seed=seed)
    return folder


def _place(out: Path, name: str, seed: int) -> Path:
    return out / "hospitals" / f"{name}-{seed}"


def _given(out: Path, common: dict[str, Any], first: int, task: Task) -> tuple[str, dict[str, Any]]:
    """The recipe of a run and all that it is given, steps included."""
    name, method, seed = task
    recipe, given = settings(method, common, seed)
    place = _place(out, name, seed)
    known = place / "knowledge.json"
    given |= {"knowledge": str(known)} if known.exists() and "knowledge" not in given else {}
    told = json.loads((place / "challenge.json").read_text()).get("given", {})
    given |= {k: v for k, v in told.items() if k in parameters(recipe) and k not in given}
    if common["equal"] == "compute" and method != BASELINE and "steps=" not in method:
        share = _cost(out, common, (name, BASELINE, first)) / _cost(
            out, common, (name, method, first)
        )
        given["steps"] = max(1, round(given["steps"] * share))
    return recipe, given


def _cost(out: Path, common: dict[str, Any], task: Task) -> float:
    """Operations of a step; counted once, on the hospital of the first seed."""
    name, method, seed = task
    path = out / "operations" / name / f"{method.replace(':', '-').replace('=', '-')}.json"
    recipe, given = settings(method, common, seed)
    if path.exists():
        known = json.loads(path.read_text())
        if known["given"] == given:
            return known["operations"]
    folder = _place(out, name, seed)
    extra = folder / "knowledge.json"
    more = {"knowledge": str(extra)} if extra.exists() and "knowledge" not in given else {}
    found = operations(folder / "data", recipe, given | more)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, (json.dumps({"given": given, "operations": found}) + "\n").encode())
    return found


def _run(out: Path, common: dict[str, Any], first: int, task: Task) -> dict[str, Any]:
    """The record of one run: from disk, or trained and measured now."""
    name, method, seed = task
    place, folder = _place(out, name, seed), folder_of(out, name, method, seed)
    path = folder / "record.json"
    record: dict[str, Any] = {"challenge": name, "method": method, "seed": seed, "common": common}
    try:
        recipe, given = _given(out, common, first, task)
        about = json.loads((place / "challenge.json").read_text())
        record |= {"given": given, "asked": about["measures"], "whole": whole(recipe, given)}
        known = json.loads(path.read_text()) if path.exists() else {}
        same = known.get("common") == common and "error" not in known
        same = same and elsewhere(known["given"]) == elsewhere(given)
        same = same and known.get("whole", record["whole"]) == record["whole"]
        if same and known.get("asked") == record["asked"]:
            return known
        if same and (folder / "model.safetensors").exists():
            seconds = known["seconds"]  # the same model is asked something else
            if "whole" not in known:  # trained with the defaults of another version, maybe
                del record["whole"]
        else:
            if known:  # of other settings, or failed: what stopped it may be gone
                shutil.rmtree(folder)
            began = time.perf_counter()
            pretrain(place / "data", recipe, folder, given)
            seconds = time.perf_counter() - began
        model, data = Encodings(load(folder)), Dataset.open(place / "data")
        found = {m["name"]: measure(model, data, m, place) for m in about["measures"]}
    except AsclipError as error:
        record |= {"error": str(error)}
    else:
        samples = {key: one.samples(RESAMPLES, seed) for key, one in found.items()}
        np.save(folder / "samples.npy", np.stack(list(samples.values())))
        record |= {
            "seconds": round(seconds, 1),
            "measures": {
                key: {
                    "value": one.value(),
                    "interval": list(percentile_interval(samples[key])),
                    "n": int((~np.isnan(one.values)).any(1).sum()),
                }
                for key, one in found.items()
            },
        }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    atomic.write(path, (json.dumps(record, indent=1) + "\n").encode())
    return record


def _line(record: dict[str, Any]) -> str:
    head = f"{record['challenge']:12s} {record['method']:24s} seed {record['seed']}"
    if "error" in record:
        return f"{head}  not run: {record['error']}"
    values = "  ".join(f"{k} {m['value']:.3f}" for k, m in record["measures"].items())
    return f"{head}  {record['seconds']:5.0f} s {record['given']['steps']:4d} steps  {values}"


def _table(
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
    records = [json.loads(path.read_text()) for path in sorted(out.glob("runs/*/*/*/record.json"))]
    found = {name: _about(out, name, seeds[0], say) for name in challenges.NAMES}
    about = {name: one for name, one in found.items() if one}
    records = [
        r
        for r in records
        if r["common"] == common
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
    done: dict[str, dict[str, tuple[str, list[int]]]] = {}
    for name in about:
        have = {m: set[int]() for m in against}
        for record in records:
            failed = record["method"] == BASELINE and "error" in record
            if record["challenge"] == name and record["method"] in have and not failed:
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


def _about(out: Path, name: str, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """What is asked in a challenge now; nothing where it has no hospital in `out`."""
    paths = [_place(out, name, seed) / "challenge.json"]
    paths += sorted(out.glob(f"hospitals/{name}-*/challenge.json"))
    about = next((json.loads(path.read_text()) for path in paths if path.exists()), {})
    keys = ("question", "family", "measures", "ceiling", "chance", "counting", "notes", "counts")
    if about and not about.keys() >= set(keys):
        say(f"{name} is of an earlier version and stays out of the table; --challenges {name}")
        return {}
    return {key: about[key] for key in keys if about}
