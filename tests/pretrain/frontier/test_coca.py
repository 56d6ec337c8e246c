from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.coca import CoCa, word_loss
from asclip.types import Encoded, Facts, Pair

WORDS = [[5, 2, 9, 0], [3, 0, 0, 0], [1, 4, 10, 7]]


def sample(words: list[list[int]]) -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    count = len(words)
    leaves = [
        torch.randn(*size, generator=g, requires_grad=True)
        for size in ((count, 8), (count, 5, 8), (count, 8))
    ]
    image, local, text = leaves
    rows = torch.arange(count)
    targets = {"study": rows, "owner": rows, "text": rows, "words": torch.tensor(words)}
    valid = torch.arange(5) < torch.tensor([5, 3, 4])[:count, None]
    return Pair(Encoded(image, local, valid), Encoded(text)), Facts(rows, targets=targets), leaves


def build(**options: object) -> CoCa:
    torch.manual_seed(1)
    return CoCa(8, 11, hidden=16, **options)  # pyright: ignore[reportArgumentType]


def slow_caption(objective: Any, local: torch.Tensor, words: list[list[int]]) -> torch.Tensor:
    """Word by word: only the regions that count and the words so far are given."""
    captioner, errors = objective.captioner, []
    for b, count in enumerate((5, 3, 4)):
        report = [w for w in words[b] if w]
        for t, word in enumerate(report):
            before = [captioner.start, *(captioner.words.weight[w] for w in report[:t])]
            place = torch.zeros(t + 1, 8)
            for k in range(t + 1):
                for d in range(0, 8, 2):
                    angle = k / 1e4 ** (d / 8)
                    place[k, d], place[k, d + 1] = math.sin(angle), math.cos(angle)
            h, memory = (torch.stack(before) * 8**0.5 + place)[None], local[b : b + 1, :count]
            later = torch.ones(t + 1, t + 1, dtype=torch.bool).triu(1)
            for layer in captioner.layers.layers:
                x, cross = layer.norm1(h), layer.multihead_attn
                h = h + layer.self_attn(x, x, x, attn_mask=later)[0]
                h = h + cross(layer.norm2(h), memory, memory)[0]
                h = h + layer.linear2(F.gelu(layer.linear1(layer.norm3(h))))
            logits = captioner.words.weight @ captioner.layers.norm(h)[0, -1]
            errors.append(torch.logsumexp(logits, 0) - logits[word])
    return torch.stack(errors).mean()


def test_the_formula_against_a_loop() -> None:
    pair, facts, leaves = sample(WORDS)
    objective = build(clip_weight=0.5, caption_weight=2.0)
    loss = objective(pair, facts).total
    total = 0.5 * Clip()(pair, facts).total + 2 * slow_caption(objective, leaves[1], WORDS)
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    wanted = [*leaves, objective.captioner.words.weight, objective.captioner.start]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(total, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_word_does_not_see_what_comes_after() -> None:
    """The likelihood of the first words is the same whatever follows them."""
    pair, _, leaves = sample(WORDS)
    objective = build()
    one = objective.captioner(torch.tensor(WORDS), leaves[1], pair.image.valid)
    other = torch.tensor(WORDS)
    other[:, 2:] = 8
    two = objective.captioner(other, leaves[1], pair.image.valid)
    torch.testing.assert_close(one[:, :3], two[:, :3])
    assert not torch.allclose(one[:, 3], two[:, 3])


def test_chunks_change_nothing() -> None:
    hidden, table = torch.randn(7, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    words = torch.randint(0, 11, (7,))
    one, two = word_loss(hidden, table, words), word_loss(hidden, table, words, chunk=3)
    torch.testing.assert_close(one, F.cross_entropy(hidden @ table.T, words))
    torch.testing.assert_close(one, two)
    for a, b in zip(
        torch.autograd.grad(one, (hidden, table)),
        torch.autograd.grad(two, (hidden, table)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("count", [1, 3])
def test_no_words_is_clip(count: int) -> None:
    pair, facts, leaves = sample([[0, 0, 0, 0]] * count)
    loss = build()(pair, facts)
    torch.testing.assert_close(loss.total, Clip()(pair, facts).total)
    assert loss.parts["caption"] == 0
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss.total, leaves))


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample([[11, 0], [1, 2], [3, 4]])
    with pytest.raises(ValueError, match="below the vocabulary of 11, got 11"):
        build()(pair, facts)
    with pytest.raises(ValueError, match="local vectors"):
        build()(Pair(Encoded(torch.ones(3, 8)), pair.text), facts)
    with pytest.raises(ModelError, match="multiple of the 3 heads, got 8"):
        build(heads=3)
