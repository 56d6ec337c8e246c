from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.dhn_nce import DhnNce
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]


def embeddings(images: int = 4, texts: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(images, 6, generator=g, requires_grad=True)
    return u, torch.randn(texts, 6, generator=g, requires_grad=True)


def several() -> Facts:
    return Facts(
        torch.tensor(PATIENT),
        targets={
            "study": torch.arange(4),
            "owner": torch.tensor(OWNER),
            "text": torch.tensor(TEXT),
        },
    )


def single(count: int) -> Facts:
    rows = torch.arange(count)
    return Facts(rows, targets={"study": rows, "owner": rows, "text": rows})


def check(loss: torch.Tensor, slow: torch.Tensor, *leaves: torch.Tensor) -> None:
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        assert b.abs().max() > 1e-5
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("same_text", ["positive", "neutral", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_the_formula_pair_by_pair(share: float, same_text: str, same_patient: str) -> None:
    u, v = embeddings()
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.3

    def kind(i: int, m: int) -> str:
        said = {TEXT[k] for k in range(6) if OWNER[k] == i}
        kinds = {"positive"} if OWNER[m] == i else set()
        kinds |= {same_text} if TEXT[m] in said else set()
        kinds |= {same_patient} if PATIENT[OWNER[m]] == PATIENT[i] else set()
        return next((k for k in ("positive", "neutral") if k in kinds), "negative")

    once = [m for m in range(6) if same_text != "positive" or TEXT.index(TEXT[m]) == m]
    images = [[(z[i, m], kind(i, m)) for m in once] for i in range(4)]
    slow = torch.zeros(())
    for beta, lines in ((0.4, images), (0.7, list(zip(*images, strict=True)))):
        each = []
        for line in lines:
            true = [x for x, k in line if k == "positive"]
            foes = [x for x, k in line if k == "negative"]
            norm = sum(torch.exp(beta * x) for x in foes)
            below = sum(len(foes) * torch.exp(beta * x) / norm * torch.exp(x) for x in foes)
            below = below + share * sum(torch.exp(x) for x in true)
            each.append(-sum(true) / len(true) + torch.log(below))
        slow = slow + sum(each) / len(each)
    objective = DhnNce(
        temperature=0.3,
        hardness=0.4,
        text_hardness=0.7,
        positive_share=share,
        same_text=same_text,
        same_patient=same_patient,
    )
    check(objective(Pair(Encoded(u), Encoded(v)), several()).total, slow, u, v)


def test_with_the_positive_and_no_hardness_it_is_clip() -> None:
    u, v = embeddings()
    ours = DhnNce(temperature=0.07, hardness=0, positive_share=1)
    theirs = Clip(temperature=0.07, learn_temperature=False)
    pair = Pair(Encoded(u), Encoded(v))
    check(ours(pair, several()).total, 2 * theirs(pair, several()).total, u, v)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_official_matrix_element_by_element(share: float) -> None:
    u, v = embeddings(5, 5)
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.6
    n, slow = 5, torch.zeros(())
    for side in (z, z.T):
        masked = [[side[i, j] if i != j else torch.zeros(()) for j in range(n)] for i in range(n)]
        norm = [sum(torch.exp(x) for x in row) for row in masked]
        for i in range(n):
            for j in range(n):
                foe = (n - 1) * torch.exp(0.15 * masked[i][j]) / norm[j] * torch.exp(masked[i][j])
                true = torch.exp(side[i, j]) if i == j else torch.ones(())
                slow = slow - torch.log(true / (share * true + foe)) / n**2
    objective = DhnNce(temperature=0.6, variant="official", positive_share=share)
    check(objective(Pair(Encoded(u), Encoded(v)), single(5)).total, slow, u, v)
    paper = DhnNce(temperature=0.6, positive_share=share)
    assert abs(paper(Pair(Encoded(u), Encoded(v)), single(5)).total - slow) > 0.5


def test_the_official_variant_takes_every_text_with_its_own_image() -> None:
    u, v = embeddings()
    objective = DhnNce(variant="official")
    several_texts = objective(Pair(Encoded(u), Encoded(v)), several()).total
    repeated = objective(Pair(Encoded(u[OWNER]), Encoded(v)), single(6)).total
    torch.testing.assert_close(several_texts, repeated)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_official_variant_leaves_a_text_of_nobody_out(share: float) -> None:
    u, v = embeddings()
    objective = DhnNce(variant="official", positive_share=share)
    facts, kept = several(), [0, 2, 3, 4, 5]
    facts.targets["owner"][1] = -1
    fewer = {k: facts.targets[k][kept] for k in ("owner", "text")}
    fewer = Facts(facts.patient, targets={**facts.targets, **fewer})
    check(
        objective(Pair(Encoded(u), Encoded(v)), facts).total,
        objective(Pair(Encoded(u), Encoded(v[kept])), fewer).total,
        u,
    )
    facts.targets["owner"][:] = -1
    assert objective(Pair(Encoded(u), Encoded(v)), facts).total == 0


def test_hardness_moves_the_push_to_the_nearest_negative() -> None:
    angles = torch.tensor([0.0, 0.4, 1.5]).requires_grad_()
    v = torch.stack([angles.cos(), angles.sin()], 1)
    u = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])

    def push(hardness: float) -> float:
        loss = DhnNce(temperature=0.5, hardness=hardness)
        parts = loss(Pair(Encoded(u[:1]), Encoded(v)), Facts(torch.zeros(1), targets=targets))
        (grad,) = torch.autograd.grad(parts.total, angles, retain_graph=True)
        return float(grad[1] / grad[1:].sum())

    owner = torch.tensor([0, 1, 2])
    targets = {"study": torch.zeros(1, dtype=torch.long), "owner": owner, "text": owner}
    assert push(2.0) > push(0.0) + 0.05


def test_one_study_teaches_nothing() -> None:
    u, v = embeddings(1, 1)
    for variant in ("paper", "official"):
        loss = DhnNce(variant=variant)(Pair(Encoded(u), Encoded(v)), single(1)).total
        assert loss == 0
        assert (torch.autograd.grad(loss, u)[0] == 0).all()


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_without_a_negative_only_the_share_of_the_positive_is_left(share: float) -> None:
    u, v = embeddings(1, 1)
    loss = DhnNce(positive_share=share)(Pair(Encoded(u), Encoded(v)), single(1)).total
    assert loss.item() == pytest.approx(2 * math.log(share), abs=1e-6)
    assert torch.autograd.grad(loss, u)[0].abs().max() < 1e-6


def test_wrong_words_and_signs_are_refused() -> None:
    with pytest.raises(ModelError, match="variant must be"):
        DhnNce(variant="theirs")
    with pytest.raises(ModelError, match="must not be negative"):
        DhnNce(hardness=-1)
