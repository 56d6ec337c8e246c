from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.concepts import Concepts
from asclip.types import Encoded, Facts, Pair


def example(concepts: int = 4) -> tuple[list[torch.Tensor], Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    sizes = (5, 5, concepts, concepts)
    leaves = [torch.randn(n, 6, generator=g, requires_grad=True) for n in sizes]
    image, text, names, meanings = (Encoded(x) for x in leaves)
    rows = torch.arange(5)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    return leaves, Pair(image, text, {"names": names, "meanings": meanings}), facts


def test_clip_and_names_against_definitions() -> None:
    leaves, pair, facts = example()
    loss = Concepts(knowledge_weight=0.5)(pair, facts).total
    u, v, n, d = (F.normalize(x, dim=1) for x in leaves)

    def nce(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        terms = []
        for i in range(len(a)):
            row = torch.stack([a[i] @ b[j] / 0.07 for j in range(len(b))])
            column = torch.stack([a[j] @ b[i] / 0.07 for j in range(len(b))])
            terms.append(-row.log_softmax(0)[i] / 2 - column.log_softmax(0)[i] / 2)
        return torch.stack(terms).mean()

    apart = torch.stack([1 - n[k] @ d[k] for k in range(4)]).mean()
    slow = nce(u, v) + 0.5 * (nce(n, d) + apart)
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    ours, theirs = torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves)
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_without_knowledge_it_is_clip() -> None:
    _, pair, facts = example()
    torch.testing.assert_close(
        Concepts(knowledge_weight=0.0)(pair, facts).total, Clip()(pair, facts).total
    )


def test_one_concept_is_still_brought_to_its_definition() -> None:
    leaves, pair, facts = example(1)
    (grad,) = torch.autograd.grad(Concepts()(pair, facts).total, leaves[2])
    assert (grad * leaves[3]).sum() < 0


def test_a_name_without_a_definition_is_refused() -> None:
    _, pair, facts = example()
    short = Pair(pair.image, pair.text, {**pair.others, "meanings": Encoded(torch.ones(3, 6))})
    with pytest.raises(ValueError, match="4 names and 3 definitions"):
        Concepts()(short, facts)
