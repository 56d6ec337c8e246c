from __future__ import annotations

import pytest
import torch

from asclip.towers.memory import estimate_memory, saved_bytes
from asclip.types import Tokens

from .conftest import tiny_encoder


def test_the_estimate_is_near_what_autograd_keeps_at_another_batch(encoder):
    batch, length = 24, 16
    estimate = estimate_memory(encoder, batch, item_shape=(1, 32, 32), tokens=length)
    tokens = Tokens(torch.ones(batch, length, dtype=torch.int64), torch.ones(batch, length) > 0)
    kept = saved_bytes(
        encoder, "image", torch.zeros(batch, 1, 32, 32), local=False, precision="bf16"
    ) + saved_bytes(encoder, "text", tokens, local=False, precision="bf16")
    weights = 4 * sum(p.numel() * 4 for p in encoder.parameters())
    assert estimate - weights == pytest.approx(kept, rel=0.25)


def test_a_locked_backbone_needs_less(encoder, tokenizer):
    sizes = {"item_shape": (1, 32, 32), "tokens": 16}
    locked = tiny_encoder(tokenizer, locked=True)
    assert estimate_memory(locked, 64, **sizes) < estimate_memory(encoder, 64, **sizes) / 3
    assert estimate_memory(encoder, 64, texts=8, **sizes) < estimate_memory(encoder, 64, **sizes)
