"""Several processes as one: gather rows with their gradients, average what the ranks computed.

The whole batch's loss is computed on every rank from the gathered rows. The backward pass of the
gather *sums* what the ranks say of a row; averaging the parameters' gradients divides by the
number of ranks; the two cancel, so that no factor of the world size appears anywhere, in towers or
objective, and positives that cross ranks are right.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from asclip.types import Encoded, Facts


def world() -> tuple[int, int]:
    """(rank, number of ranks); (0, 1) without a process group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def join() -> tuple[int, int]:
    """Join the process group that `torchrun` announces, if any; (rank, number of ranks)."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return world()


def leave() -> None:
    """Leave the process group, if there is one."""
    if world()[1] > 1:
        dist.destroy_process_group()


def _sizes(rows: int, device: torch.device) -> list[int]:
    mine = torch.tensor([rows], device=device)
    sizes = [torch.zeros_like(mine) for _ in range(world()[1])]
    dist.all_gather(sizes, mine)
    return [int(size) for size in sizes]


def _gather(x: Tensor, sizes: list[int]) -> Tensor:
    """Rows of all ranks, rank after rank; ranks may have different numbers of rows."""
    padded = F.pad(x, [0, 0] * (x.ndim - 1) + [0, max(sizes) - len(x)]).contiguous()
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        return _gather(x, sizes)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        grad = grad.contiguous()
        dist.all_reduce(grad)
        rank = world()[0]
        start = sum(ctx.sizes[:rank])
        return grad[start : start + ctx.sizes[rank]], None


def gather(x: Tensor) -> Tensor:
    """[n, ...] of this rank -> [sum of n, ...] of all; the gradient flows back to each row."""
    if world()[1] == 1:
        return x
    sizes = _sizes(len(x), x.device)
    if x.requires_grad:
        return _GatherRows.apply(x, sizes)
    if x.dtype == torch.bool:
        return _gather(x.to(torch.uint8), sizes).bool()
    return _gather(x, sizes)


def gather_encoded(encoded: Encoded) -> Encoded:
    """Rows of all ranks; local vectors are padded to the longest and masked by `valid`."""
    if world()[1] == 1:
        return encoded
    local, valid = encoded.local, encoded.valid
    if local is not None:
        longest = torch.tensor([local.shape[1]], device=local.device)
        dist.all_reduce(longest, op=dist.ReduceOp.MAX)
        extra = int(longest) - local.shape[1]
        if valid is not None:
            valid = gather(F.pad(valid, [0, extra]))
        local = gather(F.pad(local, [0, 0, 0, extra]))
    return Encoded(gather(encoded.pooled), local, valid)


def gather_facts(facts: Facts, needs: frozenset[str]) -> Facts:
    """The facts that `needs` names, of all ranks, in the order of the gathered rows."""
    targets = {k: gather(v) for k, v in facts.targets.items() if f"facts.{k}" in needs}
    labels = facts.labels
    if labels is not None:
        labels = gather(labels) if "facts.labels" in needs else None
    return replace(facts, patient=gather(facts.patient), labels=labels, targets=targets)


def average_gradients(modules: Iterable[nn.Module]) -> None:
    """Average every gradient over the ranks, in one message."""
    if world()[1] == 1:
        return
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        if parameter.grad is None:  # a parameter that one rank did not touch still takes part
            parameter.grad = torch.zeros_like(parameter)
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    flat /= world()[1]
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))
