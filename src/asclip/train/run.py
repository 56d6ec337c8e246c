"""What a run is made of, and the two things every step needs: a device and a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from asclip.train.settings import Settings
from asclip.types import Batch, Encoded, Facts, Tokens


class Source(Protocol):
    """Where batches come from; `data.batches.Batches`, or pairs of texts.

    `rows` are those that batches are made of, `size` how many make one over all processes,
    `dataset` what they are rows of: its `hash` tells one from another.
    """

    dataset: Any
    rows: np.ndarray
    size: int

    @property
    def per_epoch(self) -> int:
        """Steps in a pass over the rows."""
        ...

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        ...


@dataclass(slots=True)
class Run:
    """All that a training run is made of; a recipe returns it."""

    model: Any  # a module that is an `Encoder` (train.step)
    objective: Any  # a module that is an `Objective` (protocols)
    batches: Source
    validation: Source | None
    settings: Settings
    device: str = "cpu"
    recipe: dict[str, Any] = field(default_factory=dict)  # its name and own parameters
    knowledge: dict[str, list[str]] = field(default_factory=dict)  # names of findings, places ...

    @property
    def steps(self) -> int:
        """Updates in the whole run."""
        s = self.settings
        return s.steps or max(1, round(s.epochs * self.batches.per_epoch / s.accumulate))


def to(batch: Batch, device: str) -> Batch:
    """The batch on a device."""
    if device == "cpu":
        return batch

    def move(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            return x.to(device, non_blocking=True)
        if isinstance(x, Tokens):
            return Tokens(move(x.ids), move(x.mask), move(x.rows))
        if isinstance(x, Encoded):
            return Encoded(move(x.pooled), move(x.local), move(x.valid))
        return x

    facts = batch.facts
    return Batch(
        {k: move(v) for k, v in batch.images.items()},
        {k: move(v) for k, v in batch.texts.items()},
        Facts(
            move(facts.patient), move(facts.labels), {k: move(v) for k, v in facts.targets.items()}
        ),
        {k: move(v) for k, v in batch.knowledge.items()},
    )


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Random numbers (dropout) that depend on the step alone; the caller's state is put back."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % (2**63)
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(mixed)
        yield
