from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.towers.image import ImageConfig, ImageTower
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, TextTower
from asclip.types import Encoded


def test_pixels_and_tokens_go_to_their_towers_and_local_vectors_only_on_demand(encoder, tokenizer):
    encoder.eval()
    pixels, tokens = torch.randn(2, 1, 32, 32), tokenizer.encode(["normal chest", "no nodule"])
    for name in ("image", "prior"):
        found = encoder.stream(name, pixels, local=False)
        assert found.pooled.shape == (2, 16)
        assert found.local is None
        torch.testing.assert_close(found.pooled, encoder.image(pixels, local=False).pooled)
    found = encoder.stream("text", tokens, local=True)
    assert found.local is not None
    torch.testing.assert_close(found.local, encoder.text(tokens).local)


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
