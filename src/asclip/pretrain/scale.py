"""The scale that cosines are multiplied with before a softmax: one over a temperature."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor, nn

from asclip.errors import ModelError

LARGEST = 100.0  # CLIP's bound: a softmax of cosines times more knows only the nearest


class Scaled(nn.Module):
    """An objective that learns how sharp its softmax is; it owns a `log_scale`."""

    log_scale: Tensor

    @property
    def scale(self) -> Tensor:
        """What a cosine, or the objective's own `score`, is multiplied with to give a logit."""
        return scale_of(self.log_scale)


def check_positive(**given: float) -> None:
    """ModelError unless each of these is a positive number.

    >>> check_positive(temperature=0.1, epsilon=0.05)
    """
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise ModelError(
                f"{name} must be a positive number, got {value}; the softmax divides by it"
            )


def check_not_negative(**given: float) -> None:
    """ModelError unless each of these, such as a weight, is 0 or a positive number.

    >>> check_not_negative(local_weight=0.0)
    """
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise ModelError(f"{name} must not be negative, got {value}; give 0 or a finite number")


def check_share(**given: float) -> None:
    """ModelError unless each of these is from 0 to 1."""
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ModelError(f"{name} must be from 0 to 1, got {value}")


def check_count(**given: int) -> None:
    """ModelError unless each of these is at least 1."""
    for name, value in given.items():
        if value < 1:
            raise ModelError(f"{name} must be at least 1, got {value}")


def check_cosine(**given: float) -> None:
    """ModelError unless each of these can bound a cosine from below; above 1 nothing reaches it."""
    for name, value in given.items():
        if not value >= -1:
            raise ModelError(f"{name} must be -1 or more, for it bounds a cosine; got {value}")


def log_scale(temperature: float) -> nn.Parameter:
    """A learnable log of 1 / temperature (CLIP's `logit_scale`).

    It is to be called `log_scale` or `log_..._scale`, by which `keep_bounded` finds it.

    Raises:
        ModelError: the temperature is not positive, or its scale is above `LARGEST`.

    >>> round(log_scale(0.07).item(), 4)
    2.6593
    """
    check_positive(temperature=temperature)
    if temperature < 1 / LARGEST:
        raise ModelError(
            f"temperature must be at least {1 / LARGEST:g} (the scale is 1 / temperature, at most "
            f"{LARGEST:g}), got {temperature:g}; give {1 / LARGEST:g} or more"
        )
    return nn.Parameter(torch.tensor(math.log(1.0 / temperature)))


def scale_of(log: Tensor) -> Tensor:
    """exp(log), at most `LARGEST`; above it without a gradient, see `keep_bounded`."""
    return log.clamp(max=math.log(LARGEST)).exp()


@torch.no_grad()
def keep_bounded(objective: nn.Module) -> None:
    """Bring every log scale of an objective that an update carried past the bound back to it.

    Past it there is no gradient that could: the scale would stay `LARGEST` to the end of the run.
    """
    for name, parameter in objective.named_parameters():
        if re.search(r"(^|\.)log_(\w+_)?scales?(\.\d+)?$", name):
            parameter.clamp_(max=math.log(LARGEST))
