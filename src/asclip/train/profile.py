"""Where the seconds of a training step go: a few real steps of a run, part by part.

The steps are those of train/loop.py, with the same batches, towers, objective and optimiser; hooks
on the modules look at the clock. Nothing is written, and the weights of the run are used up.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from asclip.data.prefetch import prefetch
from asclip.train.loop import _finish, _step
from asclip.train.optim import Average, adamw, rate
from asclip.train.run import Run
from asclip.types import Batch

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

Size = tuple[int, ...]

PARTS: tuple[str, ...] = (
    "data",
    "image tower",
    "text tower",
    "objective",
    "backward",
    "optimiser",
    "rest",
)
WARMUP, STEPS = 2, 8


@dataclass(frozen=True, slots=True)
class Profile:
    """What a step takes.

    Attributes:
        recipe: name of the recipe.
        steps: steps that were measured, after a warm-up.
        studies: studies in a step.
        step_seconds: seconds of a step, the mean.
        seconds: of these, what each of `PARTS` takes: "data" is the wait for a batch, "backward"
            the gradients of objective and towers, "rest" what stands in none of the others.
        processor_seconds: what all threads of the process work in a step, the making of batches
            among it; other work on the machine changes it less than the time on the wall.
        making_seconds: what a batch takes to be made, in its own thread beside the step; the
            median. A step waits for data where this is longer than a step.
        peak_bytes: largest memory of the process since it began; NaN where it cannot be told.
        device_bytes: the same of an accelerator; None without one.
    """

    recipe: str
    steps: int
    studies: int
    step_seconds: float
    seconds: dict[str, float]
    processor_seconds: float
    making_seconds: float
    peak_bytes: float
    device_bytes: int | None

    @property
    def title(self) -> str:
        """The whole in a line.

        >>> Profile("clip", 8, 64, 0.25, {}, 0.4, 0.1, 1.5e9, None).title
        'clip: 8 steps of 64 studies, 250 ms each, 256 studies/s, 1.50 GB of memory at most'
        """
        rate = self.studies / self.step_seconds
        device = "" if self.device_bytes is None else f", {self.device_bytes / 1e9:.2f} GB on cuda"
        return (
            f"{self.recipe}: {self.steps} steps of {self.studies} studies, "
            f"{1000 * self.step_seconds:.0f} ms each, {rate:.0f} studies/s, "
            f"{self.peak_bytes / 1e9:.2f} GB of memory at most{device}"
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row a part: milliseconds of a step, and the share in percent."""
        whole = {**self.seconds, "whole": self.step_seconds}
        return [
            {"part": part, "ms": 1000 * x, "%": 100 * x / self.step_seconds}
            for part, x in whole.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Every number, for JSON."""
        return asdict(self)


class _Clock:
    """Seconds of the parts, and the moment at which the objective was done last."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.compared = self.encoded = 0.0

    def now(self) -> float:
        if self.run.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter()

    def towers(self) -> float:
        return self.seconds["image tower"] + self.seconds["text tower"]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = self.now()
        yield
        self.seconds[name] += self.now() - began

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Time every call of the towers and of the objective."""
        model = self.run.model
        modules = (model.image, "image tower"), (model.text, "text tower")
        hooks = []
        for module, name in (*modules, (self.run.objective, "objective")):
            began: list[float] = []

            def before(*_: Any, began: list[float] = began) -> None:
                began.append(self.now())

            def after(*_: Any, began: list[float] = began, name: str = name) -> None:
                now = self.now()
                self.seconds[name] += now - began.pop()
                if name == "objective":
                    self.compared, self.encoded = now, self.towers()

            hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def gradients(self, batch: Batch, step: int, part: int) -> None:
        """A step of the loop; what follows the objective, less towers called again, is backward."""
        _step(self.run, batch, step, part)
        since = self.now() - self.compared
        self.seconds["backward"] += since - (self.towers() - self.encoded)


def profile(run: Run, *, steps: int = STEPS, warmup: int = WARMUP) -> Profile:
    """Measure `steps` steps of `run` after `warmup` ones that do not count."""
    s, modules = run.settings, [run.model, run.objective]
    optimiser = adamw(modules, lr=s.lr, weight_decay=s.weight_decay)
    average = Average(modules, s.average) if s.average > 0 else None
    run.model.train()
    run.objective.train()
    clock, making, whole, busy = _Clock(run), [], 0.0, 0.0
    count = warmup + steps
    batches = prefetch(_timed(run.batches.at, making), 0, count * s.accumulate)
    with clock.hooked():
        for step in range(count):
            if step == warmup:
                clock.seconds, whole = dict.fromkeys(PARTS, 0.0), 0.0
                busy = time.process_time()
            began = clock.now()
            with clock.part("optimiser"):
                for group in optimiser.param_groups:
                    group["lr"] = s.lr * rate(step, max(count, run.steps), s.warmup)
                optimiser.zero_grad(set_to_none=True)
            for part in range(s.accumulate):
                with clock.part("data"):
                    batch, _ = next(batches)
                clock.gradients(batch, step, part)
            with clock.part("optimiser"):
                _finish(modules, s, optimiser)
                if average is not None:
                    average.update(step)
            whole += clock.now() - began
    busy = time.process_time() - busy
    next(batches, None)  # ends its thread
    clock.seconds["rest"] = whole - sum(clock.seconds.values())
    return Profile(
        recipe=str(run.recipe.get("recipe", "")),
        steps=steps,
        studies=run.batches.size * s.accumulate,
        step_seconds=whole / steps,
        seconds={name: x / steps for name, x in clock.seconds.items()},
        processor_seconds=busy / steps,
        making_seconds=statistics.median(making),
        peak_bytes=peak_bytes(),
        device_bytes=None if run.device == "cpu" else torch.cuda.max_memory_allocated(),
    )


def operations(run: Run) -> float:
    """Floating-point operations of matrix products and convolutions in one step, back and forth.

    Of the first batch, as often as a step has batches; others differ by the lengths of their texts.
    What is computed element by element is not counted.
    """
    run.model.train()
    run.objective.train()
    with counted() as counter:
        _step(run, run.batches.at(0), 0, 0)
    return float(counter.get_total_flops()) * run.settings.accumulate


def counted() -> FlopCounterMode:
    """PyTorch's counter, which knows neither products in place nor a processor's attention."""
    from torch.utils.flop_counter import (
        FlopCounterMode,
        bmm_flop,
        mm_flop,
        sdpa_backward_flop_count,
        sdpa_flop_count,
    )

    def product(_: Size, a: Size, b: Size, **more: Any) -> int:
        return mm_flop(a, b)

    def products(_: Size, a: Size, b: Size, **more: Any) -> int:
        return bmm_flop(a, b)

    def attention(q: Size, k: Size, v: Size, *_: Any, **more: Any) -> int:
        return sdpa_flop_count(q, k, v)

    def backward(gradient: Size, q: Size, k: Size, v: Size, *_: Any, **more: Any) -> int:
        return sdpa_backward_flop_count(gradient, q, k, v)

    aten = torch.ops.aten
    return FlopCounterMode(
        display=False,
        custom_mapping={
            aten.addmm_: product,
            aten.baddbmm_: products,
            aten._scaled_dot_product_flash_attention_for_cpu: attention,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
        },
    )


def _timed(make: Callable[[int], Batch], seconds: list[float]) -> Callable[[int], Batch]:
    def timed(step: int) -> Batch:
        began = time.perf_counter()
        batch = make(step)
        seconds.append(time.perf_counter() - began)
        return batch

    return timed


def peak_bytes() -> float:
    """The largest resident memory of this process since it began, or `forget_peak`.

    NaN where the system does not tell it.
    """
    table = Path("/proc/self/status")
    if table.exists():  # Linux, where ru_maxrss begins with what the parent process held
        lines = dict(line.split(":", 1) for line in table.read_text().splitlines())
        if "VmHWM" in lines:
            return 1024.0 * int(lines["VmHWM"].split()[0])
    try:
        import resource
    except ImportError:  # not on Windows
        return float("nan")
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(size if sys.platform == "darwin" else size * 1024)


def forget_peak() -> None:
    """Let `peak_bytes` begin with what is held now; without effect where there is no /proc."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")
