from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.false_negatives import FalseNegatives
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]


def setting() -> tuple[torch.Tensor, torch.Tensor, Facts]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(4, 6, generator=g, requires_grad=True)
    v = torch.randn(6, 6, generator=g)
    meaning = F.normalize(torch.randn(6, 4, generator=g), dim=1)
    v[3], meaning[3] = v[0], meaning[0]  # the same text
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "report": F.normalize(torch.randn(4, 4, generator=g), dim=1),
        "meaning": meaning,
    }
    return u, v.requires_grad_(), Facts(torch.tensor(PATIENT), targets=targets)


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


@pytest.mark.parametrize("treatment", ["remove", "soft", "soft undivided"])
@pytest.mark.parametrize("by", ["report", "meaning"])
@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_pair_by_pair(treatment: str, by: str, same_text: str, same_patient: str) -> None:
    u, v, facts = setting()
    objective = FalseNegatives(
        treatment=treatment.split()[0],
        by=by,
        threshold=0.2,
        strength=0.7,
        rate=0.9,
        divide=treatment == "soft",
        temperature=0.5,
        same_text=same_text,
        same_patient=same_patient,
    )
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.5
    once = [m for m in range(6) if same_text != "positive" or TEXT.index(TEXT[m]) == m]
    x = facts.targets[by]

    def compared(i: int, m: int) -> list[tuple[int, int]]:
        if by == "meaning":
            return [(k, m) for k in range(6) if OWNER[k] == i]
        return [(i, j) for j in writers(m)]

    def writers(m: int) -> list[int]:
        if same_text != "positive":
            return [OWNER[m]]
        return [OWNER[k] for k in range(6) if TEXT[k] == TEXT[m]]

    def target(i: int, m: int) -> float | None:
        if i in writers(m):
            return 1.0
        if same_patient == "neutral" and PATIENT[OWNER[m]] == PATIENT[i]:
            return None
        if treatment == "remove":
            return None if max(float(x[a] @ x[b]) for a, b in compared(i, m)) >= 0.2 else 0.0
        soft = [
            0.7 * (1 - math.exp(-0.9 * max(correlation(x[a], x[b]), 0.0)))
            for a, b in compared(i, m)
        ]
        return sum(soft) / len(soft)

    rows = [[(z[i, m], target(i, m)) for m in once] for i in range(4)]
    values = [w for row in rows for _, w in row]
    assert any(w is None or 0 < w < 1 for w in values)
    slow = torch.zeros(())
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        for line in lines:
            kept = [(value, w) for value, w in line if w is not None]
            log = torch.logsumexp(torch.stack([value for value, _ in kept]), 0)
            each = sum(w * (log - value) for value, w in kept)
            each = each / (1.0 if "undivided" in treatment else sum(w for _, w in kept))
            slow = slow + each / len(lines) / 2
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_high_threshold_and_no_strength_are_clip() -> None:
    u, v, facts = setting()
    pair = Pair(Encoded(u), Encoded(v))
    clip = Clip()(pair, facts).total
    for objective in (FalseNegatives(threshold=2.0), FalseNegatives(treatment="soft", strength=0)):
        torch.testing.assert_close(objective(pair, facts).total, clip)


def test_a_removed_negative_does_not_push() -> None:
    u, v, facts = setting()
    rows = torch.arange(4)
    same = {"study": rows, "owner": rows, "text": rows, "report": torch.ones(4, 4) / 2}
    loss = FalseNegatives()(Pair(Encoded(u), Encoded(v[:4])), Facts(facts.patient, targets=same))
    assert loss.total.abs() < 1e-6
    assert torch.autograd.grad(loss.total, u)[0].abs().max() < 1e-6


@pytest.mark.parametrize("by", ["report", "meaning"])
def test_a_threshold_of_1_removes_identical_reports(by: str) -> None:
    """In float32 the cosine of a vector with its copy is often 0.99999994."""
    g, rows = torch.Generator().manual_seed(0), torch.arange(80)
    vectors = torch.randn(40, 64, generator=g).repeat(2, 1)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows, by: vectors})
    x = torch.randn(80, 6, generator=g)
    loss = FalseNegatives(threshold=1.0, by=by)(Pair(Encoded(x), Encoded(x)), facts)
    assert loss.parts["touched"] == 1


def test_one_study() -> None:
    u, v, facts = setting()
    one = Facts(facts.patient[:1], targets={k: x[:1] for k, x in facts.targets.items()})
    for treatment in ("remove", "soft"):
        loss = FalseNegatives(treatment=treatment)(Pair(Encoded(u[:1]), Encoded(v[:1])), one).total
        assert loss.abs() < 1e-6
        assert loss.requires_grad


def test_wrong_words_are_refused() -> None:
    for wrong in ({"treatment": "x"}, {"by": "findings"}, {"rate": -1.0}):
        with pytest.raises(ModelError, match="must"):
            FalseNegatives(**wrong)
