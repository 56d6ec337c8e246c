"""Work on a list of things, such as studies, by several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from typing import TypeVar

CHUNK = 8
T = TypeVar("T")
R = TypeVar("R")


def produce(todo: list[T], make: Callable[[T], R], workers: int | None) -> Iterator[R]:
    """What `make` gives for each of `todo`, as it comes; 0 `workers`: this process works alone.

    `make` must be picklable: a function of a module, or a `partial` of one.
    """
    count = _processors() if workers is None else workers
    chunks = iter([todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK)])
    if count <= 1 or len(todo) <= CHUNK:
        for chunk in chunks:
            yield from _chunk(chunk, make)
        return
    # fork starts at once and needs no main guard in users' scripts; elsewhere there is only spawn
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(count, context, initializer=_start)
    try:
        flying = {pool.submit(_chunk, c, make) for c in islice(chunks, 2 * count)}
        while flying:
            ready, flying = wait(flying, return_when=FIRST_COMPLETED)
            flying |= {pool.submit(_chunk, c, make) for c in islice(chunks, len(ready))}
            for future in ready:
                yield from future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Prepare a worker: it leaves interrupts to its parent and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _chunk(items: list[T], make: Callable[[T], R]) -> list[R]:
    from threadpoolctl import threadpool_limits

    # threads of several workers would fight over the processors, and their number would decide
    # how sums are rounded
    with threadpool_limits(1, user_api="blas"):
        return [make(item) for item in items]


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
