"""How fast the towers train on this machine: samples per second, forward and backward.

    python benchmarks/towers.py --out towers.json

Wall time is what a user waits on an idle machine. When others use the machine too, run with
--threads 1 and compare samples per processor second: with more threads, waiting counts as work.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.text import TextConfig, text_tower
from asclip.types import Encoded, Tokens

PRESETS = ("tiny", "small", "base")


def measure(step: Callable[[], None], samples: int, repeats: int) -> dict[str, float]:
    """Best of `repeats` after one warm-up."""
    step()
    wall, processor = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        step()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    return {
        "samples_per_second": round(samples / min(wall), 1),
        "samples_per_processor_second": round(samples / min(processor), 1),
    }


def training_step(tower: torch.nn.Module, x: object, precision: str, local: bool) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        encoded: Encoded = tower(x, local=local)
    loss = encoded.pooled.float().square().mean()
    if encoded.local is not None:
        loss = loss + encoded.local.float().square().mean()
    tower.zero_grad()
    loss.backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("towers.json"))
    parser.add_argument("--presets", nargs="+", default=["tiny"], choices=PRESETS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=128, help="pixels along a side")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    shape = (given.size, given.size)
    pixels = torch.randn(given.batch, 1, *shape)
    lengths = torch.randint(given.tokens // 4, given.tokens + 1, (given.batch, 1))
    mask = torch.arange(given.tokens) < lengths
    tokens = Tokens(torch.randint(1, 4096, mask.shape) * mask, mask)
    results = []
    for name in given.presets:
        towers = {
            "image": (image_tower(ImageConfig(name, size=shape)), pixels),
            "text": (text_tower(TextConfig(name, max_tokens=given.tokens)), tokens),
        }
        for kind, (tower, x) in towers.items():
            for precision in ("bf16", "fp32"):
                for local in (False, True):

                    def step(tower=tower, x=x, precision=precision, local=local) -> None:
                        training_step(tower, x, precision, local)

                    results.append(
                        {
                            "tower": kind,
                            "preset": name,
                            "parameters": sum(p.numel() for p in tower.parameters()),
                            "precision": precision,
                            "local": local,
                            **measure(step, given.batch, given.repeats),
                        }
                    )
                    print(results[-1], flush=True)
    record = {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "batch": given.batch,
        "size": given.size,
        "tokens": given.tokens,
        "results": results,
    }
    given.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
