"""A pool of decoding processes that survives a crashing decoder."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from asclip.data.journal import Entry
from asclip.data.workers import Setup, Task, decode, start, stop
from asclip.errors import FileError

CRASHED = "decoder crashed"


def count(workers: int | None) -> int:
    """How many processes: as asked, else one per processor that this process may use."""
    if workers is not None:
        return max(0, workers)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def decode_all(
    tasks: Sequence[Task], setup: Setup, workers: int
) -> Generator[list[Entry], None, None]:
    """Completed entries, in chunks, as they come. With 0 workers this process does the work.

    A worker that dies (a decoder's segmentation fault, the system's memory guard) costs the file
    that it was at: the chunks in flight are repeated file by file, and a file that kills its
    process again gets the reason "decoder crashed".
    """
    size = max(1, min(8, math.ceil(len(tasks) / (4 * max(workers, 1)))))
    chunks = deque(tasks[first : first + size] for first in range(0, len(tasks), size))
    if not workers:
        start(setup, alone=True)
        try:
            for chunk in chunks:
                yield decode(chunk)
        finally:
            stop()
        return
    _import_reader(setup.root / tasks[0].path if tasks else setup.root)
    while chunks:
        flying: dict[Future[list[Entry]], Sequence[Task]] = {}
        try:
            yield from _pooled(chunks, flying, setup, workers)
        except BrokenProcessPool:
            suspects = [task for chunk in flying.values() for task in chunk]
            yield from _singly(suspects, setup)


def _import_reader(path: Path) -> None:
    """Import what reads a file like `path`, once here rather than in each forked process."""
    from asclip.files.reader import sniff

    try:
        kind = "dicom" if path.is_dir() else sniff(path)
    except FileError:
        return
    module = {"dicom": "dicom", "nifti": "volume", "nrrd": "volume"}.get(kind, "raster")
    import_module(f"asclip.files.{module}")
    if kind == "dicom":
        import_module("pydicom.pixels.decoders")


def _pooled(
    chunks: deque[Sequence[Task]],
    flying: dict[Future[list[Entry]], Sequence[Task]],
    setup: Setup,
    workers: int,
) -> Iterator[list[Entry]]:
    """Feed a pool from `chunks`; what `flying` still holds when it breaks has not been yielded."""
    pool = _pool(setup, workers)
    try:
        while chunks or flying:
            while chunks and len(flying) < 2 * workers:
                future = pool.submit(decode, chunks[0])
                flying[future] = chunks.popleft()
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                entries = future.result()
                del flying[future]
                yield entries
    finally:
        pool.shutdown(cancel_futures=True)


def _singly(tasks: Sequence[Task], setup: Setup) -> Iterator[list[Entry]]:
    pool: ProcessPoolExecutor | None = None
    try:
        for task in tasks:
            pool = pool or _pool(setup, 1)
            try:
                entries = pool.submit(decode, [task]).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool = None
                reason = f"{CRASHED} (or the machine ran out of memory)"
                entries = [replace(task.entry, reason=reason, lasting=False)]
            yield entries
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _pool(setup: Setup, workers: int) -> ProcessPoolExecutor:
    # fork: at once, and no `if __name__ == "__main__"` in users' scripts; the workers use no
    # thread pool of this process. Elsewhere there is only spawn.
    method = "fork" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer=start, initargs=(setup,))
