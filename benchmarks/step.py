"""The training step beside open_clip's own model and loss, at the same towers and precision.

    python benchmarks/step.py --out step.json       (needs the group `bench`)

Both train a ViT and a causal text transformer, each of 4 layers, 256 wide with 4 heads, from
random weights on the same random pixels and tokens: encode, normalise, InfoNCE, backward, AdamW.
Steps are taken in turn, and the ratio is the median over rounds of asclip's samples per second
over open_clip's. `full` has texts that fill the context, so that both do the same work; `reports`
has lengths of 8 to 77 tokens: open_clip computes the padding, asclip groups texts of similar
length.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from asclip.pretrain.clip import Clip
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.train.optim import adamw
from asclip.train.step import plain_step
from asclip.types import Batch, Facts, Tokens

LIBRARIES: list[torch.library.Library] = []  # definitions live as long as these
WIDTH, LAYERS, HEADS, CONTEXT, VOCABULARY, JOINT = 256, 4, 4, 77, 8192, 256


def open_clip_package() -> Any:
    """open_clip, also beside a torchvision whose compiled operators do not fit this torch.

    Call it before anything else imports torchvision: half of it would stay behind.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in (
            "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        ):
            library.define(operator)  # fmt: skip
        LIBRARIES.append(library)
    import open_clip

    return open_clip


def random_batch(batch: int, size: int, lengths: torch.Tensor) -> tuple[torch.Tensor, Tokens]:
    """Pixels [B, 3, H, W] and tokens [B, 77]; the last real token is the largest id (end)."""
    pixels = torch.randn(batch, 3, size, size)
    mask = torch.arange(CONTEXT) < lengths[:, None]
    ids = torch.randint(1, VOCABULARY - 1, mask.shape) * mask
    ids[torch.arange(batch), lengths - 1] = VOCABULARY - 1
    return pixels, Tokens(ids, mask)


def peer(size: int, patch: int, precision: str) -> tuple[Callable[..., float], int]:
    """open_clip's step and its number of weights."""
    open_clip = open_clip_package()
    from open_clip.model import CLIP

    vision = {"layers": LAYERS, "width": WIDTH, "head_width": WIDTH // HEADS,
              "patch_size": patch, "image_size": size}  # fmt: skip
    text = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": WIDTH,
            "heads": HEADS, "layers": LAYERS}  # fmt: skip
    model = CLIP(embed_dim=JOINT, vision_cfg=vision, text_cfg=text).train()
    loss_of = open_clip.ClipLoss()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": rest, "weight_decay": 0.0}, {"params": decayed, "weight_decay": 0.2}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), eps=1e-6, fused=True)

    def step(pixels: torch.Tensor, tokens: Tokens) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            image, words, scale = model(pixels, tokens.ids)
            loss = loss_of(image, words, scale)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step, sum(p.numel() for p in model.parameters())


def ours(size: int, patch: int, precision: str) -> tuple[Callable[..., float], int]:
    """The step of asclip and its number of weights."""
    common = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "hidden_act": "gelu"}  # fmt: skip
    vision = {"model_type": "clip_vision_model", "image_size": size, "patch_size": patch, **common}
    text = {
        "model_type": "clip_text_model",
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "eos_token_id": VOCABULARY - 1,
        **common,
    }
    model = DualEncoder(
        image_tower(ImageConfig("hf", JOINT, 3, (size, size), architecture=vision)),
        text_tower(TextConfig("hf", JOINT, VOCABULARY, CONTEXT, pooling="last", architecture=text)),
    ).train()
    objective = Clip(same_text="negative")
    optimizer = adamw((model, objective), lr=1e-4, weight_decay=0.2)

    def step(pixels: torch.Tensor, tokens: Tokens) -> float:
        optimizer.zero_grad()
        rows = torch.arange(len(pixels))
        facts = Facts(rows, targets={"study": rows, "owner": rows})
        batch = Batch({"image": pixels}, {"text": tokens}, facts)
        loss = plain_step(model, objective, batch, precision=precision)
        optimizer.step()
        return float(loss.total)

    return step, sum(p.numel() for p in model.parameters())


def timed(step: Callable[..., float], data: tuple[torch.Tensor, Tokens], steps: int) -> float:
    """Samples per second."""
    start = time.perf_counter()
    for _ in range(steps):
        step(*data)
    return steps * len(data[0]) / (time.perf_counter() - start)


def compare(given: argparse.Namespace, lengths: torch.Tensor, precision: str) -> dict[str, Any]:
    torch.manual_seed(given.seed)
    data = random_batch(given.batch, given.size, lengths)
    steps = {"asclip": ours(given.size, given.patch, precision),
             "open_clip": peer(given.size, given.patch, precision)}  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for step, _ in steps.values():
        timed(step, data, 1)
    for number in range(given.rounds):
        order = list(steps) if number % 2 == 0 else list(steps)[::-1]
        for name in order:
            rates[name].append(timed(steps[name][0], data, given.steps))
    ratios = sorted(a / b for a, b in zip(rates["asclip"], rates["open_clip"], strict=True))
    return {
        "precision": precision,
        "weights": {name: number for name, (_, number) in steps.items()},
        "samples_per_second": {k: round(statistics.median(v), 1) for k, v in rates.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratio_of_rounds": [round(ratio, 3) for ratio in ratios],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=128, help="pixels along a side")
    parser.add_argument("--patch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2, help="steps in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    open_clip_package()
    torch.manual_seed(given.seed)
    lengths = {
        "full": torch.full((given.batch,), CONTEXT),
        "reports": torch.randint(8, CONTEXT + 1, (given.batch,)),
    }
    result: dict[str, Any] = {
        "benchmark": "step",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "batch": given.batch,
        "size": given.size,
        "results": {
            f"{name}/{precision}": compare(given, several, precision)
            for name, several in lengths.items()
            for precision in given.precisions
        },
    }
    result["ratio"] = result["results"]["full/bf16"]["ratio"]
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
