from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.pretrain.knowledge.mflag import MFlag, orthogonality
from asclip.types import Encoded, Facts, Pair


def sample(owner: list[int], studies: int = 3) -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(studies, 4, generator=g, requires_grad=True)
    v = torch.randn(len(owner), 4, generator=g, requires_grad=True)
    rows = torch.arange(studies)
    facts = Facts(rows, targets={"study": rows, "owner": torch.tensor(owner)})
    return Pair(Encoded(u), Encoded(v)), facts, [u, v]


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_the_formula_against_a_loop(variant: str) -> None:
    owner = [0, 0, 1, 2]
    pair, facts, (u, v) = sample(owner)
    loss = MFlag(variant=variant, orthogonal_weight=0.5, off_weight=0.1)(pair, facts).total
    align = torch.zeros(())
    for m, i in enumerate(owner):
        distance = 2 - 2 * (u[i] @ v[m]) / (u[i].norm() * v[m].norm())
        align = align + (2 if variant == "official" else 1) * distance / len(owner)
    straight = torch.zeros(())
    for d in range(4):
        for e in range(4):
            moment = sum(u[i, d] * u[i, e] for i in range(3)) / 3
            straight = straight + ((moment - 1) ** 2 if d == e else 0.1 * moment**2) / 2
    theirs = align + 0.5 * straight
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, (u, v))
    for a, b in zip(ours, torch.autograd.grad(theirs, (u, v)), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_collapse_costs_and_orthogonal_latents_do_not() -> None:
    straight = 2.0 * torch.eye(4)  # mean square 1 a dimension, no two dimensions together
    assert orthogonality(straight) == 0
    assert orthogonality(torch.ones(4, 4)) > 0
    assert orthogonality(torch.zeros(4, 4)) == 2


def test_one_study_alone_is_finite() -> None:
    pair, facts, leaves = sample([0], 1)
    loss = MFlag()(pair, facts).total
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


def test_there_are_no_negatives() -> None:
    """Who else is in the batch does not matter to the alignment of one study."""
    pair, facts, (u, _) = sample([0, 1, 2])
    loss = MFlag(orthogonal_weight=0.0)(pair, facts).total
    (grad,) = torch.autograd.grad(loss, u)
    alone = sample([0, 1, 2])[2]
    one = Pair(Encoded(alone[0][:1]), Encoded(alone[1][:1]))
    rows = torch.arange(1)
    small = MFlag(orthogonal_weight=0.0)(one, Facts(rows, targets={"study": rows, "owner": rows}))
    (single,) = torch.autograd.grad(small.total, alone[0])
    torch.testing.assert_close(grad[0] * 3, single[0])


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        MFlag(variant="theirs")
