from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.tier import Tier
from asclip.types import Encoded, Facts, Pair

OWNER = (2, 0, 1, 0)
LENGTHS = (4, 2, 1, 3)


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(*shape, generator=g, requires_grad=True)
        for shape in ((3, 6), (3, 9, 6), (4, 6), (4, 4, 6))
    ]
    valid = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    rows = torch.arange(3)
    facts = Facts(
        rows, targets={"study": rows, "owner": torch.tensor(OWNER), "text": torch.arange(4)}
    )
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2], leaves[3], valid))
    return pair, facts, leaves


def check(loss: torch.Tensor, slow: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, leaves, retain_graph=True)
    theirs = torch.autograd.grad(slow, leaves, retain_graph=True)
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("chunk", [2, 64])
def test_clip_plus_entropies_against_a_loop(official: bool, chunk: int) -> None:
    pair, facts, leaves = batch()
    variant = "official" if official else "paper"
    objective = Tier(word_weight=0.3, region_weight=0.7, variant=variant, chunk=chunk)
    loss = objective(pair, facts)
    words, regions = torch.zeros(()), torch.zeros(())
    for m, i in enumerate(OWNER):
        own = leaves[3][m] if official else leaves[3][m][: LENGTHS[m]]
        cosine = torch.stack(
            [torch.stack([F.cosine_similarity(w, v, dim=0) for v in leaves[1][i]]) for w in own]
        )
        for line in cosine:
            p = line.exp() / line.exp().sum()
            words = words - (p * p.log()).sum() / len(own) / 4
        for line in cosine.T:
            p = line.exp() / line.exp().sum()
            regions = regions - (p * p.log()).sum() / 9 / 4
    clip = Clip()(pair, facts).total
    check(loss.total, clip + 0.3 * words + 0.7 * regions, leaves)
    torch.testing.assert_close(loss.parts["word_entropy"], words.detach())
    torch.testing.assert_close(loss.parts["region_entropy"], regions.detach())


def test_without_weights_it_is_clip() -> None:
    pair, facts, _ = batch()
    loss = Tier(word_weight=0.0, region_weight=0.0)(pair, facts).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)


def test_a_word_that_names_one_region_has_less_entropy() -> None:
    rows = torch.arange(1)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    eye = torch.eye(6)
    regions = torch.stack([eye[0], -eye[0], -eye[0], -eye[0]])[None]
    sharp = Encoded(eye[:1], eye[:1][None])
    flat = Encoded(eye[:1], eye[1:2][None])
    image = Encoded(eye[:1], regions)
    parts = [Tier()(Pair(image, text), facts).parts["word_entropy"] for text in (sharp, flat)]
    assert parts[0] < parts[1]
    assert parts[1].item() == pytest.approx(math.log(4), abs=1e-5)


def test_one_study_has_a_gradient_and_padding_none() -> None:
    _, _, leaves = batch()
    rows = torch.arange(1)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    text = Encoded(leaves[2][1:2], leaves[3][1:2], torch.tensor([[True, True, False, False]]))
    loss = Tier()(Pair(Encoded(leaves[0][:1], leaves[1][:1]), text), facts).total
    (grad,) = torch.autograd.grad(loss, leaves[3])
    assert torch.isfinite(loss)
    assert grad[1, :2].abs().max() > 0
    assert grad[1, 2:].abs().max() == 0


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        Tier(variant="theirs")
    pair, facts, leaves = batch()
    with pytest.raises(ValueError, match="local vectors"):
        Tier()(Pair(Encoded(leaves[0]), pair.text), facts)
