from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.multiscale.ecamp import Ecamp
from asclip.types import Encoded, Facts, Pair

NOTHING = Encoded(torch.zeros(0))


def setting() -> tuple[list[torch.Tensor], Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    shapes = [(3, 8), (3, 5, 8), (3, 8), (3, 4, 8)]
    x = [torch.randn(shape, generator=g, requires_grad=True) for shape in shapes]
    targets = {
        "patches": torch.randn(3, 5, 6, generator=g),
        "holes": torch.tensor([[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool(),
        "words": torch.tensor([[4, 2, 4, 1], [3, 4, 2, 0], [2, 9, 0, 0]]),
        "gaps": torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0]]).bool(),
        "weight": torch.rand(3, 4, generator=g),
    }
    valid = torch.arange(4) < torch.tensor([4, 3, 2])[:, None]
    others = {"masked": Encoded(x[0], x[1]), "gapped": Encoded(x[2], x[3], valid)}
    return x, Pair(NOTHING, NOTHING, others), Facts(torch.arange(3), targets=targets)


def objective(**more) -> Ecamp:
    torch.manual_seed(0)
    return Ecamp(8, pixels=6, vocabulary=11, layers=2, **more)


def test_patch_by_patch_and_word_by_word() -> None:
    x, pair, facts = setting()
    ours = objective(image_weight=0.7, text_weight=0.4)
    loss = ours(pair, facts).total
    pooled, local, whole, words = x
    t = facts.targets
    errors, surprises, weights = [], [], []
    for i in range(3):
        seen = local[i][~t["holes"][i]]
        for n in t["holes"][i].nonzero()[:, 0]:
            query = local[i, n] + ours.text_to_image(whole[i])
            vector = ours.image_decoder(query[None], seen[None])[0][0, 0]
            errors.append(((ours.pixels(vector) - t["patches"][i, n]) ** 2).mean())
        scales = torch.cat([pooled[i][None], seen])
        for k in t["gaps"][i].nonzero()[:, 0]:
            vector = ours.text_decoder(words[i, k][None], scales[None])[0][0, 0]
            surprises.append(F.cross_entropy(ours.words(vector), t["words"][i, k]))
            weights.append(t["weight"][i, k])
    text = sum(a * b for a, b in zip(weights, surprises, strict=True)) / sum(weights)
    slow = 0.7 * sum(errors) / len(errors) + 0.4 * text
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    leaves = [*x, *ours.parameters()]
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    for grad in torch.autograd.grad(ours(pair, facts).total, x):
        assert grad.abs().max() > 1e-5


@pytest.mark.parametrize("fill", [False, True])
def test_nothing_hidden_and_everything_hidden(fill: bool) -> None:
    x, pair, facts = setting()
    full = {k: torch.full_like(facts.targets[k], fill) for k in ("holes", "gaps")}
    loss = objective()(pair, Facts(facts.patient, targets={**facts.targets, **full})).total
    assert all(torch.isfinite(grad).all() for grad in torch.autograd.grad(loss, x))
    assert (loss == 0) == (not fill)


def test_local_vectors_are_required() -> None:
    _, pair, facts = setting()
    bare = {k: Encoded(e.pooled) for k, e in pair.others.items()}
    with pytest.raises(ValueError, match="local vectors"):
        objective()(Pair(NOTHING, NOTHING, bare), facts)
