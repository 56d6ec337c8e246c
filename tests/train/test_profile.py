from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from asclip.pretrain.local import local_similarity
from asclip.train import profile as module
from asclip.train.profile import counted


@pytest.mark.parametrize("keep", [2**20, 0])
@pytest.mark.parametrize("room", [2**20, 64])
def test_every_product_of_local_similarity_is_counted(keep: int, room: int) -> None:
    """By hand, from pretrain/local.py: b images of n regions, w words, width d."""
    b, n, d, valid = 3, 16, 8, torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    w = int(valid.sum())
    regions = torch.randn(b, n, d, requires_grad=True)
    words = torch.randn(*valid.shape, d, requires_grad=True)
    with counted() as counter:
        out = local_similarity(regions, words, valid, room=room, keep=keep)
    scores, gram, turned = b * w * n * d, b * n * n * d, b * w * n * n
    assert counter.get_total_flops() == 2 * (scores + gram + turned)
    with counted() as counter:
        out.sum().backward()
    again = 0 if keep else scores
    # gram and what goes through it; of gram and of the scores before the softmax; of both inputs
    assert counter.get_total_flops() == 2 * (again + 2 * gram + 2 * turned + 2 * scores)


def test_attention_and_products_with_a_place_to_go_are_counted() -> None:
    q = torch.randn(2, 4, 16, 8, requires_grad=True)
    product = 2 * 2 * 4 * 16 * 16 * 8
    with counted() as counter:
        out = nn.functional.scaled_dot_product_attention(q, q, q)
    assert counter.get_total_flops() == 2 * product
    with counted() as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 5 * product  # the scores are computed again
    a, b = torch.randn(3, 5), torch.randn(5, 7)
    with counted() as counter:
        torch.mm(a, b, out=torch.empty(3, 7))
        torch.bmm(a[None], b[None], out=torch.empty(1, 3, 7))
        torch.zeros(3, 7).addmm_(a, b)
        torch.zeros(1, 3, 7).baddbmm_(a[None], b[None])
    assert counter.get_total_flops() == 4 * 2 * 3 * 5 * 7


def test_a_step_of_several_batches_costs_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(run: Any, batch: torch.Tensor, step: int, part: int) -> None:
        run.model(batch)

    monkeypatch.setattr(module, "_step", step)
    run: Any = SimpleNamespace(
        model=nn.Linear(4, 5, bias=False),
        objective=nn.Identity(),
        batches=SimpleNamespace(at=lambda step: torch.ones(6, 4)),
        settings=SimpleNamespace(accumulate=3),
    )
    assert module.operations(run) == 3 * 2 * 6 * 4 * 5
