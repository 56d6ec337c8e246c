from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.multiscale import limitr
from asclip.pretrain.multiscale.limitr import Limitr
from asclip.types import Encoded, Facts, Pair

LENGTHS = (4, 2, 1)
HAS_VIEW = (True, False, True)


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    shapes = ((3, 6), (3, 5, 6), (3, 6), (3, 4, 6), (3, 6), (3, 5, 6))
    leaves = [torch.randn(*shape, generator=g, requires_grad=True) for shape in shapes]
    valid = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    rows = torch.arange(3)
    targets = {"study": rows, "owner": rows, "text": rows, "has_view": torch.tensor(HAS_VIEW)}
    view = {"view": Encoded(leaves[4], leaves[5])}
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2], leaves[3], valid), view)
    return pair, Facts(rows, targets=targets), leaves


def slow_gate(objective: Limitr, vectors: list[torch.Tensor]) -> torch.Tensor:
    x = torch.stack([v / v.norm() for v in vectors])
    gate = objective.gate
    mean = torch.tanh(gate.mean(sum(x) / len(x)))
    score = torch.stack([gate.common(torch.tanh(gate.each(v)) * mean)[0] for v in x])
    out = sum(a * v for a, v in zip(score.softmax(0), x, strict=True))
    return out / out.norm()


def slow_pair(
    objective: Limitr, v: torch.Tensor, w: torch.Tensor, official: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """One image [N, D] with one text [T, D], word by word and region by region."""
    if not official:
        v, w = F.normalize(v, dim=1), F.normalize(w, dim=1)
    z = w @ v.T
    first = z.softmax(0) if official else z
    words = [w[t] * ((4 * first[t]).softmax(0) @ v) for t in range(len(w))]
    first = z.softmax(1) if official else z
    regions = [v[n] * ((4 * first[:, n]).softmax(0) @ w) for n in range(len(v))]
    return (
        torch.sigmoid(objective.of_words(slow_gate(objective, words)))[0],
        torch.sigmoid(objective.of_regions(slow_gate(objective, regions)))[0],
    )


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("lateral", [False, True])
@pytest.mark.parametrize("room", [1, 2**24])
def test_against_a_loop(
    official: bool, lateral: bool, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limitr, "ROOM", room)
    torch.manual_seed(0)
    pair, facts, (u, v, x, w, view, view_local) = batch()
    objective = Limitr(6, lateral=lateral, variant="official" if official else "paper")
    loss = objective(pair, facts)
    whole, local = [], []
    for i in range(3):
        regions, pooled = v[i], u[i]
        if lateral and HAS_VIEW[i]:
            regions, pooled = torch.cat([v[i], view_local[i]]), u[i] + view[i]
        whole.append([F.cosine_similarity(pooled, x[m], dim=0) for m in range(3)])
        local.append([slow_pair(objective, regions, w[m][: LENGTHS[m]], official)
                      for m in range(3)])  # fmt: skip
    here = torch.arange(3)

    def nce(rows: list[list[torch.Tensor]]) -> torch.Tensor:
        z = 10 * torch.stack([torch.stack(row) for row in rows])
        return (F.cross_entropy(z, here) + F.cross_entropy(z.T, here)) / 2

    words = nce([[pair[0] for pair in row] for row in local])
    regions = nce([[pair[1] for pair in row] for row in local])
    slow = nce(whole) + (words + regions) / 2
    torch.testing.assert_close(loss.total, slow, atol=1e-5, rtol=1e-5)
    inputs = [u, v, x, w, *objective.gate.parameters(), *objective.of_words.parameters()]
    inputs += [view, view_local] if lateral else []
    ours = torch.autograd.grad(loss.total, inputs)
    theirs = torch.autograd.grad(slow, inputs)
    assert sum(g.abs().max() > 1e-5 for g in theirs) >= len(inputs) - 1  # common's bias: none
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    if lateral:
        assert ours[-1][1].abs().max() == 0  # the stand-in of a missing view


def test_nobody_has_a_view() -> None:
    torch.manual_seed(0)
    pair, facts, _ = batch()
    nobody = Facts(facts.patient, targets={**facts.targets, "has_view": torch.zeros(3) > 0})
    objective = Limitr(6, lateral=True)
    with_view = objective(pair, nobody).total
    objective.lateral = False
    torch.testing.assert_close(with_view, objective(pair, nobody).total)


def test_score_is_the_trained_similarity() -> None:
    torch.manual_seed(0)
    pair, _, (u, v, x, w, *_) = batch()
    objective = Limitr(6)
    score = objective.score(pair.image, pair.text)
    for i in range(3):
        for m in range(3):
            local = sum(slow_pair(objective, v[i], w[m][: LENGTHS[m]], False)) / 2
            mean = (F.cosine_similarity(u[i], x[m], dim=0) + local) / 2
            torch.testing.assert_close(score[i, m], mean.detach(), atol=1e-5, rtol=1e-5)


def test_padding_may_stand_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limitr, "ROOM", 1)  # each text alone, without its padding
    torch.manual_seed(0)
    pair, _, (_, _, x, w, *_) = batch()
    objective = Limitr(6)
    text = Encoded(x, w.flip(1), pair.text.valid.flip(1))
    torch.testing.assert_close(
        objective.score(pair.image, text), objective.score(pair.image, pair.text)
    )


def test_one_study_is_zero_with_a_graph() -> None:
    rows, x = torch.arange(1), torch.randn(1, 4, 6, requires_grad=True)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    loss = Limitr(6)(Pair(Encoded(x.mean(1), x), Encoded(x.mean(1), x)), facts).total
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(x.grad).all()


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        Limitr(6, variant="theirs")
    pair, facts, leaves = batch()
    with pytest.raises(ValueError, match="both towers"):
        Limitr(6)(Pair(Encoded(leaves[0]), pair.text), facts)
    lone = {"view": Encoded(leaves[4])}
    with pytest.raises(ValueError, match="both views"):
        Limitr(6, lateral=True)(Pair(pair.image, pair.text, lone), facts)
