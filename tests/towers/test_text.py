from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.towers.text import TextConfig, pool, text_tower
from asclip.types import Tokens

SMALL = {"width": 12, "vocabulary": 50, "max_tokens": 20}


def tokens(*lengths: int, width: int | None = None) -> Tokens:
    longest = width or max(lengths)
    ids = torch.arange(1, longest + 1).repeat(len(lengths), 1)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return Tokens(ids * mask, mask)


@pytest.mark.parametrize("name", ["tiny", "small", "base", "words"])
def test_presets_give_pooled_and_local_vectors(name):
    tower = text_tower(TextConfig(name, **SMALL))
    encoded = tower(tokens(5, 3))
    assert encoded.pooled.shape == (2, 12)
    assert encoded.local is not None
    assert encoded.local.shape == (2, 5, 12)
    assert encoded.valid is not None
    assert encoded.valid.sum(1).tolist() == [5, 3]
    assert tower(tokens(5), local=False).local is None


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_padding_changes_nothing(pooling):
    tower = text_tower(TextConfig(pooling=pooling, **SMALL)).eval()
    short, long = tower(tokens(4)), tower(tokens(4, width=17))
    torch.testing.assert_close(short.pooled, long.pooled, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(short.local, long.local[:, :4], rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing_in_bfloat16():
    tower = text_tower(TextConfig(**SMALL)).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        short, long = tower(tokens(4)).pooled, tower(tokens(4, width=17)).pooled
    torch.testing.assert_close(short.float(), long.float(), rtol=0.05, atol=0.02)


def test_order_of_words_matters():
    tower = text_tower(TextConfig(**SMALL)).eval()
    x = tokens(4)
    turned = Tokens(x.ids.flip(1), x.mask)
    assert (tower(x).pooled - tower(turned).pooled).abs().max() > 1e-4


def test_a_bag_of_words_has_no_order_and_no_padding():
    tower = text_tower(TextConfig("words", **SMALL)).eval()
    x = tokens(4)
    turned = Tokens(x.ids.flip(1), x.mask)
    torch.testing.assert_close(tower(x).pooled, tower(turned).pooled)
    torch.testing.assert_close(tower(x).pooled, tower(tokens(4, width=17)).pooled)
    assert (tower(x).pooled - tower(tokens(5)).pooled).abs().max() > 1e-4


def test_pooling_reads_real_tokens_only():
    hidden = torch.tensor([[[1.0], [2.0], [6.0], [100.0]]])
    mask = torch.tensor([[True, True, True, False]])
    assert pool(hidden, mask, "mean").item() == 3.0
    assert pool(hidden, mask, "first").item() == 1.0
    assert pool(hidden, mask, "last").item() == 6.0
    assert pool(hidden, torch.zeros(1, 4, dtype=torch.bool), "mean").item() == 0.0


def test_a_locked_backbone_has_no_gradient_and_no_dropout():
    tower = text_tower(TextConfig(locked=True, dropout=0.5, **SMALL)).train()
    x = tokens(6)
    torch.testing.assert_close(tower.raw(x).pooled, tower.raw(x).pooled)
    tower(x).pooled.sum().backward()
    assert all(p.grad is None for p in tower.backbone.parameters())
    assert all(p.grad is not None for p in tower.projection.parameters())


def test_every_weight_of_a_free_tower_has_a_gradient():
    tower = text_tower(TextConfig(local="own", **SMALL))
    encoded = tower(tokens(6, 2))
    (encoded.pooled.square().sum() + encoded.local.square().sum()).backward()
    assert [n for n, p in tower.named_parameters() if p.grad is None] == []


def test_what_does_not_fit_is_said():
    with pytest.raises(ModelError, match="no text tower is called 'bert'"):
        text_tower(TextConfig("bert"))
    with pytest.raises(ModelError, match="pooling 'max'"):
        text_tower(TextConfig(pooling="max"))
    with pytest.raises(ModelError, match="max_length=20"):
        text_tower(TextConfig(**SMALL))(tokens(21))
