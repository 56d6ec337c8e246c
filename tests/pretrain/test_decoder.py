from __future__ import annotations

import pytest
import torch
from torch import nn

from asclip.pretrain.decoder import Decoder, Layer


def plain_attention(layer: nn.MultiheadAttention, q, kv, pad=None):
    return layer(q, kv, kv, key_padding_mask=pad, need_weights=True, average_attn_weights=True)


@pytest.mark.parametrize("queries", [1, 4])  # few go through the projections of the memory
@pytest.mark.parametrize("self_attention", [False, True])
def test_a_layer_equals_torchs_own_attention(self_attention: bool, queries: int) -> None:
    """The same weights in nn.MultiheadAttention give the same output and the same attention."""
    torch.manual_seed(0)
    layer = Layer(8, 2, 16, self_attention=self_attention)
    x, memory = torch.randn(3, queries, 8), torch.randn(3, 5, 8)
    valid = torch.arange(5) < torch.tensor([[5], [3], [1]])
    out, attention = layer(x, memory, valid)

    slow = x
    if layer.own is not None and layer.own_norm is not None and layer.own_out is not None:
        own = nn.MultiheadAttention(8, 2, batch_first=True)
        own.in_proj_weight.data, own.in_proj_bias.data = layer.own.weight, layer.own.bias
        own.out_proj = layer.own_out  # pyright: ignore[reportAttributeAccessIssue]
        normed = layer.own_norm(x)
        slow = slow + plain_attention(own, normed, normed)[0]
    cross = nn.MultiheadAttention(8, 2, batch_first=True)
    cross.in_proj_weight.data = torch.cat([layer.query.weight, layer.key_value.weight])
    cross.in_proj_bias.data = torch.cat([layer.query.bias, layer.key_value.bias])
    cross.out_proj = layer.out  # pyright: ignore[reportAttributeAccessIssue]
    seen, weights = plain_attention(cross, layer.norm(slow), layer.memory_norm(memory), ~valid)
    slow = slow + seen
    slow = slow + layer.feed(slow)
    torch.testing.assert_close(out, slow, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attention, weights, atol=1e-5, rtol=1e-5)
    assert not attention[2, :, 1:].any()


def test_shared_queries_are_the_same_for_every_image() -> None:
    torch.manual_seed(0)
    decoder = Decoder(8, layers=2, heads=2, hidden=16)
    queries, memory = torch.randn(3, 8), torch.randn(2, 5, 8)
    shared, maps = decoder(queries, memory)
    each, _ = decoder(queries.expand(2, 3, 8), memory)
    torch.testing.assert_close(shared, each)
    assert shared.shape == (2, 3, 8)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3))


@pytest.mark.parametrize("tokens", [1, 5, 40])
@pytest.mark.parametrize("self_attention", [False, True])
def test_only_what_is_asked_is_answered_and_as_before(self_attention: bool, tokens: int) -> None:
    torch.manual_seed(0)
    decoder = Decoder(8, layers=2, heads=2, hidden=16, self_attention=self_attention)
    queries, memory = torch.randn(6, 8, requires_grad=True), torch.randn(4, tokens, 8)
    memory.requires_grad_()
    valid = torch.arange(tokens) < torch.tensor([[tokens], [3], [1], [2]])
    asked = torch.rand(4, 6, generator=torch.Generator().manual_seed(1)) < 0.4
    asked[2] = False
    some, every = decoder.ask(queries, memory, valid, asked), decoder(queries, memory, valid)[0]
    torch.testing.assert_close(some, every * asked[..., None], atol=1e-5, rtol=1e-5)
    leaves = [queries, memory, *(p for p in decoder.parameters() if p.requires_grad)]
    weight = torch.randn(8)
    ours = torch.autograd.grad((some @ weight)[asked].square().sum(), leaves)
    theirs = torch.autograd.grad((every @ weight)[asked].square().sum(), leaves)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_nobody_is_asked_anything() -> None:
    decoder = Decoder(8, layers=1, heads=2, hidden=16, self_attention=False)
    memory = torch.randn(2, 5, 8, requires_grad=True)
    answers = decoder.ask(torch.randn(3, 8), memory, None, torch.zeros(2, 3, dtype=torch.bool))
    assert answers.shape == (2, 3, 8)
    assert not answers.any()
    (grad,) = torch.autograd.grad(answers.sum(), memory)
    assert not grad.any()
