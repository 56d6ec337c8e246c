from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.kad import Kad
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Three studies of which the first wrote two texts; two findings."""
    g = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(*size, generator=g, requires_grad=True)
        for size in ((3, 8), (3, 5, 8), (4, 8), (2, 8))
    ]
    image, local, text, definitions = leaves
    targets = {
        "study": torch.arange(3),
        "owner": torch.tensor([0, 0, 1, 2]),
        "text": torch.tensor([5, 6, 7, 8]),
        "findings": torch.tensor([[1.0, 0.0], [NAN, 1.0], [0.0, NAN]]),
        "stated": torch.tensor([[1.0, NAN], [NAN, 0.0], [NAN, 1.0], [NAN, NAN]]),
    }
    valid = torch.arange(5) < torch.tensor([[5], [3], [4]])
    pair = Pair(Encoded(image, local, valid), Encoded(text), {"queries": Encoded(definitions)})
    return pair, Facts(torch.arange(3), targets=targets), leaves


def build(**options: object) -> Kad:
    torch.manual_seed(1)
    return Kad(8, layers=2, hidden=16, **options)  # pyright: ignore[reportArgumentType]


def slow_queries(objective: Kad, pair: Pair, facts: Facts) -> torch.Tensor:
    local, valid = pair.image.local, pair.image.valid
    assert local is not None
    assert valid is not None
    images = [local[b][valid[b]] for b in range(3)]
    texts = [pair.text.pooled[m : m + 1] for m in range(4)]
    total = torch.zeros(())
    for memories, truths in (
        (images, facts.targets["findings"]),
        (texts, facts.targets["stated"]),
    ):
        each = []
        for memory, truth in zip(memories, truths, strict=True):
            for f in range(2):
                if truth[f] == truth[f]:
                    query = pair.others["queries"].pooled[f]
                    answer = objective.decoder(query[None], memory[None])[0][0, 0]
                    p = objective.existence(answer)[0].sigmoid()
                    each.append(-(p if truth[f] else 1 - p).log())
        total = total + torch.stack(each).mean()
    return total


def test_the_formula_against_a_loop() -> None:
    pair, facts, leaves = sample()
    objective = build(query_weight=0.5)
    loss = objective(pair, facts).total
    theirs = Clip()(pair, facts).total + 0.5 * slow_queries(objective, pair, facts)
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    wanted = [*leaves, objective.existence.weight]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(theirs, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_official_contrast_multiplies_by_a_logarithm() -> None:
    """Neither unit length nor a learned scale."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(4, 8, generator=g, requires_grad=True)
    v = torch.randn(4, 8, generator=g, requires_grad=True)
    rows = torch.arange(4)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    objective = build(variant="official", query_weight=0.0)
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = math.log(1 / 0.07) * u @ v.T
    theirs = (F.cross_entropy(z, rows) + F.cross_entropy(z.T, rows)) / 2
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(theirs, (u, v)), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_without_queries_it_is_clip() -> None:
    pair, facts, _ = sample()
    objective = build(query_weight=0.0, same_patient="neutral")
    torch.testing.assert_close(
        objective(pair, facts).total, Clip(same_patient="neutral")(pair, facts).total
    )
    assert "image.local" not in objective.needs


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_without_queries_scale_makes_the_trained_logit_of_a_score(variant: str) -> None:
    pair, _, _ = sample()
    objective = build(query_weight=0.0, variant=variant)
    logits = objective.compare(pair.image, pair.text)
    torch.testing.assert_close(objective.scale * objective.score(pair.image, pair.text), logits)
    wanted = 1 / 0.07 if variant == "paper" else math.log(1 / 0.07)
    assert objective.scale.item() == pytest.approx(wanted)


def test_nothing_known_leaves_clip() -> None:
    pair, facts, leaves = sample()
    empty = {k: torch.full_like(facts.targets[k], NAN) for k in ("findings", "stated")}
    loss = build()(pair, Facts(facts.patient, targets=dict(facts.targets) | empty)).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


def test_one_study_alone_is_finite() -> None:
    pair, facts, _ = sample()
    local = pair.image.local
    assert local is not None
    one = Pair(
        Encoded(pair.image.pooled[:1], local[:1]), Encoded(pair.text.pooled[:1]), pair.others
    )
    alone = {k: v[:1] for k, v in facts.targets.items()}
    loss = build()(one, Facts(facts.patient[:1], targets=alone))
    assert loss.parts["clip"] == 0
    assert torch.isfinite(loss.total)


def test_a_score_does_not_depend_on_the_other_texts() -> None:
    pair, _, _ = sample()
    text = Encoded(torch.randn(5, 8))
    alone = Encoded(text.pooled[2:3])
    one = build()
    torch.testing.assert_close(one.score(pair.image, text)[:, 2:3], one.score(pair.image, alone))
    two = build(self_attention=True)
    assert not torch.allclose(two.score(pair.image, text)[:, 2:3], two.score(pair.image, alone))


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample()
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        build(variant="theirs")
    with pytest.raises(ValueError, match="local vectors"):
        build()(Pair(Encoded(torch.ones(3, 8)), pair.text, pair.others), facts)
    three = {"queries": Encoded(torch.ones(3, 8))}
    with pytest.raises(ValueError, match="2 findings needs a definition, got 3"):
        build()(Pair(pair.image, pair.text, three), facts)
