from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale import carzero
from asclip.pretrain.multiscale.carzero import CarZero
from asclip.types import Encoded, Facts, Pair

LENGTHS = (4, 2, 3, 1)


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    shapes = ((4, 8), (4, 5, 8), (4, 8), (4, 4, 8))
    leaves = [torch.randn(*shape, generator=g, requires_grad=True) for shape in shapes]
    valid = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    rows = torch.arange(4)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2], leaves[3], valid))
    return pair, facts, leaves


def small(variant: str = "official", same_text: str = "positive") -> CarZero:
    """As after some training: the last layer of the MLP is not 0."""
    torch.manual_seed(0)
    objective = CarZero(
        8, layers=2, heads=2, hidden=16, head=(12, 6), variant=variant, same_text=same_text
    )
    torch.nn.init.normal_(objective.head[-1].weight)
    return objective


def slow_logit(objective: CarZero, query: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """One query [D] and one memory [R, D]; head by head, without the decoder's own forward."""
    first = memory[0]
    x, memory = objective.enter(query), objective.enter(memory)
    for layer in objective.decoder.layers:
        q = layer.query(layer.norm(x))
        k, v = layer.key_value(layer.memory_norm(memory)).split(8, dim=1)
        heads = []
        for h in (slice(0, 4), slice(4, 8)):
            attention = (k[:, h] @ q[h] / 2.0).softmax(0)
            heads.append(attention @ v[:, h])
        x = x + layer.out(torch.cat(heads))
        x = x + layer.feed(x)
    logit = objective.head(objective.decoder.norm(x))[0]
    if objective.variant == "official":
        return logit
    return logit + objective.log_scale.exp() * F.cosine_similarity(query, first, dim=0)


@pytest.mark.parametrize("room", [1, 2**23])
@pytest.mark.parametrize("variant", ["paper", "official"])
def test_both_directions_pair_by_pair(
    variant: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carzero, "ROOM", room)
    pair, facts, (u, v, x, w) = batch()
    objective = small(variant)
    loss = objective(pair, facts)
    to_text = [[slow_logit(objective, t, torch.cat([u[i : i + 1], v[i]])) for t in x]
               for i in range(4)]  # fmt: skip
    to_image = [
        [slow_logit(objective, u[i], torch.cat([x[m : m + 1], w[m][: LENGTHS[m]]]))
         for m in range(4)] for i in range(4)
    ]  # fmt: skip
    here, slow = torch.arange(4), torch.zeros(())
    for logits in (to_text, to_image):
        z = torch.stack([torch.stack(line) for line in logits])
        slow = slow + (F.cross_entropy(z, here) + F.cross_entropy(z.T, here)) / 2
    torch.testing.assert_close(loss.total, slow, atol=1e-5, rtol=1e-5)
    # A bias before the last softmax moves nothing: its gradient is 0 in both.
    inputs = [u, v, x, w, *objective.parameters()]
    ours = torch.autograd.grad(loss.total, inputs)
    theirs = torch.autograd.grad(slow, inputs)
    assert sum(g.abs().max() > 1e-6 for g in theirs) >= len(inputs) - 4
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    score = objective.score(pair.image, pair.text)
    mean = torch.stack([torch.stack(a + b) for a, b in zip(to_text, to_image, strict=True)])
    mean = mean.detach().unflatten(1, (2, 4)).mean(1)
    torch.testing.assert_close(objective.scale * score, mean, atol=1e-5, rtol=1e-5)


def test_it_starts_as_clip_in_both_directions() -> None:
    pair, facts, leaves = batch()
    objective, clip = CarZero(8, layers=2, heads=2, hidden=16, head=(12, 6)), Clip()
    loss, twice = objective(pair, facts).total, 2 * clip(pair, facts).total
    torch.testing.assert_close(loss, twice)
    for a, b in zip(
        torch.autograd.grad(loss, [leaves[0], leaves[2]], retain_graph=True),
        torch.autograd.grad(twice, [leaves[0], leaves[2]]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    # The MLP is silent, not deaf: its last layer has a gradient.
    (grad,) = torch.autograd.grad(loss, objective.head[-1].weight)
    assert grad.abs().max() > 1e-6


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_a_task_sees_the_logits_that_were_trained(variant: str) -> None:
    """`scale` times the score is the mean of both directions' logits, at the start 14.3 cos."""
    pair, _, _ = batch()
    objective = small(variant)
    both = objective.logits(pair.image, pair.text.pooled)
    both = (both + objective.logits(pair.text, pair.image.pooled).T) / 2
    torch.testing.assert_close(objective.scale * objective.score(pair.image, pair.text), both)
    assert objective.scale.item() == pytest.approx(1 / 0.07 if variant == "paper" else 1.0)
    start = CarZero(8, layers=2, heads=2, hidden=16, head=(12, 6))
    cosine = F.cosine_similarity(pair.image.pooled[:, None], pair.text.pooled[None], dim=2)
    torch.testing.assert_close(start.score(pair.image, pair.text), cosine, atol=1e-6, rtol=1e-5)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official', got 'theirs'"):
        small("theirs")


def test_padding_changes_nothing() -> None:
    pair, facts, (_, _, x, w) = batch()
    objective = small()
    longer = torch.cat([w, torch.full((4, 3, 8), 9.0)], 1)
    text = Encoded(x, longer, F.pad(pair.text.valid, [0, 3]))
    torch.testing.assert_close(
        objective(Pair(pair.image, text), facts).total, objective(pair, facts).total
    )


def test_padding_may_stand_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carzero, "ROOM", 1)  # each text alone, without its padding
    pair, facts, (_, _, x, w) = batch()
    objective = small()
    text = Encoded(x, w.flip(1), pair.text.valid.flip(1))
    torch.testing.assert_close(
        objective(Pair(pair.image, text), facts).total, objective(pair, facts).total
    )


def test_a_repeated_normal_report_is_not_punished() -> None:
    """Four studies alike, with one and the same text: nothing is left to separate."""
    _, facts, (u, v, x, w) = batch()
    shared = Facts(facts.patient, targets={**facts.targets, "text": torch.tensor([5, 5, 5, 5])})
    alike = [t[:1].expand(4, *t.shape[1:]).detach() for t in (u, v, x, w)]
    text = Encoded(alike[2], alike[3], torch.ones(4, 4, dtype=torch.bool))
    pair = Pair(Encoded(alike[0], alike[1]), text)
    # One column of four images: from texts to images there are four positives, each 1 of 4.
    for same_text, wanted in (("positive", math.log(4) / 2), ("negative", math.log(4))):
        parts = small(same_text=same_text)(pair, shared).parts
        for name in ("image_memory", "text_memory"):
            assert parts[name].item() == pytest.approx(wanted, abs=1e-5)
    lone = small(same_text="neutral")(pair, shared).parts
    assert lone["image_memory"].item() == pytest.approx(0.0, abs=1e-5)


def test_one_study_is_zero_with_a_graph() -> None:
    x = torch.randn(1, 3, 8, requires_grad=True)
    rows = torch.arange(1)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    one = Encoded(x.mean(1), x)
    loss = small()(Pair(one, one), facts).total
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(x.grad).all()


def test_local_vectors_are_required() -> None:
    pair, facts, (u, *_) = batch()
    with pytest.raises(ValueError, match="local vectors"):
        small()(Pair(Encoded(u), pair.text), facts)
