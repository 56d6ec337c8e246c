"""One plain step of every objective on two processes (gloo), averaged gradients to a file."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import multiprocessing as mp


def _work(rank: int, folder: str, here: str) -> None:
    sys.path.insert(0, here)
    from torch import distributed as dist

    from asclip.train.processes import average_gradients
    from asclip.train.step import cached_step, plain_step
    from toy import OBJECTIVES, ToyEncoder, gradients, rank_share, toy_batch

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    results = {}
    for name, make in OBJECTIVES.items():
        for chunk in (0, 2):
            torch.manual_seed(0)
            model, objective = ToyEncoder(), make()
            batch = rank_share(toy_batch(), rank, 2)
            if chunk:
                loss = cached_step(model, objective, batch, chunk=chunk)
            else:
                loss = plain_step(model, objective, batch)
            average_gradients([model, objective])
            results[f"{name}/{chunk}"] = {
                "loss": loss.total.detach(),
                "gradients": gradients(model, objective),
            }
    torch.save(results, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def run_two_ranks(folder: Path) -> dict[str, dict]:
    """{objective/chunk: {loss, gradients}}; both ranks are checked to agree."""
    mp.spawn(_work, args=(str(folder), str(Path(__file__).parent)), nprocs=2, join=True)
    one, two = (torch.load(folder / f"rank{r}.pt", weights_only=True) for r in (0, 1))
    for name in one:
        for key, grad in one[name]["gradients"].items():
            torch.testing.assert_close(grad, two[name]["gradients"][key])
    return one
