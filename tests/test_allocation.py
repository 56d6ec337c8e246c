"""Freed memory that is kept: pages are met once, not once a tensor."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PAGES = """
import resource
from asclip.allocation import keep_freed_memory
assert {keep} is False or keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
import numpy as np
np.ones(2**23)
before = faults()
for _ in range(8):
    np.ones(2**23)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the C library glibc")
def test_a_large_array_meets_no_new_page_where_one_was_freed() -> None:
    met = {
        keep: int(
            subprocess.run(
                [sys.executable, "-c", PAGES.format(keep=keep)],
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for keep in (False, True)
    }  # fmt: skip
    assert met[True] < 100
    assert met[False] >= 8 * 16
