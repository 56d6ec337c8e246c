"""The contrast in tiles beside the whole matrix: forward and backward, seconds and peak memory.

    python benchmarks/contrast.py --out contrast.json

`rows-N` is N images with N texts, 512 wide, one to one: ours is `pretrain.tiled`, the whole matrix
is one product and the cross-entropy of its rows and of its columns, the leanest form of it.
`sentences-N` is N studies of three sentences that repeat themselves, other studies of a patient
left out: there the whole matrix is `terms.relation` and `terms.contrast`. Numbers are compared
first, on fewer rows. Each form runs in a process of its own, in turn; its peak is the growth of the
process's largest resident memory over what it held with its data. `time_ratio` is our seconds over
those of the whole matrix, the median over rounds, `memory_ratio` the same of peak bytes. A form
that does not fit in nine tenths of the free memory is listed with `error`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.pretrain.terms import contrast, relation
from asclip.pretrain.tiled import pairs_of, tiled_contrast
from asclip.train.profile import forget_peak, peak_bytes
from asclip.types import Facts

WIDTH, FORMS = 512, ("tiled", "whole")
CASES = ("rows-32768", "rows-16384", "sentences-2048")
PARTS = ("seconds", "processor_seconds", "mib")


class Data(NamedTuple):
    """image [B, D], text [M, D], the log of the scale [], facts, and the words of the relation."""

    image: Tensor
    text: Tensor
    log_scale: Tensor
    facts: Facts
    words: dict[str, str]


def data(case: str, studies: int) -> Data:
    g = torch.Generator().manual_seed(0)
    each = 3 if case.startswith("sentences") else 1
    study = torch.arange(studies)
    often = torch.rand(studies * each, generator=g) ** 4 * studies * each  # some said very often
    targets = {"study": study, "owner": study.repeat_interleave(each), "text": often.long()}
    words = {"same_text": "positive", "same_patient": "neutral"} if each > 1 else {}
    vectors = (
        F.normalize(torch.randn(count, WIDTH, generator=g), dim=1).requires_grad_()
        for count in (studies, studies * each)
    )
    log_scale = torch.tensor(14.3).log().requires_grad_()
    return Data(*vectors, log_scale, Facts(study // 2, targets=targets), words)


def tiled(d: Data) -> Tensor:
    pairs = pairs_of(d.facts, len(d.text), **(d.words or {"same_text": "negative"}))
    text = d.text[pairs.texts]
    return torch.stack(tiled_contrast(d.image, text, d.log_scale.exp(), pairs))


def whole(d: Data) -> Tensor:
    if not d.words:
        logits, here = d.log_scale.exp() * d.image @ d.text.T, torch.arange(len(d.image))
        return torch.stack([F.cross_entropy(logits, here), F.cross_entropy(logits.T, here)])
    pairs = relation(d.facts, len(d.text), **d.words)
    logits = d.log_scale.exp() * d.image @ d.text[pairs.texts].T
    return torch.stack(contrast(logits, pairs))


def run(form: Callable[[Data], Tensor], d: Data) -> list[Tensor]:
    """Both losses, and the gradients of images, texts and scale."""
    out = form(d)
    grads = torch.autograd.grad(out.mean(), [d.image, d.text, d.log_scale])
    return [out.detach(), *grads]


def bounded() -> None:
    """Let this process take nine tenths of the free memory, so that others keep the rest."""
    table = Path("/proc/meminfo")
    if table.exists():
        lines = dict(line.split(":") for line in table.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (free * 9 // 10, free * 9 // 10))


def child(case: str, form: Callable[[Data], Tensor]) -> None:
    """Print the seconds of one run and the memory it took, after a small run that warms up."""
    bounded()
    run(form, data(case, 64))
    batch = data(case, int(case.partition("-")[2]))
    forget_peak()
    held = peak_bytes()
    start, busy = time.perf_counter(), time.process_time()
    try:
        run(form, batch)
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        return print(json.dumps({"error": "needs more than 9/10 of the free memory"}))
    seconds, processor = time.perf_counter() - start, time.process_time() - busy
    numbers = (seconds, processor, (peak_bytes() - held) / 2**20)
    return print(json.dumps(dict(zip(PARTS, numbers, strict=True))))


def differ(case: str) -> float:
    """Largest difference of values and gradients on fewer rows, over the largest number."""
    worst = 0.0
    few = data(case, 1300)  # more than a tile, and no multiple of it
    for x, y in zip(run(tiled, few), run(whole, few), strict=True):
        worst = max(worst, float((x - y).abs().max() / y.abs().max()))
    if worst > 1e-4:
        raise SystemExit(f"{case}: both forms must agree to 1e-4, they differ by {worst:.1e}")
    return worst


def compare(case: str, rounds: int) -> dict[str, Any]:
    result: dict[str, Any] = {"largest_difference": differ(case)}
    found: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    for number in range(rounds):
        for form in FORMS if number % 2 == 0 else FORMS[::-1]:
            command = [sys.executable, __file__, "--child", case, form]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[form].append(json.loads(out))
    for form, several in found.items():
        errors = [one["error"] for one in several if "error" in one]
        result[form] = {"error": errors[0]} if errors else {
            key: round(statistics.median(one[key] for one in several), 2) for key in PARTS
        }  # fmt: skip
    if not any("error" in result[form] for form in FORMS):
        names = ("time_ratio", "processor_ratio", "memory_ratio")
        both = list(zip(*found.values(), strict=True))
        for key, name in zip(PARTS, names, strict=True):
            result[name] = round(statistics.median(a[key] / b[key] for a, b in both), 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="rows-N or sentences-N")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child[0], {"tiled": tiled, "whole": whole}[given.child[1]])
    result: dict[str, Any] = {
        "benchmark": "contrast",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "width": WIDTH,
        "results": {case: compare(case, given.rounds) for case in given.cases},
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
    return None


if __name__ == "__main__":
    main()
