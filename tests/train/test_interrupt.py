from __future__ import annotations

import os
import signal
import threading

import pytest

from asclip.train.interrupt import Interruption


def test_the_first_interruption_is_noted_and_the_second_stops() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as asked:
        assert not asked
        os.kill(os.getpid(), signal.SIGINT)
        assert asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_another_thread_keeps_its_hands_off_signals() -> None:
    found: list[bool] = []

    def work() -> None:
        with Interruption() as asked:
            found.append(bool(asked))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
