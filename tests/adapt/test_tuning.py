"""Methods that train the image tower: on a copy, by the formula, and on the layers they name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from asclip.adapt import ClassTexts, Examples
from asclip.adapt.depth import last, levels, matrices, sides
from asclip.adapt.fine_tuning import FineTuning
from asclip.adapt.layer_wise import LayerWise
from asclip.adapt.lora import LoRA, merged
from asclip.adapt.question import Question, Seen, embeddings
from asclip.adapt.terms import descend, loss, quality
from asclip.adapt.tuning import copied, free, read, seen
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import ModelError
from asclip.towers.efficientnet import EfficientNetLite0
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.pair import DualEncoder
from drawn import SAID

METHODS = (LoRA, FineTuning, LayerWise)
DRAWN = PromptSet(
    "drawn",
    "1",
    "multi-label",
    {name: ClassPrompts((here,), (absent,)) for name, (here, absent) in SAID.items()},
)


@pytest.fixture(params=["single", "multi"])
def task(request: pytest.FixtureRequest, drawn_data, make_model):
    """Model, texts, and 24 training and all validation examples with their pixels."""
    prompts, data = DRAWN, drawn_data
    if request.param == "single":
        effusion = data.studies["label:effusion"] == 1
        kind = np.where(effusion, "fluid", "none")
        data = replace(data, studies=data.studies.assign(**{"meta:kind": kind}))
        classes = {"fluid": ClassPrompts(("left effusion",)), "none": ClassPrompts(("no",))}
        prompts = PromptSet("kinds", "1", "single-label", classes, column="kind")
    model = make_model()
    train, validation = data.split("train"), data.split("val")
    question = Question.of(train, validation, prompts, print)
    support = Seen(model, train, question).examples(range(24))
    held_out = Seen(model, validation, question).examples()
    return model, ClassTexts.of(model, question.prompts), support, held_out


def later_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the last step, whatever validation says."""
    steps = iter(range(1, 1000))
    monkeypatch.setattr("asclip.adapt.tuning.quality", lambda *_, **__: (float(next(steps)), 0.0))


def weights_of(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.encoder.state_dict().items()}


