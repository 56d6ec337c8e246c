from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.towers.image import ImageConfig, ImageTower
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, TextTower
from asclip.types import Batch, Encoded, Facts, Tokens

POOLED = frozenset({"image.pooled", "text.pooled", "facts.patient"})


def batch_of(tokenizer, texts, **images):
    pixels = {"image": torch.randn(len(texts), 1, 32, 32), **images}
    return Batch(pixels, {"text": tokenizer.encode(texts)}, Facts(torch.arange(len(texts))))


def test_a_pair_has_what_the_objective_needs_and_no_more(encoder, tokenizer):
    batch = batch_of(tokenizer, ["normal chest", "no nodule"], second=torch.randn(2, 1, 32, 32))
    pair = encoder.encode(batch, POOLED)
    assert pair.image.pooled.shape == pair.text.pooled.shape == (2, 16)
    assert pair.image.local is None
    assert pair.text.local is None
    assert dict(pair.others) == {}
    pair = encoder.encode(batch, POOLED | {"image.local", "text.local", "second.local"})
    assert pair.image.local is not None
    assert pair.text.valid is not None
    assert pair.others["second"].local is not None


def test_what_the_batch_lacks_is_named(encoder, tokenizer):
    batch = batch_of(tokenizer, ["normal chest"])
    with pytest.raises(ModelError, match="'prior' is needed"):
        encoder.encode(batch, POOLED | {"prior.pooled"})


def test_a_text_that_repeats_is_encoded_once_and_given_to_each_row(encoder, tokenizer):
    encoder.eval()
    once = tokenizer.encode(["normal chest", "no nodule"])
    rows = torch.tensor([1, 0, 1])
    batch = Batch(
        {"image": torch.randn(3, 1, 32, 32)},
        {"text": Tokens(once.ids, once.mask, rows)},
        Facts(torch.arange(3)),
    )
    pair = encoder.encode(batch, POOLED | {"text.local"})
    assert pair.text.pooled.shape == (3, 16)
    torch.testing.assert_close(pair.text.pooled[0], pair.text.pooled[2])
    torch.testing.assert_close(pair.text.pooled, encoder.text(once).pooled[rows])


def test_cached_features_go_to_the_tower_of_their_width(encoder):
    image = Encoded(torch.randn(2, encoder.image.features))
    text = Encoded(torch.randn(2, encoder.text.features))
    for name in ("image", "second"):
        got = encoder.stream(name, image, local=False).pooled
        torch.testing.assert_close(got, encoder.image(image, local=False).pooled)
    got = encoder.stream("entity", text, local=False).pooled
    torch.testing.assert_close(got, encoder.text(text, local=False).pooled)
    with pytest.raises(ModelError, match="width 5"):
        encoder.stream("second", Encoded(torch.zeros(2, 5)), local=False)


def test_both_towers_need_one_width():
    image = ImageTower(ImageConfig(width=8, size=(32, 32)))
    with pytest.raises(ModelError, match="image 8 and text 9"):
        DualEncoder(image, TextTower(TextConfig(width=9, vocabulary=9)))
