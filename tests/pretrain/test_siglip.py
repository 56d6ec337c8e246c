from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.siglip import SigLip
from asclip.types import Encoded, Facts, Pair


def test_against_a_loop() -> None:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(3, 5, generator=g, requires_grad=True)
    v = torch.randn(4, 5, generator=g, requires_grad=True)
    owner, text = [0, 1, 2, 2], [3, 4, 3, 5]
    facts = Facts(
        torch.arange(3),
        targets={
            "study": torch.arange(3),
            "owner": torch.tensor(owner),
            "text": torch.tensor(text),
        },
    )
    objective = SigLip(scale=10.0, bias=-3.0)
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    slow = torch.zeros(())
    for i in range(3):
        for m in (0, 1, 3):  # text 3 stands twice and counts once
            logit = 10 * F.cosine_similarity(u[i], v[m], dim=0) - 3
            true = text[m] in {text[k] for k in range(4) if owner[k] == i}
            slow = slow + F.softplus(-logit if true else logit) / 3
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_neutral_pairs_are_no_question() -> None:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(3, 5, generator=g, requires_grad=True)
    v = torch.randn(4, 5, generator=g, requires_grad=True)
    owner, text, patient = [0, 1, 2, 2], [3, 4, 3, 5], [1, 1, 2]
    targets = {
        "study": torch.arange(3),
        "owner": torch.tensor(owner),
        "text": torch.tensor(text),
    }
    objective = SigLip(bias=-3.0, same_text="neutral", same_patient="neutral")
    facts = Facts(torch.tensor(patient), targets=targets)
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    slow, asked = torch.zeros(()), 0
    for i in range(3):
        for m in range(4):
            same_text = text[m] in {text[k] for k in range(4) if owner[k] == i}
            writers = {patient[owner[k]] for k in range(4) if text[k] == text[m]}
            if owner[m] != i and (same_text or patient[i] in writers):
                continue
            logit = 10 * F.cosine_similarity(u[i], v[m], dim=0) - 3
            slow = slow + F.softplus(-logit if owner[m] == i else logit) / 3
            asked += 1
    assert asked == 7
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.0, -1.0, 200.0, math.nan])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(ModelError, match="scale must be above 0 and at most 100, got"):
        SigLip(scale=scale)


def test_published_start_values() -> None:
    objective = SigLip()
    assert math.isclose(objective.log_scale.exp().item(), 10.0, rel_tol=1e-6)
    assert objective.bias.item() == -10.0
