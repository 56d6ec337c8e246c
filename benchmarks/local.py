"""Local terms beside their plain forms: forward and backward, seconds and peak memory.

    python benchmarks/local.py --out local.json

`gloria` is the words-to-regions similarity of every image with every text, beside the leanest loop
over captions; `copies` beside the loop as the authors wrote it, who repeat each caption for every
image and copy what they transpose; `official` both with the authors' softmax over words, too;
`mgca` the token terms of each pair, beside the same loop with contexts formed in full; `carzero`
the decoder of all images with all texts, beside one text at a time; `medklip` the decoder that asks
each image what its report states, beside the same with all queries of all images. Numbers are
compared first. Each form runs in a process of its own, in turn:
once for its peak, which is the growth of the process's largest resident memory over what it held
before, and once more for its seconds. `ratio` is plain seconds over ours, the median over rounds;
`memory_ratio` plain bytes over ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from asclip.pretrain.knowledge.medklip import MedKlip
from asclip.pretrain.local import local_similarity
from asclip.pretrain.multiscale.carzero import CarZero
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.train.profile import forget_peak, peak_bytes
from asclip.types import Encoded, Facts, Pair

# Name: form, studies B, width D, regions along a side, longest text in tokens.
CASES = {
    "gloria-768": ("gloria", 48, 768, 19, 97),
    "gloria-256": ("gloria", 64, 256, 14, 97),
    "copies-768": ("copies", 48, 768, 19, 97),
    "copies-256": ("copies", 64, 256, 14, 97),
    "official-768": ("official", 48, 768, 19, 97),
    "official-256": ("official", 64, 256, 14, 97),
    "mgca-256": ("mgca", 144, 256, 14, 111),
    "carzero-256": ("carzero", 32, 256, 14, 97),
    "medklip-256": ("medklip", 64, 256, 14, 97),
}
Data = tuple[Tensor, Tensor, Tensor]


def data(studies: int, width: int, side: int, longest: int) -> Data:
    """Regions [B, N, D], words [B, T, D], valid [B, T]: texts of 8 to `longest` tokens."""
    g = torch.Generator().manual_seed(0)
    regions = torch.randn(studies, side * side, width, generator=g, requires_grad=True)
    words = torch.randn(studies, longest, width, generator=g, requires_grad=True)
    lengths = torch.randint(8, longest // 2, (studies, 1), generator=g)
    lengths[0] = longest
    return regions, words, torch.arange(longest) < lengths


def plain_gloria(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
    """One caption after the other with all images, contexts formed in full, nothing copied."""
    v, columns = F.normalize(regions, dim=-1), []
    for caption, real in zip(words, valid, strict=True):
        w = F.normalize(caption[real], dim=-1).expand(len(v), -1, -1)  # [B, t, D]
        context = (4.0 * w @ v.mT).softmax(-1) @ v
        cosine = F.cosine_similarity(w, context, dim=-1)
        columns.append((5.0 * cosine).exp().mean(1).log() / 5.0)
    return torch.stack(columns, 1)


def copying_gloria(
    regions: Tensor, words: Tensor, valid: Tensor, *, two_softmaxes: bool = False
) -> Tensor:
    """The same with the copies of the authors' loop, and at choice with their first softmax."""
    v, columns = F.normalize(regions, dim=-1).mT.contiguous(), []
    for caption, real in zip(words, valid, strict=True):
        w = F.normalize(caption[real], dim=-1).T.contiguous()[None].repeat(len(v), 1, 1)
        given = v.mT.contiguous() @ w  # [B, N, t]
        if two_softmaxes:
            given = given.softmax(-1)
        a = (4.0 * given.mT.contiguous()).softmax(-1).mT.contiguous()
        context = (v @ a).mT.contiguous()  # [B, t, D]
        cosine = F.cosine_similarity(w.mT.contiguous(), context, dim=-1)
        columns.append((5.0 * cosine).exp().mean(1).log() / 5.0)
    return torch.stack(columns, 1)


