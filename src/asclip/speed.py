"""How fast this machine computes what training needs; each measurement takes under a second."""

from __future__ import annotations

import time


def bfloat16(device: str) -> str:
    """What the processor calls its own bfloat16 instructions, or that it has none."""
    import torch

    if device == "cuda":
        return "on the GPU" if torch.cuda.is_bf16_supported() else "none: use float16 or float32"
    from asclip.towers.precision import instructions

    return ", ".join(sorted(instructions())) or "none seen: training takes float32 (--precision)"


def matrix_product(device: str, kind: str) -> float:
    """GFLOP/s of a 1024 x 1024 product, the best of a quarter of a second of trials."""
    import torch

    a = torch.ones(1024, 1024, dtype=getattr(torch, kind), device=device)
    best, end = float("inf"), time.perf_counter() + 0.25
    (a @ a).sum().item()  # the first call also plans
    while time.perf_counter() < end:
        start = time.perf_counter()
        (a @ a)[0, 0].item()  # .item() waits for a GPU
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


def images(device: str) -> float:
    """Images/s through the tiny image tower, forward and backward, in batches of 32."""
    import torch

    from asclip.towers.image import ImageConfig, image_tower
    from asclip.towers.precision import chosen

    bf16 = chosen(device=device) == "bf16"
    with torch.random.fork_rng():
        tower = image_tower(ImageConfig("tiny", width=256, size=(128, 128))).to(device)
    batch = torch.rand(32, 1, 128, 128, device=device)
    rounds, begun = -1, time.perf_counter()
    while rounds < 1 or time.perf_counter() - begun < 0.5:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = tower(batch).pooled.sum()
        loss.backward()
        tower.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        rounds += 1
        if rounds == 0:  # the first round also plans
            begun = time.perf_counter()
    return 32 * rounds / (time.perf_counter() - begun)
