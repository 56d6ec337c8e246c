"""Every method on small models: against the formula written slowly, and for what all promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from asclip.errors import DataError, ModelError
from asclip.pretrain.multiscale.gloria import Gloria
from asclip.tasks.dense.pointing import region_scores
from asclip.towers.model import Model
from asclip.towers.pixels import to_tensor
from asclip.trust.explain.attention import attends, rolled, rollout
from asclip.trust.explain.baseline import middle, noise
from asclip.trust.explain.bottleneck import bottleneck, information
from asclip.trust.explain.gradients import grad_cam
from asclip.trust.explain.layer import blocks, changed, given, last_map
from asclip.trust.explain.sanity import shuffled, similarity_to_shuffled
from asclip.trust.explain.similarity import own_score, region_cosine
from asclip.types import Encoded

Build = Callable[..., Model]
SAID = ["A mass in the left lung.", "No mass.", "The heart is large."]
METHODS = [region_cosine, own_score, grad_cam, bottleneck, noise, middle]


@pytest.mark.parametrize("method", METHODS)
def test_a_map_has_the_grid_and_is_the_same_again_and_alone(
    method: Callable, build: Build, images: np.ndarray
) -> None:
    model = build()
    maps = method(model, images, SAID)
    assert maps.shape == (3, *model.encoder.image.grid)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    np.testing.assert_array_equal(maps, method(model, images, SAID))
    if method is not noise:
        np.testing.assert_allclose(maps[1:2], method(model, images[1:2], SAID[1:2]), atol=1e-5)
        assert (maps.reshape(3, -1).std(1) > 0).all()
    with pytest.raises(DataError, match="3 images and 2 phrases"):
        method(model, images, SAID[:2])
    with pytest.raises(DataError, match="got none"):
        method(model, images[:0], [])
    assert all(p.grad is None for p in model.encoder.parameters())


def test_the_similarity_of_regions_is_their_cosine(build: Build, images: np.ndarray) -> None:
    model = build()
    found = region_cosine(model, images, SAID)
    local = model.encode_pixels(images, local=True).local
    for b, phrase in enumerate(SAID):
        text = model.encode_texts([phrase]).pooled[0]
        want = torch.cosine_similarity(local[b], text[None], dim=1).reshape(found.shape[1:])
        np.testing.assert_allclose(found[b], want, atol=1e-6)
    np.testing.assert_allclose(own_score(model, images, SAID), found, atol=1e-6)


def test_a_models_own_score_is_asked_of_each_region(build: Build, images: np.ndarray) -> None:
    model = build()
    model.scorer = Gloria().score
    found = own_score(model, images, [SAID[0], SAID[2], SAID[0]])
    regions = model.encode_pixels(images, local=True)
    every = region_scores(model, regions, model.encode_texts([SAID[0], SAID[2]]))
    for b, text in enumerate((0, 1, 0)):
        np.testing.assert_allclose(found[b].ravel(), every[b, :, text], atol=1e-6)


@pytest.mark.parametrize("scorer", [None, "gloria"])
@pytest.mark.parametrize("locked", [False, True])
def test_grad_cam_is_its_formula(
    scorer: str | None, locked: bool, build: Build, images: np.ndarray
) -> None:
    model, objective = build(locked=locked), Gloria()
    model.scorer = objective.score if scorer else None
    found = grad_cam(model, images, SAID)
    tower, texts = model.encoder.image, model.encode_texts(SAID)
    for b in range(3):
        values = to_tensor(images[b : b + 1], model.preprocessing)
        channels = tower.backbone.net(values).detach().requires_grad_()  # [1, F, h, w]
        tokens = channels.flatten(2).transpose(1, 2)
        pooled = torch.cat([tokens.mean(1), tokens.amax(1)], 1)
        summary, local = tower.projection(pooled), tower.projection(torch.cat([tokens, tokens], -1))
        total = functional.cosine_similarity(summary, texts.pooled[b : b + 1])[0]
        if scorer:
            text = Encoded(texts.pooled[b : b + 1], texts.local[b : b + 1], texts.valid[b : b + 1])
            total = (total + objective.local(Encoded(summary, local), text)[0, 0]) / 2
        (gradient,) = torch.autograd.grad(total, channels)
        want = (gradient.mean((2, 3), keepdim=True) * channels).sum(1).relu()[0]
        np.testing.assert_allclose(found[b], want.detach(), rtol=1e-3, atol=1e-7)


def test_of_a_transformer_the_input_of_the_last_block_is_explained(
    build: Build, images: np.ndarray
) -> None:
    model = build("vit")
    layer = last_map(model.encoder.image)
    assert layer.before
    assert layer.module is list(blocks(model.encoder.image.backbone.net))[-1]
    kept: list[torch.Tensor] = []
    with changed(layer, lambda tokens: kept.append(tokens) or tokens):
        before = model.encode_pixels(images)
    assert kept[0].shape == (3, 16, 16)
    assert torch.equal(before.pooled, model.encode_pixels(images).pooled)
    with changed(layer, torch.zeros_like):
        assert not torch.allclose(before.pooled, model.encode_pixels(images).pooled)
    maps = grad_cam(model, images, SAID)
    assert maps.shape == (3, 4, 4)
    assert maps.max() > 0
    assert (bottleneck(model, images, SAID).reshape(3, -1).std(1) > 0).all()
    with pytest.raises(ModelError, match="blocks of this transformer"):
        blocks(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["micro", "vit"])
def test_a_map_that_is_given_stands_for_the_network(
    name: str, build: Build, images: np.ndarray
) -> None:
    model = build(name)
    layer, before = last_map(model.encoder.image), model.encode_pixels(images, local=True)
    kept: list[torch.Tensor] = []
    with torch.no_grad():
        with changed(layer, lambda tokens: kept.append(tokens) or tokens):
            model.encode_pixels(images)
        with given(layer, kept[0].flip(0)):
            turned = model.encode_pixels(images, local=True)
    if name == "micro":
        torch.testing.assert_close(turned.local, before.local.flip(0))
    assert not torch.allclose(turned.pooled, before.pooled)
    assert torch.equal(model.encode_pixels(images).pooled, before.pooled)


def test_rollout_is_its_formula(build: Build, images: np.ndarray) -> None:
    model = build("vit")
    found = rollout(model, images, SAID)
    net = model.encoder.image.backbone.net
    usual = net.config._attn_implementation
    net.set_attn_implementation("eager")
    with torch.no_grad():
        attentions = net(to_tensor(images, model.preprocessing), output_attentions=True).attentions
    net.set_attn_implementation(usual)
    for b in range(3):
        flow = np.eye(17)
        for one in attentions:
            flow = (one[b].mean(0).double().numpy() + np.eye(17)) / 2 @ flow
        np.testing.assert_allclose(found[b].ravel(), flow[0, 1:], atol=1e-6)
    assert (found.sum((1, 2)) < 1).all()
    same = rollout(model, images, SAID[::-1])
    np.testing.assert_array_equal(found, same)  # it does not know the phrase


def test_rollout_of_one_block_is_half_of_its_attention() -> None:
    attention = torch.softmax(torch.randn(2, 3, 5, 5), -1)
    want = (attention.mean(1) + torch.eye(5)) / 2
    torch.testing.assert_close(rolled([attention]), want)
    torch.testing.assert_close(rolled([attention] * 3).sum(-1), torch.ones(2, 5))


def test_rollout_without_attention_over_the_image_is_refused(
    build: Build, images: np.ndarray
) -> None:
    assert attends(build("vit"))
    model = build()
    assert not attends(model)
    with pytest.raises(ModelError, match="needs a transformer"):
        rollout(model, images, SAID)
    for windows in ([], [torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 9, 9)]):
        with pytest.raises(ModelError, match="attend over windows"):
            rolled(windows)


def test_information_is_the_divergence_of_two_normals() -> None:
    share, standard = torch.tensor([0.0, 0.3, 0.9]), torch.tensor([2.0, -1.0, 1.5])
    given = torch.distributions.Normal(share * standard, 1 - share)
    want = torch.distributions.kl_divergence(given, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(information(share, standard), want, atol=1e-6, rtol=1e-5)


def test_the_bottleneck_closes_where_information_costs_and_not_where_it_is_free(
    build: Build, images: np.ndarray
) -> None:
    model = build()
    untouched, dear = (bottleneck(model, images, SAID, weight=100.0, steps=s) for s in (0, 15))
    assert (dear >= 0).all()
    assert dear.mean() < 0.1 * untouched.mean()
    cheap = bottleneck(model, images, SAID, weight=1e-6, steps=15)
    assert cheap.mean() > 3 * dear.mean()


def test_the_bottleneck_keeps_what_the_answer_needs(build: Build, images: np.ndarray) -> None:
    model = build()
    place = [5, 0, 14]
    true = model.encode_pixels(images, local=True).local[range(3), place]

    def score(image: Encoded, text: Encoded) -> torch.Tensor:
        """How much the region at `place` is as it was, whatever the text."""
        copies = len(image.pooled) // 3
        seen = image.local[range(3 * copies), place * copies]
        alike = torch.cosine_similarity(seen, true.repeat(copies, 1), dim=1)
        return 10 * alike[:, None].expand(-1, len(text.pooled))

    model.scorer = score
    assert bottleneck(model, images, SAID).reshape(3, -1).argmax(1).tolist() == place


def test_shuffled_weights_are_the_same_numbers_elsewhere(build: Build) -> None:
    model = build()
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    for share in (0.0, 0.5, 1.0):
        other = shuffled(model, share)
        changes = []
        for key, value in other.encoder.state_dict().items():
            assert torch.equal(value.flatten().sort()[0], before[key].flatten().sort()[0])
            assert torch.equal(model.encoder.state_dict()[key], before[key])
            if not torch.equal(value, before[key]):
                changes.append(key)
        assert all(key.startswith("image.") for key in changes)
        assert any("projection" in key for key in changes)
        assert any("stages.0" in key for key in changes) == (share == 1.0)
        assert any("stages.3" in key for key in changes) == (share > 0)


def test_a_map_of_the_pixels_alone_does_not_change_with_the_weights(
    build: Build, images: np.ndarray
) -> None:
    def edges(model: Model, images: np.ndarray, phrases: list[str]) -> np.ndarray:
        return images.reshape(len(images), 2, 32, 2, 32).mean((2, 4)).astype(np.float32)

    model = build()
    assert all((r == 1).all() for r in similarity_to_shuffled(edges, model, images, SAID).values())
    found = similarity_to_shuffled(region_cosine, model, images, SAID)
    assert list(found) == ["projection", "upper half", "all"]
    assert all(r.shape == (3,) for r in found.values())
    assert found["all"].mean() < 1
