"""Prompt learners: what is inserted, what moves and what does not."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from asclip.adapt import ClassTexts
from asclip.adapt.biomedcoop import BiomedCoOp, kept, selected
from asclip.adapt.cocoop import CoCoOp
from asclip.adapt.context import Prompter, sentences, teachers
from asclip.adapt.coop import CoOp
from asclip.adapt.kgcoop import KgCoOp, distance
from asclip.adapt.prograd import ProGrad, projected
from asclip.adapt.terms import divergence, loss
from asclip.data.prompts import ClassPrompts
from asclip.errors import DataError, ModelError
from asclip.types import Encoded

DENIED = ("no mass", "normal chest", "no effusion")
LEARNERS = (CoOp, KgCoOp, ProGrad, BiomedCoOp)
ALL = (*LEARNERS, CoCoOp)


@pytest.mark.parametrize("text", ["tiny", "words"])
@pytest.mark.parametrize("locked", [False, True])
def test_a_context_of_real_words_is_the_text_with_these_words(
    text: str, locked: bool, make_model
) -> None:
    model = make_model(text=text, locked=locked)
    prompter = Prompter(model, ["mass", "chest on the left"], 2)
    ids = model.tokenizer.encode(["no effusion"]).ids[0]
    assert len(ids) == 2
    words = model.encoder.text.backbone.words.weight[ids].detach()
    found = prompter(words.expand(2, -1, -1))
    expected = model.encode_texts(["no effusion mass", "no effusion chest on the left"]).pooled
    torch.testing.assert_close(found.detach(), functional.normalize(expected, dim=1))


@pytest.mark.parametrize("read", [{}, {"layers": (0, 1)}, {"fill": 7}])
def test_a_context_stands_behind_the_start_token_of_a_pretrained_tower(make_model, read) -> None:
    """A BERT with random weights and a tokenizer that adds [CLS] in front.

    However the tower reads it: several layers, or with its padding as SigLIP does.
    """
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel

    model = make_model()
    core = model.tokenizer.core
    marks = [(one, core.token_to_id(one)) for one in ("[CLS]", "[MASK]")]
    core.post_processor = TemplateProcessing(single="[CLS] $A [MASK]", special_tokens=marks)
    model.tokenizer = type(model.tokenizer)(core)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=128, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64,
    )  # fmt: skip
    model.encoder.text.backbone = BertModel(config, add_pooling_layer=False)
    model.encoder.text.config = replace(model.encoder.text.config, **read)
    model.encoder.eval()
    prompter = Prompter(model, ["mass", "chest on the left"], 2)
    ids = model.tokenizer.encode(["no effusion"]).ids[0]
    words = model.encoder.text.backbone.get_input_embeddings().weight[ids[1:3]].detach()
    expected = model.encode_texts(["no effusion mass", "no effusion chest on the left"]).pooled
    found = prompter(words.expand(2, -1, -1)).detach()
    torch.testing.assert_close(found, functional.normalize(expected, dim=1))


def test_the_hook_is_gone_afterwards_also_after_an_error(make_model) -> None:
    model = make_model()
    before = model.encode_texts(["no mass"]).pooled
    prompter = Prompter(model, ["mass"], 2)
    prompter(torch.zeros(1, 2, prompter.width))
    with pytest.raises(RuntimeError):
        prompter(torch.zeros(1, 2, prompter.width + 1))
    assert torch.equal(model.encode_texts(["no mass"]).pooled, before)


def later_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count()
    for module in ("context", "cocoop"):
        monkeypatch.setattr(
            f"asclip.adapt.{module}.quality", lambda *_, **__: (float(next(steps)), 0.0)
        )


def context_of(fitted) -> torch.Tensor:
    return fitted.learned["context"] if hasattr(fitted, "learned") else fitted.parts[0]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("locked", [False, True])
def test_only_the_context_moves(
    method: type, locked: bool, case, make_model, monkeypatch: pytest.MonkeyPatch
) -> None:
    later_is_better(monkeypatch)
    model = make_model(locked=locked)
    texts = ClassTexts.of(model, case.texts.prompts)
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    begun = method(vectors=3, steps=0).fit(case.support, case.validation, texts, seed=0)
    moved = method(vectors=3, steps=10).fit(case.support, case.validation, texts, seed=0)
    assert moved.chosen["step"] == 10
    assert not torch.equal(context_of(begun), context_of(moved))
    after = model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(one.grad is None for one in model.encoder.parameters())


def written_out(case, context: torch.Tensor, bias: torch.Tensor) -> tuple:
    """Logits and unit vectors, one text at a time."""
    model = case.texts.model
    tower = model.encoder.text
    rows = []
    for side in range(len(context)):
        for label in case.texts.labels:
            ids = model.tokenizer.encode([label]).ids
            x = torch.cat([context[side][None], tower.backbone.words(ids)], 1)
            places = torch.arange(x.shape[1])
            x = x + tower.backbone.positions(places)
            for block in tower.backbone.blocks:
                x = block(x, torch.zeros(1, 1, 1, x.shape[1]))
            pooled = tower.backbone.norm(x).mean(1)
            rows.append(tower.project(Encoded(pooled), local=False).pooled[0])
    v = torch.stack([row / row.norm() for row in rows])
    t = v if case.single else v[:3] - v[3:]
    return 10 * case.support.features @ t.T + bias, v


def one_text_each(case) -> torch.Tensor:
    rows = []
    for part in case.texts.prompts.classes.values():
        texts = [*part.positive, *([] if case.single else part.negative)]
        one = functional.normalize(case.texts.model.encode_texts(texts).pooled, dim=1)
        rows.append(one[0] - one[1] if len(one) > 1 else one[0])
    return torch.stack(rows)


def slopes(case, name: str, context: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The direction of the context, from the formula in the method's docstring."""
    z, v = written_out(case, context, bias)
    fit = loss(z, case.support.truth, single=case.single)
    if name == "coop":
        return torch.autograd.grad(fit, context)[0]
    written, there = teachers(case.texts)
    if name == "kgcoop":
        apart = [1 - float(there[k]) * (v[k] @ written[k]) for k in range(len(v)) if there[k]]
        return torch.autograd.grad(fit + 8 * sum(apart) / len(apart), context)[0]
    floor = case.texts.logits(case.support.features)
    if name == "biomedcoop":  # with one text a class all are kept
        floor = 10 * case.support.features @ one_text_each(case).T
    if case.single:
        p, q = floor.softmax(1), z.softmax(1)
        apart = (p * (p.log() - q.log())).sum(1).mean()
    else:
        p, q = floor.double().sigmoid(), z.double().sigmoid()
        apart = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    if name == "biomedcoop":
        square = sum(((v[k] - written[k]) ** 2).sum() for k in range(len(v)) if there[k])
        near = square / (int(there.sum()) * v.shape[1])
        total = fit + near + apart.float() / (3 if case.single else 2)
        return torch.autograd.grad(total, context)[0]
    d = torch.autograd.grad(fit, context, retain_graph=True)[0]
    g = torch.autograd.grad(apart, context)[0].float()
    along = float((d * g).sum())
    return d if along >= 0 else d - along / float((g * g).sum()) * g


