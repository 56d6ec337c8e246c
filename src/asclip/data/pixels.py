"""The pixel file: one raw array [slots, *item] of uint8, reserved before the work starts."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from asclip.data.atomic import FULL, disk_errors, full_disk

PIXEL_FILE = "pixels.u8"


def reserve(path: Path, num_slots: int, item_shape: tuple[int, ...]) -> None:
    """Make the file large enough for `num_slots` items, with the disk's promise of the space.

    What is already in the file stays. A full disk is found here, before anything is decoded.

    Raises:
        ResourceError: not enough space, with the bytes needed and free.
    """
    needed = num_slots * math.prod(item_shape)
    with disk_errors(path.parent, needed):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        missing = needed - size
        if missing <= 0:
            return
        if shutil.disk_usage(path.parent).free < missing:
            raise full_disk(path.parent, missing)
        _allocate(handle, size, missing, path.parent)
    finally:
        os.close(handle)


def _allocate(handle: int, size: int, missing: int, folder: Path) -> None:
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, size, missing)
            return
    except OSError as error:
        if error.errno in FULL:
            # A failed call may have taken what was left: give it back.
            os.ftruncate(handle, size)
            raise full_disk(folder, missing) from None
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    os.ftruncate(handle, size + missing)


def open_slots(path: Path, num_slots: int, item_shape: tuple[int, ...]) -> np.ndarray:
    """The pixels as a read-only memory map [slots, *item] of uint8."""
    if not num_slots:
        return np.zeros((0, *item_shape), np.uint8)
    return np.memmap(path, np.uint8, mode="r", shape=(num_slots, *item_shape))


def damaged(path: Path, item_shape: tuple[int, ...], digests: Mapping[int, str]) -> set[int]:
    """The slots whose pixels are not the ones that the journal speaks of.

    After a power cut the journal may be ahead of the pixels; a killed process does no harm.
    """
    if not path.exists():
        return set(digests)
    size = math.prod(item_shape)
    slots = open_slots(path, path.stat().st_size // size, item_shape)
    return {
        slot
        for slot, digest in digests.items()
        if slot >= len(slots) or sha256(slots[slot].tobytes()).hexdigest() != digest
    }