def plain_mgca(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
    """All pairs at once with their padding, as published: contexts in full, every matrix kept."""
    p, w = F.normalize(regions, dim=-1), F.normalize(words, dim=-1)
    found = F.normalize((w @ p.mT / 0.1).softmax(-1) @ p, dim=-1)
    scores = (p @ w.mT / 0.1).masked_fill(~valid[:, None], -1e4)
    said = F.normalize(scores.softmax(-1) @ w, dim=-1)
    hidden = torch.zeros_like(scores[:, 0]).masked_fill(~valid, -1e4)
    total = []
    for x, y, mask in ((w, found, hidden), (p, said, torch.zeros_like(p[..., 0]))):
        z, real = x @ y.mT / 0.1, mask == 0
        here = torch.arange(z.shape[1]).expand(len(z), -1)
        each = sum(F.cross_entropy((a + mask[:, None]).mT, here, reduction="none")
                   for a in (z, z.mT))  # fmt: skip
        total.append((each * real).sum(1).div(real.sum(1)).mean() / 2)
    return torch.stack(total)


def forms(name: str, width: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Ours and the plain one, with the same weights."""
    if name == "gloria":
        return local_similarity, plain_gloria
    if name == "copies":
        return local_similarity, copying_gloria
    if name == "official":
        two = {"two_softmaxes": True}
        return partial(local_similarity, **two), partial(copying_gloria, **two)
    if name == "mgca":
        objective = Mgca(width, prototypes=8, weights="uniform")

        def tokens(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
            pair = Pair(Encoded(regions[:, 0], regions), Encoded(words[:, 0], words, valid))
            return torch.stack(objective.tokens(pair, Facts(torch.arange(len(words)))))

        return tokens, plain_mgca
    torch.manual_seed(0)
    if name == "medklip":
        return medklip(width)
    carzero = CarZero(width, variant="official")  # the decoder alone, without the cosine

    def all_at_once(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
        return carzero.logits(Encoded(regions.mean(1), regions), words[:, 0])

    def one_by_one(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
        memory = carzero.enter(torch.cat([regions.mean(1, keepdim=True), regions], 1))
        return torch.cat(
            [carzero.head(carzero.decoder(carzero.enter(w[:1]), memory)[0])[..., 0] for w in words],
            dim=1,
        )

    return all_at_once, one_by_one


def medklip(width: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """As many findings as studies, of which a report states a tenth; four layers, as published."""
    objective = MedKlip(width, layers=4, place_weight=0.0, clip_weight=0.0)

    def stated(studies: int) -> Tensor:
        g = torch.Generator().manual_seed(1)
        drawn = torch.rand(studies, studies, generator=g)
        return torch.where(drawn < 0.1, (drawn < 0.05).float(), torch.nan)

    def what_is_stated(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
        rows, queries = torch.arange(len(regions)), {"queries": Encoded(words[:, 0])}
        pair = Pair(Encoded(regions[:, 0], regions), Encoded(words[:, 0]), queries)
        return objective(pair, Facts(rows, targets={"findings": stated(len(rows))})).total[None]

    def everything(regions: Tensor, words: Tensor, valid: Tensor) -> Tensor:
        x = words[:, 0].expand(len(regions), -1, -1)
        for layer in objective.decoder.layers:
            key, value = layer.key_value(layer.memory_norm(regions)).chunk(2, -1)
            q, k, v = (
                p.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
                for p in (layer.query(layer.norm(x)), key, value)
            )
            seen = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
            x = x + layer.out(seen.transpose(1, 2).flatten(2))
            x = x + layer.feed(x)
        z, truth = objective.existence(objective.decoder.norm(x))[..., 0], stated(len(regions))
        known = ~truth.isnan()
        return F.binary_cross_entropy_with_logits(z[known], truth[known])[None]

    return what_is_stated, everything


def run(form: Callable[..., Tensor], batch: Data) -> tuple[Tensor, list[Tensor]]:
    """The values and the gradients of regions and words."""
    out = form(*batch)
    weight = torch.linspace(-1.0, 1.0, out.numel()).reshape(out.shape)
    grads = torch.autograd.grad((out * weight).sum(), batch[:2])
    return out.detach(), list(grads)


def child(case: str, which: int) -> None:
    """Print the memory that a first run takes, after a small one, and the seconds of a second."""
    name, studies, width, side, longest = CASES[case]
    form = forms(name, width)[which]
    run(form, data(2, width, 3, 20))
    batch = data(studies, width, side, longest)
    forget_peak()
    held = peak_bytes()
    run(form, batch)
    taken = (peak_bytes() - held) / 2**20
    start, busy = time.perf_counter(), time.process_time()
    run(form, batch)
    print(json.dumps({
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - busy,
        "mib": taken,
    }))  # fmt: skip


def differ(case: str) -> float:
    """Largest difference of values and gradients on fewer studies, over the largest number."""
    name, _, width, side, longest = CASES[case]
    batch, worst = data(6, width, side, longest), 0.0
    (a, ours), (b, plain) = (run(form, batch) for form in forms(name, width))
    for x, y in zip([a, *ours], [b, *plain], strict=True):
        worst = max(worst, float((x - y).abs().max() / y.abs().max()))
    if worst > 1e-4:
        raise SystemExit(f"{case}: both forms must agree to 1e-4, they differ by {worst:.1e}")
    return worst


def compare(case: str, rounds: int) -> dict[str, Any]:
    found: list[list[dict[str, float]]] = [[], []]
    apart = differ(case)
    for number in range(rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            command = [sys.executable, __file__, "--child", case, str(which)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[which].append(json.loads(out))
    ours, plain = found
    middle = {
        key: [statistics.median(one[key] for one in form) for form in found] for key in ours[0]
    }
    return {
        "studies, width, side, tokens": CASES[case][1:],
        "largest_difference": apart,
        "seconds": [round(x, 3) for x in middle["seconds"]],
        "mib": [round(x, 1) for x in middle["mib"]],
        "ratio": round(
            statistics.median(
                b["seconds"] / a["seconds"] for a, b in zip(ours, plain, strict=True)
            ), 2),
        "processor_ratio": round(
            middle["processor_seconds"][1] / middle["processor_seconds"][0], 2),
        "memory_ratio": round(middle["mib"][1] / middle["mib"][0], 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child[0], int(given.child[1]))
    result: dict[str, Any] = {
        "benchmark": "local",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "results": {case: compare(case, given.rounds) for case in given.cases},
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