@pytest.mark.parametrize("method", LEARNERS)
def test_the_first_step_follows_the_formula(method: type, case, monkeypatch) -> None:
    seen: dict[str, torch.Tensor] = {}

    def spy(parameters, gradients, judge, **options):
        seen["context"] = parameters[0].detach().clone()
        seen["bias"] = parameters[1].detach().clone() if len(parameters) > 1 else torch.zeros(3)
        seen["slope"] = gradients()[0]
        return {"step": 0, "quality": judge()}

    monkeypatch.setattr("asclip.adapt.context.descend", spy)
    fitted = method(vectors=3).fit(case.support, case.validation, case.texts, seed=0)
    context = seen["context"].requires_grad_()
    z, _ = written_out(case, context, seen["bias"])
    torch.testing.assert_close(
        fitted.scores(case.support.features), z.detach(), rtol=1e-4, atol=1e-4
    )
    if not case.single:  # the start bias centres what is known
        known = ~case.support.truth.isnan()
        assert float(z.detach()[:, 0][known[:, 0]].mean()) == pytest.approx(0, abs=1e-4)
    expected = slopes(case, method.__name__.lower(), context, seen["bias"])
    torch.testing.assert_close(seen["slope"], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "none"),
    [
        (KgCoOp, {"weight": 0.0}),
        (ProGrad, {"weight": 0.0}),
        (BiomedCoOp, {"consistency": 0.0, "distillation": 0.0}),
    ],
)
def test_without_weight_it_is_coop(method: type, none: dict, case) -> None:
    plain = CoOp(vectors=3, steps=8).fit(case.support, case.validation, case.texts, seed=1)
    bare = method(vectors=3, steps=8, **none)
    found = bare.fit(case.support, case.validation, case.texts, seed=1)
    torch.testing.assert_close(found.weight, plain.weight)
    assert found.chosen == plain.chosen


