from __future__ import annotations

import torch
from torch import nn

from asclip.train.optim import Average, adamw, rate


def test_rate_never_leaves_zero_to_one() -> None:
    assert all(0 <= rate(step, 7, 0.3) <= 1 for step in range(8))
    assert rate(0, 1, 0.0) == 1.0


def test_vectors_and_scalars_do_not_decay() -> None:
    layer = nn.Linear(3, 2)
    groups = adamw([layer], lr=1e-3, weight_decay=0.1).param_groups
    assert [g["weight_decay"] for g in groups] == [0.1, 0.0]
    assert groups[0]["params"][0] is layer.weight
    assert groups[1]["params"][0] is layer.bias


def test_frozen_weights_are_left_out() -> None:
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    assert sum(len(g["params"]) for g in adamw([layer], lr=1.0, weight_decay=0.1).param_groups) == 1


def test_average_follows_and_swaps_back() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    average = Average([layer], decay=0.5)
    for step in range(100, 103):
        with torch.no_grad():
            layer.weight.fill_(1.0)
        average.update(step)
    average.swap()
    assert layer.weight.item() == 1 - 0.5**3
    average.swap()
    assert layer.weight.item() == 1.0
