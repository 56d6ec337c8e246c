"""What is loaded gives what the publishers' own code gives, and nothing less is loaded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from asclip.errors import ModelError
from asclip.towers.pixels import to_tensor
from asclip.towers.published.build import build
from asclip.towers.published.table import entries
from checkpoints import OFFICIAL, TEXTS, Official

SPARE = ("num_batches_tracked", "pooler.", "position_ids", "relative_position_index")


@pytest.fixture(scope="module", params=list(OFFICIAL))
def official(request: pytest.FixtureRequest) -> Official:
    return OFFICIAL[request.param]()


@pytest.fixture(
    scope="module", params=["chexzero", "biomedclip", "medclip-vit", "medclip-resnet50"]
)
def one(request: pytest.FixtureRequest) -> Official:
    """One model of each format."""
    return OFFICIAL[request.param]()


def fit() -> None:
    raise ModelError("all weights fit")


@torch.no_grad()
def test_embeddings_are_those_of_the_official_forward_pass(official: Official) -> None:
    model = official.model()
    shape = (3, *model.preprocessing.item_shape)
    noise = np.random.default_rng(0).integers(0, 256, shape)
    items = (noise.T * [0.2, 0.6, 1.0]).T.astype(np.uint8)
    pixels = to_tensor(items, model.preprocessing).expand(-1, 3, -1, -1)
    tokens = model.tokenizer.encode(TEXTS)
    for ours, theirs in (
        (model.encode_pixels(items).pooled, official.image(pixels)),
        (model.encode_texts(TEXTS).pooled, official.text(tokens.ids, tokens.mask)),
    ):
        assert (theirs[0] - theirs[1]).abs().max() > 1e-3  # it does read its input
        if official.entry.name == "flair":  # unit features before a linear map: only a direction
            ours, theirs = functional.normalize(ours), functional.normalize(theirs)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert model.scale == pytest.approx(float(official.tensors["logit_scale"].exp()))


def test_every_format_of_the_table_is_tested() -> None:
    loadable = {name for name, one in entries().items() if one.loads and not one.configured}
    same = {
        "quiltnet-b-16": "quiltnet-b-32",
        "unimed-clip-l14": "unimed-clip-b16",
        "unimed-clip-l14-large": "unimed-clip-b16",
    }
    assert loadable == set(OFFICIAL) | set(same)
    for name, tested in same.items():
        one, other = entries()[name], entries()[tested]
        assert (one.image, one.text, one.unused) == (other.image, other.text, other.unused)


def test_each_missing_key_is_named(one: Official) -> None:
    with pytest.raises(ModelError, match="all weights fit"):
        build(one.entry, one.checkpoint(), fit)
    for key in one.tensors:
        if not any(part in key for part in SPARE):
            fewer = {name: value for name, value in one.tensors.items() if name != key}
            with pytest.raises(ModelError) as caught:
                build(one.entry, one.checkpoint(fewer), fit)
            assert repr(key) in str(caught.value)


def test_each_misshapen_key_is_named(one: Official) -> None:
    """One row more; those that tell a width are then not odd themselves, but others are."""
    named = 0
    for key, value in one.tensors.items():
        if any(part in key for part in SPARE) or value.ndim == 0:
            continue
        odd = {**one.tensors, key: torch.cat([value, value[:1]])}
        with pytest.raises(ModelError) as caught:
            build(one.entry, one.checkpoint(odd), fit)
        if "embeddings.weight" in key or "token_embedding" in key or "positional" in key:
            continue  # another vocabulary or another longest text is another model that fits
        assert "all weights fit" not in str(caught.value), key
        named += repr(key) in str(caught.value)
    assert named > 0.5 * len(one.tensors)


def test_an_extra_key_is_named_and_counted(one: Official) -> None:
    more = {**one.tensors, "visual.surplus": torch.zeros(1), "queue": torch.zeros(1)}
    with pytest.raises(ModelError, match=r"2 are not of this model, first 'visual\.surplus'"):
        build(one.entry, one.checkpoint(more), fit)
