"""Arithmetic that several adapters share: losses, quality on validation, training in full batches.

Unknown truth (NaN) takes no part anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from asclip.adapt.interface import ClassTexts, Examples
from asclip.errors import DataError
from asclip.metrics.classification import auroc_columns, hits_by_class
from asclip.metrics.known import mean_of_defined

CHECKS = 20  # how often a training looks at validation


def check(support: Examples, validation: Examples, texts: ClassTexts) -> None:
    """Whether there is something to learn from.

    Raises:
        DataError: truth for other classes, a class without an example, validation without truth.
    """
    for name, part in (("support", support), ("validation", validation)):
        if part.truth.shape[1] != len(texts.labels):
            raise DataError(
                f"{name} must have one column of truth for each of {len(texts.labels)} classes, "
                f"got {part.truth.shape[1]}; take the truth for {', '.join(texts.labels)}"
            )
        if not bool((~part.truth.isnan()).any()):
            raise DataError(
                f"{name} must have at least one known label, got {len(part.truth)} studies without "
                "one (NaN is unknown); ingest the labels, or ask another prompt set"
            )
    without = lacking(support, texts)
    if without:
        raise DataError(
            f"every class must have an example in the support; {without}; leave the class out or "
            "draw from more studies"
        )


def lacking(support: Examples, texts: ClassTexts) -> str:
    """Which classes have no example, in words; "" if all have one."""
    for value, words in ((1.0, "has it"), (0.0, "is known not to"))[: 1 if texts.single else 2]:
        some = (support.truth == value).any(0)
        names = [label for label, has in zip(texts.labels, some, strict=True) if not has]
        if names:
            return f"of {', '.join(names)} no study {words}"
    return ""


def loss(logits: Tensor, truth: Tensor, *, single: bool) -> Tensor:
    """Cross-entropy over rows [n, K], or the mean binary one over known entries; 0 of none."""
    if single:
        rows = ~truth.isnan().any(1)
        return functional.cross_entropy(logits[rows], truth[rows])
    known = ~truth.isnan()
    each = functional.binary_cross_entropy_with_logits(logits, truth.nan_to_num(), reduction="none")
    return each[known].sum() / known.sum().clamp(min=1)


def divergence(written: Tensor, logits: Tensor, *, single: bool) -> Tensor:
    """KL of the written prompts' answer from the learned one's, mean over studies [n] or [n, K]."""
    if single:
        return functional.kl_div(
            logits.log_softmax(1), written.log_softmax(1), log_target=True, reduction="batchmean"
        )
    learned, taught = (
        functional.logsigmoid(torch.stack([z, -z], dim=-1)).flatten(0, 1) for z in (logits, written)
    )
    return functional.kl_div(learned, taught, log_target=True, reduction="batchmean")


def quality(logits: Tensor, truth: Tensor, *, single: bool) -> tuple[float, float]:
    """What validation chooses by, higher is better: (accuracy or mean AUROC, minus the loss).

    The loss breaks ties; it decides alone (-inf in front) where no AUROC is defined.
    """
    score, known = logits.detach().double().numpy(), truth.double().numpy()
    each = hits_by_class(known, score) if single else auroc_columns(known, score)
    first = float(mean_of_defined(each.ravel()))
    second = -float(loss(logits.detach(), truth, single=single))
    return (-math.inf if math.isnan(first) else first), second


def start_bias(logits: Tensor, truth: Tensor, *, single: bool) -> Tensor:
    """Bias [K] that a training starts from: 0 of a choice, else minus the mean known logit.

    A class without negative texts has a logit far from 0 for every study.
    """
    if single:
        return torch.zeros(logits.shape[1])
    known = (~truth.isnan()).float()
    return -(logits.detach() * known).sum(0) / known.sum(0).clamp(min=1)


def descend(
    parameters: Sequence[Tensor],
    gradients: Callable[[], Sequence[Tensor]],
    judge: Callable[[], tuple[float, float]],
    *,
    steps: int,
    rate: float,
    epsilon: float = 1e-8,
    checks: int = CHECKS,
    shares: Sequence[float] | None = None,
    start: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Move `parameters` by Adam with a cosine rate to where `judge` was highest on the way.

    `gradients()` has one tensor a parameter; `judge()` reads the parameters. Start and end are
    judged too; of equals the earliest is kept. The record has the `step` and its `quality`.
    `shares` are factors of the rate, one a parameter; `start` is the start's quality where known.
    """
    factors = [1.0] * len(parameters) if shares is None else shares
    optimiser = torch.optim.Adam([{"params": [one]} for one in parameters], lr=rate, eps=epsilon)
    every = max(1, steps // checks)
    best, at = start or judge(), 0
    kept = [one.detach().clone() for one in parameters]
    for step in range(1, steps + 1):
        now = rate * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        for group, factor in zip(optimiser.param_groups, factors, strict=True):
            group["lr"] = now * factor
        for one, gradient in zip(parameters, gradients(), strict=True):
            one.grad = gradient
        optimiser.step()
        if step % every == 0 or step == steps:
            found = judge()
            if found > best:
                best, at = found, step
                kept = [one.detach().clone() for one in parameters]
    with torch.no_grad():
        for one, value in zip(parameters, kept, strict=True):
            one.copy_(value)
            one.grad = None
    return {"step": at, "quality": best}


def recorded(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen without the pair of numbers it was chosen by, which goes as its first."""
    rest = {key: value for key, value in chosen.items() if key != "quality"}
    return rest | {"validation": chosen["quality"][0]}
