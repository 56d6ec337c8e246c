from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.group_weights import GroupWeights, group_weights, weighted_contrast
from asclip.pretrain.terms import Relation, contrast
from asclip.types import Encoded, Facts, Pair

GROUP = [0, 0, 0, 1, -1]
OWNER, TEXT = [0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 3]
PATIENT = [7, 8, 7, 9, 10]


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Five studies, the only one of group 1 among them, and six texts; text 3 stands twice."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(5, 6, generator=g, requires_grad=True)
    v = torch.randn(6, 6, generator=g, requires_grad=True)
    targets = {
        "study": torch.arange(5),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "group:sex": torch.tensor(GROUP),
    }
    return Pair(Encoded(u), Encoded(v)), Facts(torch.tensor(PATIENT), targets=targets), [u, v]


@pytest.mark.parametrize("same_patient", ["negative", "neutral"])
def test_the_formula_against_a_loop(same_patient: str) -> None:
    pair, facts, (u, v) = sample()
    objective = GroupWeights(balance=0.7, temperature=0.5, same_patient=same_patient)
    loss = objective(pair, facts).total
    weight = [(4 / (2 * 3)) ** 0.7] * 3 + [(4 / 2) ** 0.7, 1.0]
    x, y = F.normalize(u, dim=1), F.normalize(v, dim=1)
    once = [0, 1, 2, 3, 4]  # text 3 of study 1 and of study 4 is one column
    true = [[any(OWNER[n] == i and TEXT[n] == TEXT[m] for n in range(6)) for m in once]
            for i in range(5)]  # fmt: skip

    def counts(i: int, k: int) -> bool:
        """False for a text of another study of the same patient, which is left out."""
        writers = [j for j in range(5) if true[j][k]]
        related = any(PATIENT[j] == PATIENT[i] for j in writers)
        return true[i][k] or not (same_patient == "neutral" and related)

    def share(logit: torch.Tensor, others: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([torch.exp(o) for o in others]).sum().log() - logit

    z = 2 * x @ y[once].T
    rows, columns = torch.zeros(()), torch.zeros(())
    for i in range(5):
        own = [k for k in range(5) if true[i][k]]
        every = [z[i, k] for k in range(5) if counts(i, k)]
        rows = rows + weight[i] * sum(share(z[i, k], every) for k in own) / len(own)
    total = 0.0
    for k in range(5):
        own = [i for i in range(5) if true[i][k]]
        every = [z[i, k] + math.log(weight[i]) for i in range(5) if counts(i, k)]
        inside = sum(weight[i] for i in own)
        w = inside / len(own)
        columns = columns + w * sum(weight[i] * share(z[i, k], every) for i in own) / inside
        total = total + w
    theirs = (rows / sum(weight) + columns / total) / 2
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, (u, v))
    for a, b in zip(ours, torch.autograd.grad(theirs, (u, v)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_whole_weight_is_that_many_studies() -> None:
    """Two texts that several studies share: three copies of the last study, or the weight 3."""
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    true = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 1]]) > 0
    copies = torch.tensor([0, 1, 2, 3, 3, 3])
    none, texts = torch.zeros_like(true), torch.arange(2)
    repeated = contrast(z[copies], Relation(true[copies], none[copies], texts))
    rows, columns = weighted_contrast(
        z, Relation(true, none, texts), torch.tensor([1.0, 1.0, 1.0, 3.0])
    )
    torch.testing.assert_close(rows, repeated[0])
    # Columns have the mean weight of their studies, 1 and 2; copies of the texts they are not.
    among = [contrast(z[copies][:, k : k + 1], Relation(true[copies][:, k : k + 1],
             none[copies][:, :1], texts[:1]))[1] for k in range(2)]  # fmt: skip
    torch.testing.assert_close(columns, (among[0] + 2 * among[1]) / 3)


@pytest.mark.parametrize(
    ("balance", "group"), [(0.0, GROUP), (1.0, [0, 0, 1, 1, -1]), (1.0, [-1] * 5)]
)
def test_equal_weights_are_clip(balance: float, group: list[int]) -> None:
    pair, facts, leaves = sample()
    facts = Facts(facts.patient, targets={**facts.targets, "group:sex": torch.tensor(group)})
    loss, clip = GroupWeights(balance=balance)(pair, facts).total, Clip()(pair, facts).total
    torch.testing.assert_close(loss, clip)
    ours = torch.autograd.grad(loss, leaves)
    for a, b in zip(ours, torch.autograd.grad(clip, leaves), strict=True):
        torch.testing.assert_close(a, b)


def test_each_group_weighs_the_same_in_balance() -> None:
    group = torch.tensor([0] * 50 + [1] * 9 + [2] * 5 + [-1] * 4)
    weight = group_weights(group, 1.0)
    sums = [float(weight[group == g].sum()) for g in range(3)]
    assert all(math.isclose(s, 64 / 3, rel_tol=1e-5) for s in sums)
    assert (weight[group == -1] == 1).all()


def test_a_balance_beyond_one_is_refused() -> None:
    with pytest.raises(ModelError, match="balance must be from 0"):
        GroupWeights(balance=1.5)
