"""Ctrl-C during training: the step that is under way ends, its state is saved, then we stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """`with Interruption() as asked:` — `bool(asked)` after Ctrl-C; a second one stops at once.

    Elsewhere than in the main thread, which alone gets signals, nothing changes.
    """

    def __init__(self) -> None:
        self.asked = False
        self.here = threading.current_thread() is threading.main_thread()

    def __bool__(self) -> bool:
        return self.asked

    def __enter__(self) -> Interruption:
        if self.here:
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.here:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
