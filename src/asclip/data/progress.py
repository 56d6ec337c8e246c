"""A progress bar with rate and remaining time; on a log, a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int], None]
Track = Callable[[int, str], AbstractContextManager[Advance]]

LINE_EVERY_SECONDS = 10.0


@contextmanager
def track(total: int, description: str) -> Iterator[Advance]:
    """Yields `advance(n)`, to be called when `n` more of `total` are done; draws to stderr.

    A terminal gets a bar with items per second and remaining time; anything else a line every
    ten seconds, and nothing if the work takes less.
    """
    if sys.stderr.isatty():
        with _bar(total, description) as advance:
            yield advance
    else:
        yield _lines(total, description)


@contextmanager
def silent(total: int, description: str) -> Iterator[Advance]:
    """Yields an `advance` that shows nothing."""
    del total, description
    yield lambda count: None


@contextmanager
def _bar(total: int, description: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items per second."""

        def render(self, task: Task) -> Text:
            """The rate of the last seconds, or of the whole when it is over."""
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


def _lines(total: int, description: str) -> Advance:
    begun = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= LINE_EVERY_SECONDS:
            last = now
            print(line(description, done, total, now - begun), file=sys.stderr, flush=True)

    return advance


def line(description: str, done: int, total: int, seconds: float) -> str:
    """One line of a log.

    >>> line("decoding", 50, 200, 10.0)
    'decoding: 50 of 200, 5.0/s, 30 s left'
    """
    rate = done / max(seconds, 1e-9)
    left = (total - done) / rate if rate else float("inf")
    return f"{description}: {done:,} of {total:,}, {rate:.1f}/s, {left:.0f} s left"