def test_kgcoop_stays_nearer_to_the_written_texts(case, monkeypatch) -> None:
    """With the texts of the tower itself as written ones."""
    later_is_better(monkeypatch)
    texts = ClassTexts.of(case.texts.model, case.texts.prompts)
    written, there = teachers(texts)

    def far(method) -> float:
        fitted = method.fit(case.support, case.validation, texts, seed=0)
        prompter = Prompter(texts.model, sentences(texts, "label"), 3)
        v = prompter(fitted.learned["context"].repeat_interleave(3, dim=0))
        return float(distance(v[there].detach(), written[there]))

    assert far(KgCoOp(vectors=3, steps=30, weight=50.0)) < far(CoOp(vectors=3, steps=30))


def test_an_outlier_among_a_class_s_texts_does_not_teach(case) -> None:
    """Scores of each text with the class's examples, in loops; also those that deny it."""
    said = ("a mass on the right", "no", "no no no", "left", "a mass")
    prompts = replace(
        case.texts.prompts,
        classes={
            "mass": ClassPrompts(
                said, () if case.single else ("no mass", "normal chest", "no effusion")
            ),
            "effusion": ClassPrompts(("left effusion",)),
            "normal": ClassPrompts(("normal chest", "no effusion")),
        },
    )
    texts = replace(case.texts, prompts=prompts)
    found = selected(case.support, texts, 1.1)

    def plain(sentences: tuple[str, ...], rows: torch.Tensor) -> torch.Tensor:
        vectors = [texts.model.encode_texts([one]).pooled[0] for one in sentences]
        vectors = [v / v.norm() for v in vectors]
        q = [sum(10 * float(f @ v) for f in rows) / len(rows) for v in vectors]
        mean = sum(q) / len(q)
        spread = math.sqrt(sum((one - mean) ** 2 for one in q) / (len(q) - 1))
        some = [v for v, one in zip(vectors, q, strict=True) if abs(one - mean) <= 1.1 * spread]
        assert 0 < len(some) < len(vectors)
        total = sum(some[1:], some[0])
        return total / total.norm()

    f, y = case.support.features, case.support.truth[:, 0]
    expected = plain(said, f[y == 1])
    if not case.single:
        expected = expected - plain(DENIED, f[y == 0])
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)
    whole = ClassTexts.of(texts.model, prompts)
    torch.testing.assert_close(found[1], whole.positive[1], rtol=1e-4, atol=1e-5)


def test_median_and_mad_cancel_in_the_second_standardisation() -> None:
    """As the published code has it: by median and MAD, then by mean and standard deviation."""
    q = torch.randn(50, generator=torch.Generator().manual_seed(0))
    z = (q - q.median()) / (q - q.median()).abs().median()
    twice = ((z - z.mean()) / z.std()).abs() <= 1.5
    assert torch.equal(kept(q, 1.5), twice)
    assert 0 < int(twice.sum()) < 50
    assert kept(torch.tensor([1.0, 1.0, 1.0]), 1.5).all()
    assert kept(torch.tensor([1.0, 9.0]), 0.1).all()


