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
further methods and challenges join the table. A run of a version in which the recipe had other
parameters stays out of it. Other settings for all need another OUT.
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
from asclip.recipes.compare_files import Task, as_name, folder_of, hospital_of, read, told_of
from asclip.recipes.compare_table import table
from asclip.recipes.equal import BASELINE, BY, EQUAL, baseline, differing, whole
from asclip.recipes.evaluation import Encodings
from asclip.recipes.pretraining import load, operations, pretrain
from asclip.tasks.measures import measure

RESAMPLES = 1000


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
        DataError: a challenge or a method that is not known, runs of other settings in `out`, a
            damaged hospital, or a baseline that cannot run.
        ModelError: a recipe that is not known, or a value of the wrong type.
    """
    if by not in BY:
        raise DataError(f"methods must have equal {' or '.join(BY)}; got {by!r}")
    common = EQUAL | {"studies": studies, "size": size, "equal": by} | (equal or {})
    # A typo ends it now, not after an hour.
    wanted = list(dict.fromkeys([BASELINE, *(baseline(m, common) for m in methods), *methods]))
    for name in names:
        challenges.describe(name)
    _claim(out, common, say)
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
    result = table(out, common, wanted, seeds, say)
    (out / "compare.json").write_text(json.dumps(result, indent=1) + "\n")
    card.write_comparison(out / "compare.html", result)
    return result


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


def _claim(out: Path, common: dict[str, Any], say: Callable[[str], None]) -> None:
    """Refuse a folder whose runs have other settings, since the new ones would replace them."""
    for path in sorted(out.glob("runs/*/*/*/record.json")):
        record = read(path)
        if not record:
            say(f"{path} is damaged: its run counts as not made, and is made again if asked for")
        elif "measures" in record and record["common"] != common:
            there = record["common"]
            keys = [k for k in there | common if there.get(k) != common.get(k)]
            told = ", ".join(f"{k} {there.get(k)} and not {common.get(k)}" for k in keys)
            raise DataError(f"{out} holds runs of other settings ({told}); choose another --out")


def _hospital(out: Path, name: str, seed: int, studies: int, size: int) -> Path:
    """The challenge on disk, ingested; its folder."""
    folder = hospital_of(out, name, seed)
    try:
        table = challenges.write(name, folder, studies, seed, size)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(
            f"{folder} must hold a challenge, and its settings.json is damaged; delete the folder: "
            "it is made again"
        ) from None
    how = Preprocessing(size=(size, size), mean=(0.5,), std=(0.25,))
    ingest(Table(table, name=name), folder / "data", how, seed=seed)
    return folder


def _given(out: Path, common: dict[str, Any], first: int, task: Task) -> tuple[str, dict[str, Any]]:
    """The recipe of a run and all that it is given, its own steps included."""
    name, method, _ = task
    recipe, given = told_of(out, common, task)
    if common["equal"] == "compute" and method != BASELINE and "steps=" not in method:
        share = _cost(out, common, (name, BASELINE, first)) / _cost(
            out, common, (name, method, first)
        )
        given["steps"] = max(1, round(given["steps"] * share))
    return recipe, given


def _cost(out: Path, common: dict[str, Any], task: Task) -> float:
    """Operations of a step; counted once, on the hospital of the first seed."""
    name, method, seed = task
    path = out / "operations" / name / f"{as_name(method)}.json"
    recipe, given = told_of(out, common, task)
    own, known = whole(recipe, given), read(path)
    if known.get("whole") == own:
        return known["operations"]
    found = operations(hospital_of(out, name, seed) / "data", recipe, given)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, (json.dumps({"whole": own, "operations": found}) + "\n").encode())
    return found


def _run(out: Path, common: dict[str, Any], first: int, task: Task) -> dict[str, Any]:
    """The record of one run: from disk, or trained and measured now."""
    name, method, seed = task
    place, folder = hospital_of(out, name, seed), folder_of(out, name, method, seed)
    path = folder / "record.json"
    record: dict[str, Any] = {"challenge": name, "method": method, "seed": seed, "common": common}
    try:
        recipe, given = _given(out, common, first, task)
        about = read(place / "challenge.json")
        if "measures" not in about:
            raise DataError(f"{place} must hold a challenge, and its challenge.json is damaged")
        record |= {"given": given, "asked": about["measures"], "whole": whole(recipe, given)}
        known = read(path)
        same = known.get("common") == common and "error" not in known
        same = same and not differing(recipe, known, given)
        if same and known.get("asked") == record["asked"]:
            return known
        if same and (folder / "model.safetensors").exists():
            seconds = known["seconds"]  # the same model is asked something else
            if "whole" not in known:  # trained with the defaults of another version, maybe
                del record["whole"]
        else:
            if path.exists():  # of other settings, damaged or failed: what stopped it may be gone
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
