from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.fairclip import FairClip, divergence, transport
from asclip.types import Encoded, Facts, Pair

GROUP = [0, 1, 0, 1, -1, 0, 1]
OWNER = [0, 0, 1, 2, 3, 4, 5, 6]


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Seven studies of two groups, one of neither, and eight texts; two say the same."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(7, 6, generator=g, requires_grad=True)
    v = torch.randn(8, 6, generator=g, requires_grad=True)
    targets = {
        "study": torch.arange(7),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor([1, 2, 3, 4, 5, 3, 6, 7]),
        "group:sex": torch.tensor(GROUP),
    }
    return Pair(Encoded(u), Encoded(v)), Facts(torch.arange(7), targets=targets), [u, v]


def slow_transport(a: torch.Tensor, b: torch.Tensor, blur: float) -> torch.Tensor:
    """Sinkhorn's scaling of the kernel, many rounds, the gradient through all of them."""
    cost = torch.stack([torch.stack([(x - y) ** 2 / 2 for y in b]) for x in a])
    kernel = torch.exp(-cost / blur**2)
    left, right = torch.full_like(a, 1 / len(a)), torch.full_like(b, 1 / len(b))
    one = torch.ones_like(left)
    for _ in range(400):
        other = right / (kernel.T @ one)
        one = left / (kernel @ other)
    plan = one[:, None] * kernel * other[None, :]
    entropy = (plan * torch.log(plan / (left[:, None] * right[None, :]))).sum()
    return (plan * cost).sum() + blur**2 * entropy


def slow_divergence(a: torch.Tensor, b: torch.Tensor, blur: float) -> torch.Tensor:
    same = slow_transport(a, a, blur) + slow_transport(b, b, blur)
    return slow_transport(a, b, blur) - same / 2


def test_the_formula_against_a_loop() -> None:
    pair, facts, (u, v) = sample()
    loss = FairClip(weight=2.0, blur=0.6, temperature=0.5)(pair, facts)
    x, y = F.normalize(u, dim=1).double(), F.normalize(v, dim=1).double()
    alike = torch.stack(
        [torch.stack([x[i] @ y[m] for m in range(8) if OWNER[m] == i]).mean() for i in range(7)]
    )
    fair = torch.zeros((), dtype=torch.float64)
    for number in (0, 1):
        group = alike[[i for i in range(7) if GROUP[i] == number]]
        fair = fair + slow_divergence(2 * alike, 2 * group, 0.6)
    theirs = Clip(temperature=0.5)(pair, facts).total + 2 * fair.float()
    torch.testing.assert_close(loss.total, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(loss.parts["fair"], fair.float().detach(), atol=1e-6, rtol=1e-5)
    ours = torch.autograd.grad(loss.total, (u, v))
    for one, slow in zip(ours, torch.autograd.grad(theirs, (u, v)), strict=True):
        torch.testing.assert_close(one, slow, atol=1e-5, rtol=1e-5)


def test_the_gradient_of_the_distance_is_not_lost_in_clips() -> None:
    g = torch.Generator().manual_seed(1)
    a = torch.randn(6, generator=g, dtype=torch.float64, requires_grad=True)
    b = torch.randn(4, generator=g, dtype=torch.float64, requires_grad=True)
    ours = torch.autograd.grad(divergence(a, b, 0.4), (a, b))
    slow = torch.autograd.grad(slow_divergence(a, b, 0.4), (a, b))
    for one, other in zip(ours, slow, strict=True):
        assert other.abs().max() > 1e-2
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("blur", [1e-4, 0.02])
def test_a_small_blur_is_the_distance_of_sorted_samples(blur: float) -> None:
    g = torch.Generator().manual_seed(2)
    a, b = torch.randn(12, generator=g).double(), 0.5 * torch.randn(12, generator=g).double() + 1
    exact = ((a.sort().values - b.sort().values) ** 2).mean() / 2
    torch.testing.assert_close(transport(a, b, blur), exact, atol=2e-3, rtol=0)
    assert transport(a, b, blur) >= 0


def test_equal_distributions_cost_nothing_and_shifted_ones_their_shift() -> None:
    a = torch.linspace(-1, 1, 9)
    assert abs(float(divergence(a, a.flip(0), 0.1))) < 1e-9
    # W2 of a shift is the shift, whatever the blur: the cross terms cancel.
    assert math.isclose(float(divergence(a, a + 0.5, 0.3)), 0.125, abs_tol=1e-6)


@pytest.mark.parametrize("group", [[0] * 7, [-1] * 7, [0, 1, 0, 0, 0, 0, 0]])
def test_without_two_groups_it_is_clip(group: list[int]) -> None:
    pair, facts, leaves = sample()
    facts = Facts(facts.patient, targets={**facts.targets, "group:sex": torch.tensor(group)})
    loss, clip = FairClip()(pair, facts).total, Clip()(pair, facts).total
    torch.testing.assert_close(loss, clip)
    ours = torch.autograd.grad(loss, leaves)
    for a, b in zip(ours, torch.autograd.grad(clip, leaves), strict=True):
        torch.testing.assert_close(a, b)


def test_descent_brings_the_groups_together() -> None:
    pair, facts, leaves = sample()
    objective = FairClip(weight=50.0, blur=0.02, temperature=1.0)
    before = objective(pair, facts).parts["fair"]
    for _ in range(15):
        grads = torch.autograd.grad(objective(pair, facts).total, leaves)
        for leaf, grad in zip(leaves, grads, strict=True):
            leaf.data -= 0.02 * grad
    assert objective(pair, facts).parts["fair"] < before / 2


def test_it_names_the_column_that_it_needs_and_refuses_what_cannot_be() -> None:
    assert "facts.group:age:40" in FairClip("age:40").needs
    for options in ({"weight": -1.0}, {"blur": 0.0}):
        with pytest.raises(ModelError, match="fair_weight must be 0 or more and blur above 0"):
            FairClip(**options)
