from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from asclip.errors import ModelError, ResourceError
from asclip.files.preprocessing import Preprocessing
from asclip.towers.frozen import cache_features
from asclip.towers.model import Model
from asclip.types import Encoded

from .conftest import REPORTS, Pixels, tiny_encoder


@pytest.fixture
def locked(tokenizer):
    encoder = tiny_encoder(tokenizer, locked=True)
    return Model(encoder, tokenizer, Preprocessing(size=(32, 32)))


def forbid(monkeypatch, model):
    def never(*_args, **_kwargs):
        raise AssertionError("the backbone ran")

    monkeypatch.setattr(model.encoder.image.backbone, "forward", never)
    monkeypatch.setattr(model.encoder.text.backbone, "forward", never)


@pytest.mark.parametrize(("precision", "cosine"), [("fp32", 0.99999), ("bf16", 0.999)])
def test_cached_features_give_the_embeddings_of_a_direct_run(locked, tmp_path, precision, cosine):
    data = Pixels()
    cached = cache_features(locked, data, REPORTS, tmp_path, batch=4, precision=precision)
    assert cached.image.shape == (6, locked.encoder.image.features)
    assert cached.image.dtype == cached.text.dtype == np.float16
    locked.encoder.eval()
    raw = Encoded(torch.from_numpy(np.array(cached.image)))
    image = locked.encoder.image(raw, local=False).pooled
    assert cosine_similarity(image, locked.encode_pixels(data.pixels).pooled).min() > cosine
    raw = Encoded(torch.from_numpy(np.array(cached.text)))
    text = locked.encoder.text(raw, local=False).pooled
    assert cosine_similarity(text, locked.encode_texts(REPORTS).pooled).min() > cosine


def test_the_second_call_does_not_run_the_backbones(locked, tmp_path, monkeypatch):
    first = cache_features(locked, Pixels(), REPORTS, tmp_path)
    forbid(monkeypatch, locked)
    again = cache_features(locked, Pixels(), REPORTS, tmp_path)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.text, again.text)


@pytest.mark.parametrize("change", ["weights", "mean", "data", "texts"])
def test_whatever_changes_the_features_makes_a_new_file(locked, tmp_path, monkeypatch, change):
    cache_features(locked, Pixels(), REPORTS, tmp_path)
    data, texts = Pixels(), REPORTS
    if change == "weights":
        with torch.no_grad():
            next(locked.encoder.image.backbone.parameters()).add_(1e-3)
    elif change == "mean":
        locked.preprocessing = replace(locked.preprocessing, mean=(0.4,))
    elif change == "data":
        data.hash = "other"
    else:
        texts = [*REPORTS[:-1], "another"]
    forbid(monkeypatch, locked)
    with pytest.raises(AssertionError, match="the backbone ran"):
        cache_features(locked, data, texts, tmp_path)


def test_an_interrupted_run_goes_on_where_it_stopped(locked, tmp_path):
    whole = cache_features(locked, Pixels(), REPORTS, tmp_path / "whole", batch=1)

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    # the place is noted every eight batches, so a short run needs many
    data = Pixels()
    data.image_rows = lambda: [np.arange(6)]
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        cache_features(locked, data, REPORTS, folder, batch=1, progress=stop)
    assert not list(folder.glob("image-*.npy"))
    seen = []
    part = cache_features(
        locked, data, REPORTS, folder, batch=1, progress=lambda *n: seen.append(n)
    )
    np.testing.assert_array_equal(whole.image, part.image)
    assert not list(folder.glob("*.part"))
    assert not list(folder.glob("*.done"))


def test_only_the_rows_of_a_split_are_computed(locked, tmp_path):
    data = Pixels()
    data.image_rows = lambda: [np.array([2])]
    features = cache_features(locked, data, REPORTS, tmp_path)
    assert features.image[2].any()
    assert not features.image[[0, 1, 3, 4, 5]].any()


def test_what_cannot_be_is_said(locked, encoder, tokenizer, tmp_path, monkeypatch):
    free = Model(encoder, tokenizer, locked.preprocessing)
    with pytest.raises(ModelError, match="locked towers only"):
        cache_features(free, Pixels(), REPORTS, tmp_path)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    with pytest.raises(ResourceError, match="No space left on device; free some space"):
        cache_features(locked, Pixels(), REPORTS, tmp_path)
