"""The C library's memory, for processes that compute on a CPU."""

from __future__ import annotations

import ctypes
import sys

# mallopt(3) of glibc: M_MMAP_MAX, M_TRIM_THRESHOLD and M_TOP_PAD with what they are set to.
KEPT = {-4: 0, -1: 2**31 - 1, -2: 64 * 2**20}


def keep_freed_memory() -> bool:
    """Hold up to 2 GiB of freed memory for the next tensor; whether the C library can.

    glibc maps a tensor of more than 32 MB anew each time and gives it back when it is freed, so
    that every operation of a convolution meets each of its pages for the first time. Kept memory
    changes no number and makes an image tower two to three times as fast on a CPU.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and all([mallopt(key, value) for key, value in KEPT.items()])
