"""The training loop: one function, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from asclip.data.prefetch import prefetch
from asclip.errors import ModelError
from asclip.pretrain.scale import keep_bounded
from asclip.train import checkpoint
from asclip.train.interrupt import Interruption
from asclip.train.optim import Average, adamw, rate
from asclip.train.processes import average_gradients, world
from asclip.train.run import Run, seeded, to
from asclip.train.settings import Settings
from asclip.train.state import State
from asclip.train.step import cached_step, plain_step
from asclip.types import Batch, Loss

EVERY = 10  # steps between rows of the log


def train(
    run: Run,
    out: Path,
    *,
    fresh: bool = False,
    report: Callable[[int, int, str], None] | None = None,
) -> dict[str, float]:
    """Train, resuming from `out/checkpoint.pt` if it is there; the final numbers of the log.

    The weights of `run.model` and `run.objective` are the result (the running average where
    `settings.average` > 0). A run that is stopped anywhere and started again gives the same
    weights, bit for bit, on the same machine and thread count. `report` gets (step, steps, text).
    Ctrl-C saves a checkpoint after the step under way, then raises KeyboardInterrupt.
    """
    with Interruption() as asked:
        return _train(run, out, asked, fresh=fresh, report=report)


def _train(
    run: Run,
    out: Path,
    asked: Interruption,
    *,
    fresh: bool,
    report: Callable[[int, int, str], None] | None,
) -> dict[str, float]:
    s, steps = run.settings, run.steps
    out.mkdir(parents=True, exist_ok=True)
    modules = [run.model, run.objective]
    optimiser = adamw(modules, lr=s.lr, weight_decay=s.weight_decay)
    average = Average(modules, s.average) if s.average > 0 else None
    state = State(run, optimiser, average, out)
    start = 0 if fresh else state.load()
    if start == 0:
        (out / "metrics.csv").unlink(missing_ok=True)
    main = world()[0] == 0
    log: checkpoint.Log | None = None
    row: dict[str, float] = {}
    waited = trained = 0.0
    saved, seen = time.perf_counter(), 0
    marks = {round(steps * (k + 1) / s.evaluations) for k in range(s.evaluations)}
    batches = prefetch(run.batches.at, start * s.accumulate, steps * s.accumulate)
    for step in range(start, steps):
        began = time.perf_counter()
        for group in optimiser.param_groups:
            group["lr"] = s.lr * rate(step, steps, s.warmup)
        run.model.train()
        run.objective.train()
        optimiser.zero_grad(set_to_none=True)
        loss, wait = _gradients(run, batches, step)
        waited += wait
        _finish(modules, s, optimiser)
        if average is not None:
            average.update(step)
        trained += time.perf_counter() - began
        seen += run.batches.size * s.accumulate
        step += 1  # from here on: steps done
        if asked and step < steps:
            state.save(step)
            if log is not None:
                log.close()
            raise KeyboardInterrupt
        if not (step % EVERY == 0 or step in marks or step == steps):
            continue
        row = {"step": step, "epoch": step * s.accumulate / run.batches.per_epoch}
        row |= {"loss": loss.total.item(), **{k: v.item() for k, v in loss.parts.items()}}
        row |= {"lr": optimiser.param_groups[0]["lr"]}
        row |= {"samples_per_second": seen / trained, "data_wait_share": waited / trained}
        if not torch.isfinite(loss.total):
            raise ModelError(
                f"the loss must stay finite; at step {step} it is {row['loss']}; "
                "lower --lr, raise --warmup, or use --precision fp32"
            )
        if step in marks and run.validation is not None:
            row["val_loss"] = state.validate()
        if main:
            columns = [*row] if "val_loss" in row else [*row, "val_loss"]
            log = log or checkpoint.Log(out, columns, board=s.tensorboard)
            log.write(row)
            if report is not None:
                report(step, steps, _line(row))
        waited = trained = 0.0
        seen = 0
        if time.perf_counter() - saved > s.checkpoint_seconds and step < steps:
            state.save(step)
            saved = time.perf_counter()
    if log is not None:
        log.close()
    state.finish(steps)
    return row


def _gradients(run: Run, batches: Iterator[tuple[Batch, float]], step: int) -> tuple[Loss, float]:
    """Gradients of the batches of one update; the last loss, and the seconds waited for data."""
    s, waited = run.settings, 0.0
    for part in range(s.accumulate - 1):
        batch, wait = next(batches)
        waited += wait
        _step(run, batch, step, part)
    batch, wait = next(batches)
    return _step(run, batch, step, s.accumulate - 1), waited + wait


def _step(run: Run, batch: Batch, step: int, part: int) -> Loss:
    s = run.settings
    batch = to(batch, run.device)
    with seeded(s.seed, step, part):
        if not s.chunk:
            return plain_step(run.model, run.objective, batch, precision=s.precision)
        return cached_step(run.model, run.objective, batch, chunk=s.chunk, precision=s.precision)


def _finish(modules: list[nn.Module], s: Settings, optimiser: torch.optim.Optimizer) -> None:
    average_gradients(modules)
    parameters = [p for m in modules for p in m.parameters() if p.grad is not None]
    for grad in (p.grad for p in parameters if s.accumulate > 1 and p.grad is not None):
        grad.div_(s.accumulate)
    if s.clip_norm > 0:
        torch.nn.utils.clip_grad_norm_(parameters, s.clip_norm, foreach=True)
    optimiser.step()
    keep_bounded(modules[-1])  # the objective


def _line(row: dict[str, float]) -> str:
    text = f"loss {row['loss']:.3f}  {row['samples_per_second']:.0f} studies/s"
    return text + f"  data wait {100 * row['data_wait_share']:.1f} %"
