from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.kad_knowledge import KnowledgeContrast
from asclip.types import Encoded, Facts, Pair


def sample(concepts: list[int], real: list[bool]) -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    rows = torch.arange(len(concepts))
    names = torch.randn(len(concepts), 6, generator=g, requires_grad=True)
    second = torch.randn(len(concepts), 6, generator=g, requires_grad=True)
    pair = Pair(Encoded(torch.zeros(0)), Encoded(names), {"second": Encoded(second)})
    targets = {
        "study": rows,
        "owner": rows,
        "text": torch.tensor(concepts),
        "has_second": torch.tensor(real),
    }
    return pair, Facts(rows, targets=targets), [names, second]


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_the_formula_against_a_loop(variant: str) -> None:
    """Rows 0, 2 and 4 speak of one concept; rows 2 and 3 have no second text."""
    concepts, real = [7, 8, 7, 9, 7], [True, True, False, False, True]
    pair, facts, leaves = sample(concepts, real)
    objective = KnowledgeContrast(temperature=0.5, variant=variant)
    loss = objective(pair, facts).total
    x, y = F.normalize(pair.others["second"].pooled, dim=1), F.normalize(pair.text.pooled, dim=1)
    z = 2 * x @ y.T
    seen = [i for i in range(5) if real[i]]
    total = torch.zeros(())
    lines = [[(z[i, m], concepts[i] == concepts[m]) for m in range(5)] for i in seen]
    for some in (lines, [list(column) for column in zip(*lines, strict=True)]):
        some = [line for line in some if any(true for _, true in line)]
        for line in some:
            every = torch.stack([value for value, _ in line])
            true = [value for value, true in line if true]
            share = len(true) if variant == "paper" else len(true) ** 0.5
            each = sum(torch.logsumexp(every, 0) - value for value in true) / share
            total = total + each / len(some) / 2
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, leaves)
    for a, b in zip(ours, torch.autograd.grad(total, leaves), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_distinct_concepts_make_it_clip_between_texts() -> None:
    pair, facts, _ = sample([1, 2, 3, 4], [True] * 4)
    clip = Clip()(Pair(pair.others["second"], pair.text), facts).total
    torch.testing.assert_close(KnowledgeContrast()(pair, facts).total, clip)


def test_a_stand_in_is_not_pushed() -> None:
    pair, facts, leaves = sample([1, 2, 3], [True, False, True])
    (grad,) = torch.autograd.grad(KnowledgeContrast()(pair, facts).total, leaves[1:])
    assert grad[1].abs().max() == 0
    assert grad[0].abs().max() > 0


@pytest.mark.parametrize("count", [1, 3])
def test_nobody_with_a_second_text_teaches_nothing(count: int) -> None:
    pair, facts, leaves = sample([1, 2, 1][:count], [False] * count)
    loss = KnowledgeContrast()(pair, facts).total
    assert loss.item() == 0
    assert all(g.abs().max() == 0 for g in torch.autograd.grad(loss, leaves))


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        KnowledgeContrast(variant="theirs")
