from __future__ import annotations

import errno
import os
from hashlib import sha256

import numpy as np
import pytest

from asclip.data import atomic, pixels
from asclip.errors import ResourceError


def test_reserve_grows_and_keeps(tmp_path):
    path = tmp_path / "pixels.u8"
    pixels.reserve(path, 2, (4, 4))
    with path.open("r+b") as file:
        file.write(bytes(range(32)))
    pixels.reserve(path, 5, (4, 4))
    slots = pixels.open_slots(path, 5, (4, 4))
    assert path.stat().st_size == 80
    assert slots[:2].tobytes() == bytes(range(32))
    assert not slots[2:].any()
    with pytest.raises(ValueError, match="read-only"):
        slots[0] = 1
    pixels.reserve(path, 1, (4, 4))
    assert path.stat().st_size == 80  # never shrinks: a slot may be needed again


def test_a_file_system_without_reservation_still_works(tmp_path, monkeypatch):
    def refuse(handle: int, offset: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    pixels.reserve(tmp_path / "p", 3, (2, 2))
    assert (tmp_path / "p").stat().st_size == 12


def test_damaged_finds_other_pixels_and_missing_ones(tmp_path):
    path = tmp_path / "p"
    pixels.reserve(path, 2, (2, 2))
    zeros = sha256(bytes(4)).hexdigest()
    assert pixels.damaged(path, (2, 2), {0: zeros, 1: "other", 7: zeros}) == {1, 7}
    assert pixels.damaged(tmp_path / "none", (2, 2), {0: zeros}) == {0}
    assert pixels.open_slots(path, 0, (2, 2)).shape == (0, 2, 2)
    assert pixels.open_slots(path, 2, (2, 2)).dtype == np.uint8


def test_a_refused_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    atomic.write(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="must have 3 bytes free"):
        atomic.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
