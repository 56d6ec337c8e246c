from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.modalities import Modalities
from asclip.pretrain.multiscale.lovt import LoVT
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.pretrain.multiscale.prior import Prior
from asclip.pretrain.scale import LARGEST, keep_bounded, log_scale, scale_of
from asclip.train.optim import adamw


def test_scale_is_bounded_as_in_clip() -> None:
    assert abs(scale_of(torch.tensor(10.0)).item() - 100.0) < 1e-3


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature must be a positive number"):
        log_scale(temperature)


def test_a_temperature_whose_scale_is_above_the_bound_is_refused() -> None:
    for objective in (
        lambda t: Clip(temperature=t),
        lambda t: Clip(learn_temperature=False, temperature=t),
    ):
        with pytest.raises(ModelError, match=r"at least 0.01 .*, got 0.005; give 0.01 or more"):
            objective(0.005)
    assert scale_of(log_scale(0.01)).item() == pytest.approx(100.0)


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan")])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LoVT, "temperature"),
        (LoVT, "local_temperature"),
        (Mgca, "temperature"),
        (Mgca, "token_temperature"),
        (Mgca, "prototype_temperature"),
        (Mgca, "epsilon"),
    ],
)
def test_fixed_temperatures_are_positive_too(kind, name: str, value: float) -> None:
    with pytest.raises(ModelError, match=f"^{name} must be a positive number"):
        kind(8, **{name: value})


@pytest.mark.parametrize("start", [0.01, 0.0101])
def test_a_scale_that_reached_the_bound_comes_back(start: float) -> None:
    """The loss wants it above the bound for ten updates, and at 20 from then on."""
    objective = Clip(temperature=start)
    optimiser = adamw([objective], lr=2e-2, weight_decay=0.0)
    for step in range(200):
        optimiser.zero_grad()
        loss = -objective.scale if step < 10 else (objective.scale / 20 - 1) ** 2
        loss.backward()
        optimiser.step()
        keep_bounded(objective)
        assert objective.log_scale.exp() <= LARGEST * (1 + 1e-6)
    assert 19 < objective.scale.item() < 40


def test_at_the_bound_there_is_a_gradient() -> None:
    objective = Clip()
    with torch.no_grad():
        objective.log_scale.fill_(7.0)
    assert torch.autograd.grad(objective.scale, objective.log_scale)[0] == 0
    keep_bounded(objective)
    assert torch.autograd.grad(objective.scale, objective.log_scale)[0] > 99


def test_every_scale_of_an_objective_is_kept_and_nothing_else() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.prior = Prior(8, stage=1, heads=2)
            self.streams = Modalities((("view", "has_view"), ("prior", "has_prior")))
            self.log_odds = nn.Parameter(torch.zeros(()))

    objective = Other()
    for parameter in objective.parameters():
        parameter.data.fill_(9.0)
    keep_bounded(objective)
    bound = math.log(LARGEST)
    low = {name for name, p in objective.named_parameters() if (p <= bound + 1e-5).all()}
    few = {f"streams.log_scales.{k}" for k in range(5)}
    assert low == few | {"prior.log_scale", "prior.log_local_scale", "streams.log_scale"}
