from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.lovt import LoVT, grid_positives
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT = (2, 0, 0, 1, 0, 2), (10, 11, 12, 13, 11, 14)


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Three studies with 3, 1 and 2 sentences; the first says one of them twice."""
    g = torch.Generator().manual_seed(0)
    shapes = ((3, 8), (3, 6, 8), (6, 8))
    leaves = [torch.randn(*shape, generator=g, requires_grad=True) for shape in shapes]
    rows = torch.arange(3)
    targets = {"study": rows, "owner": torch.tensor(OWNER), "text": torch.tensor(TEXT)}
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2]))
    return pair, Facts(rows, targets=targets), leaves


def slow_local(
    objective: LoVT, leaves: list[torch.Tensor], rows: int, columns: int, same_text: str,
    weights: str,
) -> torch.Tensor:  # fmt: skip
    """Study by study, region by region; the sum of the four terms."""
    image, regions, sentences = leaves
    far = math.sqrt(rows**2 + columns**2)
    total = torch.zeros(())
    studies = [i for i in range(3) if OWNER.count(i) > 1]
    for i in studies:
        mine = [m for m in range(6) if OWNER[m] == i]
        v, t = regions[i], sentences[mine]

        def attend(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            scores = objective.key(x) @ objective.key(y).T / math.sqrt(8)
            return objective.norm(objective.out(scores.softmax(1) @ objective.value(y)))

        near = torch.zeros(len(v), len(v))
        for a in range(len(v)):
            for b in range(len(v)):
                d = math.dist(divmod(a, columns), divmod(b, columns)) / far
                near[a, b] = math.exp(-d) if d <= 0.3 else 0.0
        alike = torch.zeros(len(mine), len(mine))
        for a, m in enumerate(mine):
            for b, n in enumerate(mine):
                said = TEXT[m] == TEXT[n] and same_text != "negative"
                alike[a, b] = float(m == n or said)
        for x, y, p, whole in (
            (v, attend(v, t), near, image[i]),
            (t, attend(t, v), alike, t.mean(0)),
        ):
            w = F.cosine_similarity(x, whole[None], dim=1).div(0.3).softmax(0).detach()
            if weights == "uniform":
                w = torch.full((len(x),), 1 / len(x))
            for one, two in ((x, y), (y, x)):
                for n in range(len(x)):
                    z = F.cosine_similarity(one[n : n + 1], two, dim=1) / 0.3
                    target = p[n] / p[n].sum()
                    total = total + w[n] * (z.exp().sum().log() - (target * z).sum())
    return total / len(studies)


@pytest.mark.parametrize("same_text", ["positive", "neutral", "negative"])
@pytest.mark.parametrize("weights", ["pooled", "uniform"])
def test_against_a_loop(same_text: str, weights: str) -> None:
    torch.manual_seed(0)
    pair, facts, leaves = batch()
    objective = LoVT(
        8, threshold=0.3, grid=(2, 3), weights=weights, local_weight=0.5, same_text=same_text
    )
    loss = objective(pair, facts)
    clip = Clip(temperature=0.1, text_weight=0.25, learn_temperature=False, same_text=same_text)
    slow = slow_local(objective, leaves, 2, 3, same_text, weights)
    slow = clip(pair, facts).total + 0.5 * slow
    torch.testing.assert_close(loss.total, slow, atol=1e-5, rtol=1e-5)
    inputs = [*leaves, *objective.parameters()]
    ours = torch.autograd.grad(loss.total, inputs, allow_unused=True)
    theirs = torch.autograd.grad(slow, inputs, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 1e-8
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_one_sentence_a_study_leaves_clip() -> None:
    pair, _, leaves = batch()
    rows = torch.arange(3)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    pair = Pair(pair.image, Encoded(leaves[2][:3]))
    loss = LoVT(8, grid=(3, 2))(pair, facts)
    clip = Clip(temperature=0.1, text_weight=0.25, learn_temperature=False)(pair, facts)
    torch.testing.assert_close(loss.total, clip.total)
    (grad,) = torch.autograd.grad(loss.total, leaves[1])
    assert grad.abs().max() == 0


def test_one_study_with_one_sentence_is_zero_with_a_graph() -> None:
    rows, x = torch.arange(1), torch.randn(1, 4, 8, requires_grad=True)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    loss = LoVT(8)(Pair(Encoded(x.mean(1), x), Encoded(torch.randn(1, 8))), facts).total
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    loss.backward()
    assert torch.isfinite(x.grad).all()


def test_sentences_in_any_order_and_number() -> None:
    """What another study says, and how much, changes nothing of a study's local terms."""
    torch.manual_seed(0)
    pair, facts, leaves = batch()
    objective = LoVT(8, grid=(2, 3))
    whole = objective.local(pair, facts)
    order = torch.tensor([3, 5, 1, 4, 0, 2])
    owner, text = torch.tensor(OWNER)[order], torch.tensor(TEXT)[order]
    mixed = Facts(facts.patient, targets={**facts.targets, "owner": owner, "text": text})
    same = objective.local(Pair(pair.image, Encoded(leaves[2][order])), mixed)
    torch.testing.assert_close(torch.stack(whole), torch.stack(same))


def test_regions_of_a_volume_are_near_in_three_directions() -> None:
    near = grid_positives((2, 2, 3), 0.35) > 0  # up to 0.35 of the diagonal, 1.44 steps: diagonals
    places = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(3))
    steps = (places[:, None] - places).square().sum(-1)
    assert torch.equal(near, steps <= 2)


def test_what_is_refused() -> None:
    pair, facts, leaves = batch()
    with pytest.raises(ModelError, match="grid of 2 x 2"):
        LoVT(8)(pair, facts)
    with pytest.raises(ModelError, match="weights must be"):
        LoVT(8, weights="attention")
    with pytest.raises(ValueError, match="local vectors"):
        LoVT(8)(Pair(Encoded(leaves[0]), pair.text), facts)
