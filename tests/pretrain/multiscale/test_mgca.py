from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.mgca import Mgca, sinkhorn
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, LENGTHS = (2, 0, 1, 0), (10, 11, 10, 12), (4, 2, 1, 3)
ONCE = (0, 1, 3)  # the rows at which each text stands first


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    shapes = ((3, 6), (3, 9, 6), (4, 6), (4, 4, 6))
    leaves = [torch.randn(*shape, generator=g, requires_grad=True) for shape in shapes]
    valid = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    rows = torch.arange(3)
    targets = {"study": rows, "owner": torch.tensor(OWNER), "text": torch.tensor(TEXT)}
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2], leaves[3], valid))
    return pair, Facts(rows, targets=targets), leaves


def plain_sinkhorn(logits: torch.Tensor) -> torch.Tensor:
    q = logits.double().exp()
    for _ in range(3):
        q = q / q.sum(0, keepdim=True) / q.shape[1]
        q = q / q.sum(1, keepdim=True) / q.shape[0]
    return (q / q.sum(1, keepdim=True)).float()


def slow_tokens(
    leaves: list[torch.Tensor], official: bool, weights: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pair by pair, contexts formed in full."""
    image, patches, text, words = (F.normalize(x, dim=-1) for x in leaves)
    of_words, of_patches = torch.zeros(()), torch.zeros(())
    for m, i in enumerate(OWNER):
        real = LENGTHS[m]
        w, p = words[m] if official else words[m][:real], patches[i]
        found = F.normalize((w @ p.T / 0.1).softmax(1) @ p, dim=1)
        said = (p @ words[m][:real].T / 0.1).softmax(1) @ words[m][:real]
        said = said if official else F.normalize(said, dim=1)
        a = (words[m][:real] @ text[m] / 0.1).softmax(0).detach()
        b = (p @ image[i] / 0.1).softmax(0).detach()
        if weights == "uniform":
            a, b = torch.full((real,), 1 / real), torch.full((9,), 1 / 9)
        for t in range(real):
            for z in (w @ found.T / 0.1, found @ w.T / 0.1):
                of_words = of_words + a[t] * (torch.logsumexp(z[t], 0) - z[t, t]) / 2 / 4
        for n in range(9):
            for z in (p @ said.T / 0.1, said @ p.T / 0.1):
                of_patches = of_patches + b[n] * (torch.logsumexp(z[n], 0) - z[n, n]) / 2 / 4
    return of_words, of_patches


def slow_prototypes(leaves: list[torch.Tensor], prototypes: torch.Tensor) -> torch.Tensor:
    c = F.normalize(prototypes, dim=1)
    image, text = F.normalize(leaves[0], dim=1) @ c.T, F.normalize(leaves[2], dim=1) @ c.T
    text = text[list(ONCE)]
    q, r = plain_sinkhorn(image.detach() / 0.05), plain_sinkhorn(text.detach() / 0.05)
    total = torch.zeros(())
    true = [[TEXT[m] in [TEXT[k] for k in range(4) if OWNER[k] == i] for m in ONCE]
            for i in range(3)]  # fmt: skip
    for i in range(3):
        mine = [u for u in range(3) if true[i][u]]
        each = [-(q[i] * (text[u] / 0.2).softmax(0).log()).sum() for u in mine]
        total = total + sum(each) / len(mine) / 3 / 2
    for u in range(3):
        mine = [i for i in range(3) if true[i][u]]
        each = [-(r[u] * (image[i] / 0.2).softmax(0).log()).sum() for i in mine]
        total = total + sum(each) / len(mine) / 3 / 2
    return total


@pytest.mark.parametrize("variant", ["paper", "official"])
@pytest.mark.parametrize("weights", ["pooled", "uniform"])
@pytest.mark.parametrize("chunk", [3, 32])
def test_three_terms_against_loops(variant: str, weights: str, chunk: int) -> None:
    torch.manual_seed(0)
    pair, facts, leaves = batch()
    objective = Mgca(
        6, prototypes=5, token_weight=0.7, prototype_weight=0.5, variant=variant,
        weights=weights, chunk=chunk,
    )  # fmt: skip
    loss = objective(pair, facts)
    words, patches = slow_tokens(leaves, variant == "official", weights)
    instance = Clip(temperature=0.07)(pair, facts).total * (2 if variant == "official" else 1)
    prototypes = slow_prototypes(leaves, objective.prototypes)
    slow = instance + 0.7 * (words + patches) + 0.5 * prototypes
    torch.testing.assert_close(loss.total, slow, atol=1e-5, rtol=1e-5)
    names = ("instance", "words", "patches", "prototypes")
    for name, part in zip(names, (instance, words, patches, prototypes), strict=True):
        torch.testing.assert_close(loss.parts[name], part.detach(), atol=1e-5, rtol=1e-5)
    inputs = [*leaves, objective.prototypes]
    ours = torch.autograd.grad(loss.total, inputs)
    theirs = torch.autograd.grad(slow, inputs)
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_sinkhorn_fills_prototypes_evenly_and_stays_finite() -> None:
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) * 3
    codes = sinkhorn(logits, 50)
    torch.testing.assert_close(codes.sum(1), torch.ones(40))
    torch.testing.assert_close(codes.sum(0), torch.full((5,), 8.0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(sinkhorn(logits, 3), plain_sinkhorn(logits), atol=1e-6, rtol=1e-5)
    assert torch.isfinite(sinkhorn(logits * 1000)).all()


def test_padding_changes_nothing() -> None:
    pair, facts, leaves = batch()
    longer = torch.cat([leaves[3], torch.full((4, 3, 6), 9.0)], 1)
    text = Encoded(leaves[2], longer, F.pad(pair.text.valid, [0, 3]))
    torch.manual_seed(0)
    objective = Mgca(6, prototypes=5)
    for a, b in zip(
        objective.tokens(Pair(pair.image, text), facts), objective.tokens(pair, facts), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_padding_may_stand_in_front() -> None:
    pair, facts, leaves = batch()
    text = Encoded(leaves[2], leaves[3].flip(1), pair.text.valid.flip(1))
    objective = Mgca(6, prototypes=5, chunk=1)  # each text alone, without its padding
    for a, b in zip(
        objective.tokens(Pair(pair.image, text), facts), objective.tokens(pair, facts), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_one_study_with_one_word_has_a_finite_gradient() -> None:
    rows, x = torch.arange(1), torch.randn(1, 4, 6, requires_grad=True)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    word = torch.randn(1, 1, 6)
    objective = Mgca(6, prototypes=5)
    loss = objective(Pair(Encoded(x.mean(1), x), Encoded(word[:, 0], word)), facts)
    loss.total.backward()
    assert loss.parts["instance"] == 0
    assert loss.parts["words"].item() == pytest.approx(0.0, abs=1e-5)
    assert torch.isfinite(x.grad).all()


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        Mgca(6, variant="theirs")
    with pytest.raises(ModelError, match="weights must be"):
        Mgca(6, weights="attention")
    pair, facts, leaves = batch()
    with pytest.raises(ValueError, match="local vectors"):
        Mgca(6)(Pair(Encoded(leaves[0]), pair.text), facts)
