"""Batches made ahead of the step, in a thread, with the time that the step waited for each."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import torch

from asclip.types import Batch


def prefetch(
    make: Callable[[int], Batch], start: int, stop: int, *, ahead: int = 2
) -> Iterator[tuple[Batch, float]]:
    """Batches of the steps start..stop-1, each with the seconds that were spent waiting for it.

    An error in the thread is raised here. Leaving the loop early ends the thread.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(item: Batch | BaseException) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        # One thread: a second team of workers on the same cores stalls the step (by 40 % on two).
        # The setting is this thread's own.
        torch.set_num_threads(1)
        try:
            for step in range(start, stop):
                if not put(make(step)):
                    return
        except BaseException as error:  # handed to the caller, whatever it is
            put(error)

    thread = threading.Thread(target=work, daemon=True, name="asclip-batches")
    thread.start()
    try:
        for _ in range(start, stop):
            began = time.perf_counter()
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item, time.perf_counter() - began
    finally:
        stopped.set()
        thread.join(timeout=5)