@pytest.mark.parametrize("method", METHODS)
def test_the_model_given_is_never_altered(method: type, task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    model, texts, support, held_out = task
    before = weights_of(model)
    asked = [p.requires_grad for p in model.encoder.parameters()]
    fitted = method(steps=4, rate=1e-2).fit(support, held_out, texts, seed=0)
    assert fitted.chosen["step"] == 4
    after = model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [p.requires_grad for p in model.encoder.parameters()] == asked
    assert all(p.grad is None for p in model.encoder.parameters())
    own = fitted.model.encoder.state_dict()
    moved = {name for name in before if not torch.equal(before[name], own[name])}
    assert moved
    assert all(name.startswith("image.") for name in moved)


@pytest.mark.parametrize("method", METHODS)
def test_without_steps_it_is_zero_shot(method: type, task) -> None:
    _, texts, support, held_out = task
    fitted = method(steps=0).fit(support, held_out, texts, seed=0)
    features = embeddings(fitted.model, held_out.part)
    torch.testing.assert_close(features, held_out.features)
    z = fitted.scores(features) - fitted.bias
    torch.testing.assert_close(z, texts.logits(held_out.features), rtol=1e-4, atol=1e-4)
    assert (float(fitted.bias.abs().max()) == 0) == texts.single


@pytest.mark.parametrize(
    ("method", "task"),
    [(LoRA, "single"), (FineTuning, "multi"), (LayerWise, "multi")],
    indirect=["task"],
)
def test_it_learns_and_repeats_itself(method: type, task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    _, texts, support, held_out = task
    how = method(steps=15, rate=3e-3 if method is not LoRA else 1e-2, batch=6)
    one = how.fit(support, held_out, texts, seed=1)
    features = embeddings(one.model, support.part)
    begun = float(loss(texts.logits(support.features), support.truth, single=texts.single))
    ended = float(loss(one.scores(features), support.truth, single=texts.single))
    assert ended < 0.85 * begun, (ended, begun)
    if texts.single:
        two = how.fit(support, held_out, texts, seed=1)
        torch.testing.assert_close(features, embeddings(two.model, support.part), rtol=0, atol=0)


def test_what_is_kept_is_the_best_on_validation(task) -> None:
    _, texts, support, held_out = task
    fitted = FineTuning(steps=8, rate=1e-3).fit(support, held_out, texts, seed=0)
    z = fitted.scores(embeddings(fitted.model, held_out.part))
    own = quality(z, held_out.truth, single=texts.single)
    floor = quality(texts.logits(held_out.features), held_out.truth, single=texts.single)
    assert own[0] == pytest.approx(fitted.chosen["validation"])
    assert own[0] >= floor[0]


def test_features_with_a_graph_are_those_of_the_model(drawn_data, make_model) -> None:
    """Studies with several images, in another order than that of the data set."""
    model = make_model()
    images = drawn_data.images.copy()
    images["study"] = (images["study"] // 2).astype("int32")
    studies = drawn_data.studies.iloc[::2].reset_index(drop=True)
    part = replace(drawn_data, studies=studies, images=images)
    rows = np.array([5, 0, 3])
    found = seen(copied(model), {}, part, rows)
    torch.testing.assert_close(found, embeddings(model, part)[rows])


def test_texts_with_a_graph_are_those_of_the_model(case) -> None:
    model = case.texts.model
    texts = ClassTexts.of(model, case.texts.prompts)
    found = read(copied(model, "both"), {}, texts)
    torch.testing.assert_close(found, texts.directions, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("task", ["multi"], indirect=True)
def test_both_towers_move_where_both_are_asked_for(task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    model, texts, support, held_out = task
    before = weights_of(model)
    fitted = LoRA(steps=2, rate=1e-2, towers="both").fit(support, held_out, texts, seed=0)
    own = fitted.model.encoder.state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], own[name])}
    assert moved == {"image", "text"}
    assert not torch.allclose(fitted.texts.directions, texts.directions)
    again = fitted.again(ClassTexts.of(model, texts.prompts.only("mass")))
    expected = fitted.texts.directions[texts.labels.index("mass")]
    torch.testing.assert_close(again.texts.directions[0], expected)
    assert all(torch.equal(before[k], v) for k, v in model.encoder.state_dict().items())


@pytest.mark.parametrize("task", ["single"], indirect=True)
def test_a_locked_tower_is_trained_too(make_model, task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    _, texts, support, held_out = task
    model = make_model()
    model.encoder.image.locked = True
    model.encoder.image.backbone.requires_grad_(False)
    fitted = FineTuning(steps=2, rate=1e-2).fit(
        support, held_out, replace(texts, model=model), seed=0
    )
    first = "image.backbone.net.stem.0.weight"
    assert not torch.equal(
        fitted.model.encoder.state_dict()[first], model.encoder.state_dict()[first]
    )
    assert model.encoder.image.locked


class Attentive(nn.Module):
    """A joint projection of queries, keys and values, as open_clip's towers have."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("kind", ["linear", "convolution", "attention"])
def test_merged_is_unmerged(kind: str) -> None:
    """The update beside the weight: two small layers in a row."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 8, generator=g)
    net: nn.Module = Attentive()
    if kind == "linear":
        net = nn.Linear(8, 6)
    elif kind == "convolution":
        net, x = nn.Conv2d(8, 6, 3, stride=2, padding=1), torch.randn(2, 8, 7, 7, generator=g)
    (name,) = [one for one, found in matrices(net).items() if found == kind]
    weight = dict(net.named_parameters())[name].detach()
    rows, columns = sides(tuple(weight.shape))
    up = torch.randn(rows, 2, generator=g)
    down = torch.randn(2, columns, generator=g)
    after = functional_call(net, merged({name: weight}, {name: (up, down)}, 0.5), (x,))
    if kind == "linear":
        expected = net(x) + 0.5 * (x @ down.T) @ up.T
    elif kind == "convolution":
        inner = functional.conv2d(x, down.view(2, 8, 3, 3), stride=2, padding=1)
        expected = net(x) + 0.5 * functional.conv2d(inner, up.view(rows, 2, 1, 1))
    else:
        attention = net.attention
        joint = x @ weight.T + attention.in_proj_bias + 0.5 * (x @ down.T) @ up.T
        q, k, v = (one.unflatten(2, (2, 4)).transpose(1, 2) for one in joint.split(8, 2))
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        expected = attention.out_proj(mixed)
    torch.testing.assert_close(after, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("task", ["single"], indirect=True)
def test_lora_moves_its_own_matrices_alone(task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    model, texts, support, held_out = task
    before = weights_of(model)
    fitted = LoRA(steps=3, rate=1e-2, rank=2).fit(support, held_out, texts, seed=0)
    own = fitted.model.encoder.state_dict()
    moved = [name for name in before if not torch.equal(before[name], own[name])]
    convolutions = [n for n, m in model.encoder.image.named_modules() if isinstance(m, nn.Conv2d)]
    assert len(moved) == len(convolutions) + 1
    assert fitted.chosen["on"] == {"convolution": len(convolutions), "linear": 1}
    for name in moved:
        change = (own[name] - before[name]).flatten(1)
        assert int(torch.linalg.matrix_rank(change, rtol=1e-4)) <= 2


@pytest.mark.parametrize("task", ["single"], indirect=True)
def test_the_last_blocks_alone(task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    model, texts, support, held_out = task
    before = weights_of(model)
    inside = {f"image.backbone.{name}" for name in last(model.encoder.image.backbone, 1)[0]}
    for method in METHODS:
        how = method(steps=2, rate=1e-2, blocks=1)
        own = how.fit(support, held_out, texts, seed=0).model.encoder.state_dict()
        moved = {name for name in before if not torch.equal(before[name], own[name])}
        assert moved <= inside | {
            f"image.projection.{n}"
            for n in ("norm.weight", "norm.bias", "linear.weight", "linear.bias")
        }
        assert moved & inside
    with pytest.raises(ModelError, match="blocks must not be above 5, which this tower has, got 9"):
        LayerWise(blocks=9).fit(support, held_out, texts, seed=0)


def test_rates_fall_towards_the_pixels(make_model) -> None:
    encoder = make_model().encoder
    moved = free(encoder, 0, 0.5)
    share = dict(zip(moved.weights(), moved.shares, strict=True))
    names = levels(encoder.image.backbone)
    assert len(names) == 5
    for depth, level in enumerate(names):
        assert {share[f"image.backbone.{name}"] for name in level} == {0.5 ** (len(names) - depth)}
    assert share["image.projection.linear.weight"] == 1
    assert set(share) == {f"image.{name}" for name, _ in encoder.image.named_parameters()}


def test_a_share_of_the_rate_is_a_share_of_the_step() -> None:
    x = [torch.zeros(1), torch.zeros(1)]
    looks = iter(range(9))
    descend(x, lambda: [torch.ones(1), torch.ones(1)], lambda: (float(next(looks)), 0.0), steps=1,
            rate=0.1, shares=(1.0, 0.25))  # fmt: skip
    assert [float(one) for one in x] == [pytest.approx(-0.1), pytest.approx(-0.025)]


@pytest.mark.parametrize("task", ["single"], indirect=True)
def test_no_decay_is_full_fine_tuning(task) -> None:
    _, texts, support, held_out = task
    one = LayerWise(steps=3, rate=1e-3, decay=1.0).fit(support, held_out, texts, seed=0)
    two = FineTuning(steps=3, rate=1e-3).fit(support, held_out, texts, seed=0)
    weights = [x.model.encoder.state_dict() for x in (one, two)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                       intermediate_size=32, image_size=32, patch_size=16)  # fmt: skip
    return ViTModel(config, add_pooling_layer=False)


@pytest.mark.parametrize(
    ("make", "blocks"),
    [
        (vit, 4),  # patches, three layers
        (EfficientNetLite0, 16),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), 4),  # no block
    ],
)
def test_levels_have_every_weight_once(make, blocks: int) -> None:
    net = make()
    found = levels(net)
    names = [name for level in found for name in level]
    assert sorted(names) == sorted(name for name, _ in net.named_parameters())
    assert len(found) == blocks
    assert names[-1] == list(dict(net.named_parameters()))[-1]


def test_lora_sits_on_the_projections_of_a_transformer_and_on_no_depthwise_kernel() -> None:
    found = matrices(vit())
    for layer in range(3):
        assert sum(f".{layer}." in name for name in found) == 6  # q, k, v, out and two of the MLP
    net = EfficientNetLite0()
    kinds = matrices(net)
    depthwise = {f"{n}.weight" for n, m in net.named_modules() if getattr(m, "groups", 1) > 1}
    assert depthwise
    assert not depthwise & set(kinds)


@pytest.mark.parametrize("task", ["single"], indirect=True)
@pytest.mark.parametrize("method", METHODS)
def test_a_tower_of_transformers_is_tuned_like_our_own(method: type, task, monkeypatch) -> None:
    later_is_better(monkeypatch)
    model, texts, support, held_out = task
    architecture = {"model_type": "vit", **vit().config.to_diff_dict()}
    config = ImageConfig("hf", width=16, size=(32, 32), architecture=architecture)
    model.encoder = DualEncoder(image_tower(config, pretrained=False), model.encoder.text).eval()
    other = Examples(embeddings(model, support.part), support.truth, support.part)
    held = Examples(embeddings(model, held_out.part), held_out.truth, held_out.part)
    before = weights_of(model)
    fitted = method(steps=1, rate=1e-2, blocks=2).fit(other, held, texts, seed=0)
    own = fitted.model.encoder.state_dict()
    moved = {name for name in before if not torch.equal(before[name], own[name])}
    assert any("query" in name or "attention" in name for name in moved)
    assert not any(".layer.0." in name or "embeddings" in name for name in moved)
    assert all(torch.equal(before[k], v) for k, v in model.encoder.state_dict().items())


@pytest.mark.parametrize("task", ["single"], indirect=True)
def test_what_cannot_be_tuned_is_said(task, case) -> None:
    _, texts, support, held_out = task
    with pytest.raises(ModelError, match="needs the images of its examples, got features alone"):
        FineTuning().fit(case.support, case.validation, case.texts, seed=0)
    with pytest.raises(ModelError, match="towers must be 'image' or 'both', got 'text'"):
        LoRA(towers="text").fit(support, held_out, texts, seed=0)
    for rank in (0, 5000):
        with pytest.raises(ModelError, match=f"more than {rank} rows and columns in the image to"):
            LoRA(rank=rank).fit(support, held_out, texts, seed=0)
    with pytest.raises(Exception, match="the data set of examples must have their 24 studies"):
        Examples(support.features, support.truth, held_out.part)