def test_cocoop_starts_as_coop(case) -> None:
    start = {"vectors": 3, "steps": 0}
    one, two = (
        method(**start).fit(case.support, case.validation, case.texts, seed=2)
        for method in (CoOp, CoCoOp)
    )
    some = case.other.features
    torch.testing.assert_close(one.scores(some), two.scores(some), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", LEARNERS)
def test_the_step_behind_a_look_reads_no_text_again(method: type, case, monkeypatch) -> None:
    """Forty steps with a look at every second one: a reading a step, one before and two after."""
    readings = readings_of(monkeypatch)
    method(vectors=2, steps=40).fit(case.support, case.validation, case.texts, seed=0)
    assert len(readings) == 1 + 40 + 1 + 1


def test_all_studies_share_a_context_that_does_not_lean_yet(case, monkeypatch) -> None:
    fitted = CoCoOp(vectors=2, steps=0).fit(case.support, case.validation, case.texts, seed=0)
    readings = readings_of(monkeypatch)
    found = fitted.scores(case.other.features)
    assert readings == [3 if case.single else 6]
    torch.testing.assert_close(found, fitted.logits(case.other.features), rtol=1e-4, atol=1e-4)


def readings_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of texts that a tower reads behind a context, one entry a reading."""
    readings: list[int] = []
    whole = Prompter.__call__

    def counted(self: Prompter, context: torch.Tensor) -> torch.Tensor:
        readings.append(len(context))
        return whole(self, context)

    monkeypatch.setattr(Prompter, "__call__", counted)
    return readings


def test_cocoop_is_its_formula(case, monkeypatch) -> None:
    """Study by study, class by class, with parameters that have moved."""
    later_is_better(monkeypatch)
    fitted = CoCoOp(vectors=3, steps=12, rate=0.05).fit(
        case.support, case.validation, case.texts, seed=0
    )
    context, down, up, bias = fitted.parts
    assert down.shape == (1, 17)
    assert float(up.abs().max()) > 0.01
    z = fitted.scores(case.other.features)
    for f, row in zip(case.other.features[:3], z, strict=False):
        inner = torch.tensor([max(0.0, float(one[:-1] @ f + one[-1])) for one in down])
        leaning = up[:, :-1] @ inner + up[:, -1]
        for k, label in enumerate(case.texts.labels):
            one = Prompter(case.texts.model, [label], 3)
            with torch.no_grad():
                sides = [one((context[side] + leaning)[None])[0] for side in range(len(context))]
            t = sides[0] if case.single else sides[0] - sides[1]
            expected = 10 * float(f @ t) + float(bias[k])
            assert float(row[k]) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert not torch.equal(
        fitted.scores(case.other.features[:9]),
        CoOp(vectors=3, steps=0)
        .fit(case.support, case.validation, case.texts, seed=0)
        .scores(case.other.features[:9]),
    )
    torch.testing.assert_close(fitted.scores(case.other.features[:9]), z[:9])


def test_projection_takes_away_what_goes_against() -> None:
    g = torch.Generator().manual_seed(0)
    d, w = torch.randn(2, 3, generator=g), torch.randn(2, 3, generator=g)
    w = w if float((d * w).sum()) < 0 else -w
    assert float((projected(d, w, 1.0) * w).sum()) == pytest.approx(0, abs=1e-5)
    assert torch.equal(projected(d, -w, 1.0), d)
    assert torch.equal(projected(d, w, 0.0), d)


def test_divergence_is_zero_of_itself_and_the_mean_over_studies() -> None:
    z = torch.tensor([[2.0, -1.0], [0.5, 0.5]])
    assert float(divergence(z, z, single=True)) == pytest.approx(0)
    assert float(divergence(z, z, single=False)) == pytest.approx(0)
    p, q = 1 / (1 + math.exp(-2)), 0.5
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    one = divergence(torch.tensor([[2.0]]), torch.tensor([[0.0]]), single=False)
    assert float(one) == pytest.approx(expected, rel=1e-5)


def test_words_of_a_class(case) -> None:
    assert sentences(case.texts, "label") == [*case.texts.labels] * (1 if case.single else 2)
    own = sentences(case.texts, "prompt")
    assert own[:3] == ["a mass on the right", "left effusion", "normal chest"]
    assert own[3:] == ([] if case.single else ["no mass", "no effusion", "normal chest"])
    with pytest.raises(ModelError, match="words must be 'label' or 'prompt', got 'names'"):
        CoOp(words="names").fit(case.support, case.validation, case.texts, seed=0)


def test_a_context_that_does_not_fit_is_said(case) -> None:
    with pytest.raises(ModelError, match=r"must fit 24 tokens, got 30 and \d+; learn fewer"):
        CoOp(vectors=30).fit(case.support, case.validation, case.texts, seed=0)


def test_texts_of_a_question(case, make_model) -> None:
    model, prompts = make_model(), case.texts.prompts
    texts = ClassTexts.of(model, prompts)
    torch.testing.assert_close(texts.positive.norm(dim=1), torch.ones(3))
    assert (texts.negative.norm(dim=1) > 0).tolist() == [not case.single] * 2 + [False]
    if case.single:
        with pytest.raises(DataError, match=r"one class \(mass\) is no choice"):
            ClassTexts.of(model, prompts.only("mass"))
    model.classifier = lambda images: images
    with pytest.raises(ModelError, match="trained on labels alone"):
        ClassTexts.of(model, prompts)
