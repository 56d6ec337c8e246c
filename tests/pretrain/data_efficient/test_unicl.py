from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.unicl import UniCl
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
OWNER, TEXT, PATIENT = (
    [0, 0, 1, 2, 3, 3, 4, 5],
    [10, 11, 12, 10, 13, 14, 15, 16],
    [7, 8, 7, 9, 5, 9],
)
FINDINGS = [
    [1, 0, 1], [1, 0, 1], [1, 0, NAN], [0, 0, NAN], [NAN, NAN, NAN], [NAN, NAN, NAN]
]  # fmt: skip
NORMAL = [False, False, False, True, True, True]


def setting() -> tuple[torch.Tensor, torch.Tensor, Facts]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(6, 6, generator=g, requires_grad=True)
    v = torch.randn(8, 6, generator=g)
    v[3] = v[0]  # the same text
    targets = {
        "study": torch.arange(6),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "findings": torch.tensor(FINDINGS),
        "normal": torch.tensor(NORMAL),
    }
    return u, v.requires_grad_(), Facts(torch.tensor(PATIENT), targets=targets)


def alike(i: int, j: int, match: str) -> float:
    a, b = FINDINGS[i], FINDINGS[j]
    if not all(NORMAL[k] or any(x == x for x in FINDINGS[k]) for k in (i, j)):
        return 0.0
    if match == "vector":
        return float(all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True)))
    shared = sum(x == 1 and y == 1 for x, y in zip(a, b, strict=True))
    return float(shared + (1 not in a and 1 not in b))


@pytest.mark.parametrize("match", ["vector", "category"])
@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_weights_pair_by_pair(match: str, same_text: str, same_patient: str) -> None:
    u, v, facts = setting()
    objective = UniCl(match=match, temperature=0.5, same_text=same_text, same_patient=same_patient)
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.5
    once = [m for m in range(8) if same_text != "positive" or TEXT.index(TEXT[m]) == m]

    def weigh(i: int, m: int) -> float | None:
        writers = [OWNER[m]]
        if same_text == "positive":
            writers = [OWNER[k] for k in range(8) if TEXT[k] == TEXT[m]]
        weight = sum(alike(i, j, match) for j in writers) / len(writers)
        if i in writers:
            return max(weight, 1.0)
        neutral = same_patient == "neutral" and PATIENT[OWNER[m]] == PATIENT[i]
        return None if neutral and weight == 0 else weight

    rows = [[(z[i, m], weigh(i, m)) for m in once] for i in range(6)]
    slow = torch.zeros(())
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        for line in lines:
            kept = [(x, w) for x, w in line if w is not None]
            log = torch.logsumexp(torch.stack([x for x, _ in kept]), 0)
            each = sum(w * (log - x) for x, w in kept) / sum(w for _, w in kept)
            slow = slow + each / len(lines) / 2
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("match", ["vector", "category"])
def test_nothing_known_is_clip(match: str) -> None:
    u, v, facts = setting()
    nothing = {"findings": torch.full((6, 3), NAN), "normal": torch.zeros(6, dtype=torch.bool)}
    unknown = Facts(facts.patient, targets={**facts.targets, **nothing})
    pair = Pair(Encoded(u), Encoded(v))
    torch.testing.assert_close(UniCl(match=match)(pair, unknown).total, Clip()(pair, unknown).total)


@pytest.mark.parametrize("match", ["vector", "category"])
def test_all_normal_reports_are_not_pushed_apart(match: str) -> None:
    facts = setting()[2]
    normal = Facts(facts.patient, targets={**facts.targets, "findings": torch.zeros(6, 3)})
    u = torch.ones(6, 6, requires_grad=True)
    loss = UniCl(match=match)(Pair(Encoded(u), Encoded(torch.ones(8, 6))), normal).total
    assert torch.autograd.grad(loss, u)[0].abs().max() < 1e-6


def test_one_study_and_a_wrong_word() -> None:
    u, v, facts = setting()
    one = Facts(facts.patient[:1], targets={k: x[:1] for k, x in facts.targets.items()})
    loss = UniCl()(Pair(Encoded(u[:1]), Encoded(v[:1])), one).total
    assert loss.abs() < 1e-6
    assert loss.requires_grad
    with pytest.raises(ModelError, match="match must be"):
        UniCl(match="label")
