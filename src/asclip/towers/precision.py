"""In which numbers this machine's towers compute fastest: bfloat16 where the processor has it."""

from __future__ import annotations

from pathlib import Path

import torch

NAMES = {"amx_bf16", "avx512_bf16", "avx_ne_convert", "bf16", "svebf16"}
PRECISIONS = ("auto", "bf16", "fp32")


def instructions() -> set[str]:
    """What a CPU on Linux calls its own bfloat16 instructions; empty if it has none."""
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return set()
    return NAMES.intersection(words)


def chosen(asked: str = "auto", device: str = "") -> str:
    """`asked`, where "auto" is "bf16" if the device multiplies bfloat16 itself, else "fp32".

    Without such instructions bfloat16 is emulated, and a step takes twice the time of float32.
    `device` "" is a GPU where there is one.

    >>> chosen("fp32"), chosen("auto") in ("bf16", "fp32")
    ('fp32', True)
    """
    if asked != "auto":
        return asked
    if (device or ("cuda" if torch.cuda.is_available() else "cpu")) == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if instructions() else "fp32"
