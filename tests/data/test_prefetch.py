from __future__ import annotations

import threading

import pytest
import torch

from asclip.data.prefetch import prefetch


def test_batches_come_in_order_with_the_time_waited() -> None:
    found = list(prefetch(lambda step: step, 3, 8))  # type: ignore[arg-type]
    assert [batch for batch, _ in found] == [3, 4, 5, 6, 7]
    assert all(waited >= 0 for _, waited in found)


def test_batches_are_made_on_one_thread_and_the_step_keeps_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made = [number for number, _ in prefetch(lambda _: torch.get_num_threads(), 0, 3)]  # type: ignore[arg-type]
        assert made == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_error_of_the_thread_is_raised_here() -> None:
    def make(step: int):
        if step == 2:
            raise OSError("the disk is gone")
        return step

    with pytest.raises(OSError, match="the disk is gone"):
        list(prefetch(make, 0, 5))


def test_leaving_early_ends_the_thread() -> None:
    stream = prefetch(lambda step: step, 0, 10**6)  # type: ignore[arg-type]
    next(stream)
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "asclip-batches"]
