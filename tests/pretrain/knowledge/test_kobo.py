from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.kobo import Kobo
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
ONTOLOGY = [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Text 1 states the same as study 2; text 3 denies what study 0 has; study 3 states nothing."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(4, 6, generator=g, requires_grad=True)
    v = torch.randn(5, 6, generator=g, requires_grad=True)
    findings = [[1, 0, NAN], [NAN, 1, NAN], [1, 1, 0], [NAN, NAN, NAN]]
    stated = [[1, NAN, NAN], [1, 1, 0], [NAN, 1, NAN], [0, NAN, NAN], [NAN, NAN, NAN]]
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor([0, 0, 1, 2, 3]),
        "text": torch.tensor([5, 6, 7, 8, 9]),
        "findings": torch.tensor(findings),
        "stated": torch.tensor(stated),
        "report": F.normalize(torch.randn(4, 3, generator=g), dim=1),
        "meaning": F.normalize(torch.randn(5, 3, generator=g), dim=1),
    }
    return Pair(Encoded(u), Encoded(v)), Facts(torch.arange(4), targets=targets), [u, v]


def slow_weight(f: torch.Tensor, g: torch.Tensor, matrix: list[list[float]]) -> float:
    def sign(x: float) -> float:
        return 0.0 if x != x else (1.0 if x == 1 else -1.0)

    a, b = [sign(float(x)) for x in f], [sign(float(x)) for x in g]

    def product(x: list[float], y: list[float]) -> float:
        return sum(x[i] * matrix[i][j] * y[j] for i in range(3) for j in range(3))

    size = (product(a, a) * product(b, b)) ** 0.5
    return 1.0 if size == 0 else max(0.0, product(a, b) / size)


@pytest.mark.parametrize("near_by", ["findings", "report"])
@pytest.mark.parametrize("ontology", [None, ONTOLOGY])
@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_the_formula_against_a_loop(near_by: str, ontology, strength: float) -> None:
    pair, facts, (u, v) = sample()
    objective = Kobo(ontology=ontology, near_by=near_by, strength=strength, temperature=0.5)
    loss = objective(pair, facts).total
    t, owner = facts.targets, [0, 0, 1, 2, 3]
    matrix = ontology or torch.eye(3).tolist()
    z = 2 * F.normalize(u, dim=1) @ F.normalize(v, dim=1).T

    def weight(i: int, m: int) -> float:
        if owner[m] == i:
            return 1.0
        if near_by == "report":
            near = max(0.0, float(t["report"][i] @ t["meaning"][m]))
        else:
            f, g = t["findings"][i], t["stated"][m]
            near = slow_weight(f, g, matrix)
            if torch.isnan(f).all() or torch.isnan(g).all():
                near = 0.0
        return max(0.0, 1 - strength * near)

    total = torch.zeros(())
    rows = [[(z[i, m], weight(i, m), owner[m] == i) for m in range(5)] for i in range(4)]
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        for line in lines:
            below = torch.stack([w * value.exp() for value, w, _ in line]).sum().log()
            true = [value for value, _, own in line if own]
            total = total + sum(below - value for value in true) / len(true) / len(lines) / 2
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, (u, v))
    for a, b in zip(ours, torch.autograd.grad(total, (u, v)), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("same_text", ["positive", "neutral", "negative"])
def test_without_strength_it_is_clip(same_text: str) -> None:
    pair, facts, _ = sample()
    one = Kobo(strength=0.0, same_text=same_text)(pair, facts).total
    torch.testing.assert_close(one, Clip(same_text=same_text)(pair, facts).total)


def test_nothing_stated_is_clip() -> None:
    pair, facts, leaves = sample()
    empty = {k: torch.full_like(facts.targets[k], NAN) for k in ("findings", "stated")}
    loss = Kobo()(pair, Facts(facts.patient, targets=dict(facts.targets) | empty)).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


def test_a_negation_is_no_agreement_and_the_same_statement_does_not_push() -> None:
    _, facts, _ = sample()
    weight = Kobo().weights(facts)
    assert weight[2, 1] < 1e-6  # study 2 and text 1 state the same
    assert weight[0, 3] == 1  # study 0 has what text 3 denies
    assert 0 < weight[1, 1] < 1
    assert (weight[3] == 1).all()


def test_all_normal_reports_do_not_push_each_other() -> None:
    pair, facts, leaves = sample()
    normal = {k: torch.zeros_like(facts.targets[k]) for k in ("findings", "stated")}
    loss = Kobo()(pair, Facts(facts.patient, targets=dict(facts.targets) | normal)).total
    (grad,) = torch.autograd.grad(loss, leaves[:1])
    assert grad[1:].abs().max() < 1e-6  # each has its one text alone in the denominator


def test_one_study_alone_is_finite() -> None:
    _, facts, leaves = sample()
    alone = {k: v[:1] for k, v in facts.targets.items()}
    one = Pair(Encoded(leaves[0][:1]), Encoded(leaves[1][:1]))
    assert Kobo()(one, Facts(facts.patient[:1], targets=alone)).total == 0


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample()
    with pytest.raises(ModelError, match="near_by must be 'findings' or 'report'"):
        Kobo(near_by="graph")
    with pytest.raises(ModelError, match=r"strength must be in \[0, 1\]"):
        Kobo(strength=2.0)
    with pytest.raises(ModelError, match="symmetric matrix"):
        Kobo(ontology=[[1.0, 0.0]])
    with pytest.raises(ValueError, match="must speak of the 3 findings, got 2"):
        Kobo(ontology=torch.eye(2))(pair, facts)
