"""Adapters on features: each formula written slowly, and what all of them share."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from asclip.adapt import ADAPTERS, Examples
from asclip.adapt.clip_adapter import ClipAdapter
from asclip.adapt.linear_probe import STRENGTHS, LinearProbe
from asclip.adapt.lp_plus_plus import Blocks, LpPlusPlus
from asclip.adapt.terms import descend, loss, quality, start_bias
from asclip.adapt.tip_adapter import ALPHAS, BETAS, TipAdapter, TipAdapterF, searched, values
from asclip.adapt.zero_shot import ZeroShot
from asclip.errors import DataError
from asclip.metrics.classification import auroc

LABELS = ("mass", "effusion", "normal")

NAN = float("nan")
QUICK = {
    "coop": {"vectors": 3, "steps": 10},
    "cocoop": {"vectors": 3, "steps": 8},
    "kgcoop": {"vectors": 3, "steps": 10},
    "prograd": {"vectors": 3, "steps": 10},
    "biomedcoop": {"vectors": 3, "steps": 10},
    "clip-adapter": {"steps": 20},
}

PIXELS = ("lora", "layer-wise", "fine-tuning")  # tested in test_tuning.py
FEATURES = [one for one in ADAPTERS if one not in PIXELS]


def made(name: str):
    return ADAPTERS[name](**QUICK.get(name, {}))


def slow_loss(z: torch.Tensor, truth: torch.Tensor, *, single: bool) -> float:
    terms = []
    for row, known in zip(z.double().tolist(), truth.tolist(), strict=True):
        if single:
            total = math.log(sum(math.exp(one) for one in row))
            terms.append(total - row[known.index(1.0)])
            continue
        for one, y in zip(row, known, strict=True):
            if y == y:
                p = 1 / (1 + math.exp(-one))
                terms.append(-math.log(p if y == 1 else 1 - p))
    return sum(terms) / len(terms)


def test_the_loss_and_the_quality_leave_out_what_is_unknown(case) -> None:
    z = case.texts.logits(case.other.features)
    expected = slow_loss(z, case.other.truth, single=case.single)
    assert float(loss(z, case.other.truth, single=case.single)) == pytest.approx(expected, rel=1e-5)
    found = quality(z, case.other.truth, single=case.single)
    assert found[1] == pytest.approx(-expected, rel=1e-5)
    if case.single:
        right = (z.argmax(1) == case.other.truth.argmax(1)).float().mean()
        assert found[0] == pytest.approx(float(right))
    else:
        each = [auroc(case.other.truth[:, k].numpy(), z[:, k].numpy()) for k in range(3)]
        assert found[0] == pytest.approx(sum(each) / 3)


def test_quality_without_an_auroc_is_the_loss_alone() -> None:
    z, truth = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [NAN]])
    assert quality(z, truth, single=False) == (-math.inf, pytest.approx(-math.log1p(math.exp(-1))))


def test_the_start_bias_centres_known_logits() -> None:
    z = torch.tensor([[1.0, 5.0], [3.0, 7.0], [9.0, 9.0]])
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0], [NAN, NAN]])
    assert start_bias(z, truth, single=False).tolist() == [-2.0, -6.0]
    assert start_bias(z, truth, single=True).tolist() == [0.0, 0.0]


def test_descend_keeps_the_best_step_and_of_equals_the_first() -> None:
    x = torch.tensor([0.0])
    path: list[float] = []

    def judge() -> tuple[float, float]:
        path.append(float(x))
        return -abs(round(float(x), 3) - 0.3), 0.0

    chosen = descend([x], lambda: [torch.tensor([-1.0])], judge, steps=20, rate=0.1)
    best = min(range(len(path)), key=lambda k: abs(round(path[k], 3) - 0.3))
    assert (chosen["step"], float(x)) == (best, pytest.approx(path[best]))
    assert descend([x], lambda: [torch.ones(1)], lambda: (0.0, 0.0), steps=3, rate=1.0)["step"] == 0


@pytest.mark.parametrize("name", FEATURES)
def test_each_is_repeatable_and_not_below_the_floor_on_validation(name: str, case) -> None:
    one, two = (made(name).fit(case.support, case.validation, case.texts, seed=3) for _ in range(2))
    z = one.scores(case.other.features)
    assert z.shape == case.other.truth.shape
    assert not z.requires_grad
    torch.testing.assert_close(z, two.scores(case.other.features), rtol=0, atol=0)
    assert one.chosen == two.chosen
    if name in ("tip-adapter", "tip-adapter-f", "lp++", "clip-adapter", "zero-shot"):
        floor = quality(
            case.texts.logits(case.validation.features), case.validation.truth, single=case.single
        )
        own = quality(
            one.scores(case.validation.features), case.validation.truth, single=case.single
        )
        assert own[0] >= floor[0] - (0.02 if name == "clip-adapter" else 0.0)


@pytest.mark.parametrize("name", FEATURES[1:])
def test_each_learns_from_its_examples(name: str, case) -> None:
    """Better than the floor on studies that were neither fitted on nor chosen by."""
    fitted = made(name).fit(case.support, case.validation, case.texts, seed=0)
    fit = quality(fitted.scores(case.other.features), case.other.truth, single=case.single)[0]
    if name not in QUICK:  # the text tower of the prompt learners has random weights
        floor = case.texts.logits(case.other.features)
        assert fit > quality(floor, case.other.truth, single=case.single)[0] - 0.02
    assert fit > (0.34 if case.single else 0.5)


@pytest.mark.parametrize("name", FEATURES)
def test_other_classes_are_read_where_texts_are_all_it_takes(name: str, case) -> None:
    """Asked for its own classes again, an adapter differs from itself by the bias of labels."""
    fitted = made(name).fit(case.support, case.validation, case.texts, seed=0)
    z, again = fitted.scores(case.other.features), fitted.again(case.texts)
    if name in ("linear-probe", "lp++", "tip-adapter", "tip-adapter-f"):
        assert again is None
        return
    assert again is not None
    apart = z - again.scores(case.other.features)
    torch.testing.assert_close(apart, apart[:1].expand_as(apart), rtol=1e-4, atol=1e-4)
    if case.single:
        assert float(apart.abs().max()) < 1e-4
    two = replace(
        case.texts, labels=LABELS[:2], positive=case.texts.positive[:2],
        negative=case.texts.negative[:2], prompts=case.texts.prompts.only(*LABELS[:2]),
    )  # fmt: skip
    fewer = fitted.again(two).scores(case.other.features)
    torch.testing.assert_close(
        fewer, again.scores(case.other.features)[:, :2], rtol=1e-4, atol=1e-4
    )


def test_zero_shot_is_the_cosine_times_the_scale(case) -> None:
    fitted = ZeroShot().fit(case.support, case.validation, case.texts, seed=0)
    for i, feature in enumerate(case.other.features[:4]):
        for k in range(3):
            has = sum(a * b for a, b in zip(feature, case.texts.positive[k], strict=True))
            has_not = sum(a * b for a, b in zip(feature, case.texts.negative[k], strict=True))
            z = fitted.scores(case.other.features)[i, k]
            assert float(z) == pytest.approx(10 * float(has - has_not), abs=1e-5)


def test_the_probe_is_at_the_minimum_of_its_objective(case) -> None:
    fitted = LinearProbe().fit(case.support, case.validation, case.texts, seed=0)
    block = [0, 1, 2] if case.single else [1]
    strength = fitted.chosen["C"] if case.single else fitted.chosen["C"][1]
    assert strength in STRENGTHS
    rows = ~case.support.truth[:, block].isnan().any(1)
    x, y = case.support.features[rows].double(), case.support.truth[rows][:, block].double()

    def objective(w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        mean = loss(x @ w.T + b, y, single=case.single)
        return w.square().sum() / 2 + strength * len(x) * mean

    w = fitted.weight[block].double().requires_grad_()
    b = fitted.bias[block].double().requires_grad_()
    slopes = torch.autograd.grad(objective(w, b), (w, b))
    assert max(float(one.abs().max()) for one in slopes) < 2e-3 * max(1.0, strength)


@pytest.mark.parametrize("case", ["single"], indirect=True)
def test_the_probes_strength_is_the_best_on_validation(case) -> None:
    from sklearn.linear_model import LogisticRegression

    answer, held = case.support.truth.argmax(1).numpy(), case.validation.truth.argmax(1).numpy()
    right = []
    for strength in STRENGTHS:
        plain = LogisticRegression(C=strength, max_iter=20000)
        plain.fit(case.support.features.double().numpy(), answer)
        right.append((plain.predict(case.validation.features.double().numpy()) == held).mean())
    fitted = LinearProbe().fit(case.support, case.validation, case.texts, seed=0)
    assert right[STRENGTHS.index(fitted.chosen["C"])] == max(right)


@pytest.mark.parametrize("case", ["single"], indirect=True)
def test_two_classes_of_a_probe_have_opposite_weights(case) -> None:
    rows = case.support.truth[:, 2] == 0
    held = case.validation.truth[:, 2] == 0
    texts = replace(case.texts, labels=("mass", "effusion"))
    support = Examples(case.support.features[rows], case.support.truth[rows][:, :2])
    validation = Examples(case.validation.features[held], case.validation.truth[held][:, :2])
    fitted = LinearProbe().fit(support, validation, texts, seed=0)
    torch.testing.assert_close(fitted.weight[0], -fitted.weight[1])
    assert quality(fitted.scores(validation.features), validation.truth, single=True)[0] > 0.7


def test_lp_plus_plus_by_hand(case) -> None:
    """Start, step sizes and one pass over both blocks in plain loops."""
    f, y, t = case.support.features, case.support.truth, case.texts.directions
    blocks = Blocks(case.support, case.texts)
    seen = torch.cat([f, torch.ones(len(f), 1)], 1)
    rows = len(f) if case.single else int((~y.isnan()).sum())
    curve = 0.5 if case.single else 0.25
    for k in range(3):
        mean = f[y[:, k] == 1].mean(0)
        known = ~y[:, k].isnan()
        z = 10 * f[known] @ t[k]
        if case.single:
            start = torch.cat([mean, torch.zeros(1)])
        else:
            start = torch.cat([mean - f[y[:, k] == 0].mean(0), -z.mean()[None]])
        torch.testing.assert_close(blocks.w[k], start)
        largest = torch.linalg.matrix_norm(seen[known].double(), ord=2) ** 2
        assert float(blocks.step_w[k]) == pytest.approx(rows / (curve * float(largest)), rel=1e-4)
        along = sum(float(one @ t[k]) ** 2 for one in f[known])
        assert float(blocks.step_a[k]) == pytest.approx(rows / (curve * along), rel=1e-4)
    w, a = blocks.w.clone().requires_grad_(), blocks.a.clone()
    z = torch.stack([seen[:, :-1] @ w[k, :-1] + w[k, -1] + a[k] * (f @ t[k]) for k in range(3)], 1)
    (slope,) = torch.autograd.grad(loss(z, y, single=case.single), w)
    expected = w.detach() - blocks.step_w * slope
    a.requires_grad_()
    z = seen @ expected.T + a * (f @ t.T)
    (slope,) = torch.autograd.grad(loss(z, y, single=case.single), a)
    blocks.move()
    torch.testing.assert_close(blocks.w, expected)
    torch.testing.assert_close(blocks.a, a.detach() - blocks.step_a * slope)
    line = blocks.linear()
    whole = seen @ blocks.w.T + blocks.a * (f @ t.T)
    torch.testing.assert_close(line.scores(f), whole, rtol=1e-4, atol=1e-4)


def test_the_loss_of_lp_plus_plus_never_rises(case) -> None:
    blocks = Blocks(case.support, case.texts)
    before = float(blocks.loss())
    for _ in range(50):
        blocks.move()
        after = float(blocks.loss())
        assert after <= before + 1e-6
        before = after


def test_lp_plus_plus_stops_where_validation_is_best(case) -> None:
    fitted = LpPlusPlus(steps=40).fit(case.support, case.validation, case.texts, seed=0)
    blocks = Blocks(case.support, case.texts)
    judged = []
    for step in range(41):
        if step:
            blocks.move()
        if step % 2 == 0:
            z = blocks.linear().scores(case.validation.features)
            judged.append(quality(z, case.validation.truth, single=case.single))
    assert fitted.chosen["step"] == 2 * judged.index(max(judged))
    assert fitted.chosen["validation"] == max(judged)[0]


def test_clip_adapter_is_its_formula_and_nothing_without_a_share(case) -> None:
    fitted = ClipAdapter(steps=20).fit(case.support, case.validation, case.texts, seed=0)
    down, up, bias = fitted.parts
    assert down.shape == (4, 16)
    for feature, z in zip(
        case.other.features[:4], fitted.scores(case.other.features), strict=False
    ):
        inner = [max(0.0, float(row @ feature)) for row in down]
        moved = [max(0.0, sum(a * b for a, b in zip(row, inner, strict=True))) for row in up]
        r = fitted.ratio
        mixed = torch.tensor(
            [r * float(m) + (1 - r) * float(f) for m, f in zip(moved, feature, strict=True)]
        )
        expected = 10 * case.texts.directions @ (mixed / mixed.square().sum().sqrt()) + bias
        torch.testing.assert_close(z, expected, rtol=1e-4, atol=1e-4)
    still = replace(fitted, ratio=0.0)
    torch.testing.assert_close(
        still.scores(case.other.features) - bias, case.texts.logits(case.other.features)
    )


def test_clip_adapters_own_share_can_be_given(case) -> None:
    adapter = ClipAdapter(steps=5, ratio=0.3)
    assert adapter.fit(case.support, case.validation, case.texts, seed=0).chosen["ratio"] == 0.3


def closed_form(
    case, alpha: float, beta: float, features: torch.Tensor, keys: torch.Tensor | None = None
) -> torch.Tensor:
    """Tip-Adapter in loops."""
    y, out = case.support.truth, case.texts.logits(features).double()
    keys = case.support.features if keys is None else keys
    for i, feature in enumerate(features.double()):
        for k in range(3):
            has, has_not = (int((y[:, k] == side).sum()) for side in (1, 0))
            for j, key in enumerate(keys.double()):
                affinity = math.exp(-beta * (1 - float(feature @ key)))
                if case.single:
                    value = float(y[j, k])
                elif math.isnan(float(y[j, k])):
                    value = 0.0
                else:
                    value = (1 / has if y[j, k] == 1 else -1 / has_not) * min(has, has_not)
                out[i, k] += alpha * affinity * value
    return out


def test_tip_adapter_is_its_closed_form(case) -> None:
    fitted = TipAdapter().fit(case.support, case.validation, case.texts, seed=0)
    alpha, beta = fitted.chosen["alpha"], fitted.chosen["beta"]
    assert alpha in (0.0, *ALPHAS)
    some = case.other.features[:5]
    torch.testing.assert_close(
        fitted.scores(some).double(), closed_form(case, alpha, beta, some), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(replace(fitted, alpha=0.0).scores(some), case.texts.logits(some))


def test_tip_adapters_pair_is_the_best_of_the_grid(case) -> None:
    fitted = TipAdapter().fit(case.support, case.validation, case.texts, seed=0)
    every = {
        (alpha, beta): quality(
            replace(fitted, alpha=alpha, beta=beta).scores(case.validation.features),
            case.validation.truth,
            single=case.single,
        )
        for alpha in (0.0, *ALPHAS)
        for beta in BETAS
    }
    chosen = every[fitted.chosen["alpha"], fitted.chosen["beta"]]
    assert chosen[0] == max(every.values())[0]
    assert chosen[1] == pytest.approx(max(every.values())[1], abs=1e-5)


def test_tip_adapter_f_without_steps_is_tip_adapter(case) -> None:
    still = TipAdapterF(steps=0).fit(case.support, case.validation, case.texts, seed=0)
    torch.testing.assert_close(still.keys, case.support.features)
    plain = TipAdapter().fit(case.support, case.validation, case.texts, seed=0)
    assert (still.alpha, still.beta) == (plain.alpha, plain.beta)


def test_tip_adapter_f_follows_the_slope_of_the_closed_form(case, monkeypatch) -> None:
    seen: dict[str, torch.Tensor] = {}

    def spy(parameters, gradients, judge, **options):
        (seen["slope"],) = gradients()
        with torch.no_grad():
            parameters[0] -= 0.1
        return {"step": 1, "quality": judge()}

    monkeypatch.setattr("asclip.adapt.tip_adapter.descend", spy)
    given = case.support.features.clone()
    fitted = TipAdapterF().fit(case.support, case.validation, case.texts, seed=0)
    torch.testing.assert_close(fitted.keys, given - 0.1)
    assert torch.equal(case.support.features, given)
    truth = values(case.support, case.texts)
    start = searched(given, truth, case.validation, case.texts, ALPHAS)
    for place in ((0, 0), (5, 7), (11, 15)):
        side = []
        for step in (1e-4, -1e-4):
            keys = given.double().clone()
            keys[place] += step
            z = closed_form(case, start.alpha, start.beta, given, keys)
            side.append(slow_loss(z, case.support.truth, single=case.single))
        slope = (side[0] - side[1]) / 2e-4
        assert float(seen["slope"][place]) == pytest.approx(slope, rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("name", [one for one in ADAPTERS if one != "zero-shot"])
def test_what_cannot_be_learned_from_is_said(name: str, case) -> None:
    adapter, truth = made(name), case.support.truth.clone()
    unknown = Examples(case.support.features, torch.full_like(truth, NAN))
    with pytest.raises(DataError, match="support must have at least one known label, got 12"):
        adapter.fit(unknown, case.validation, case.texts, seed=0)
    with pytest.raises(DataError, match="validation must have at least one known label"):
        adapter.fit(case.support, unknown, case.texts, seed=0)
    one_class = truth[:, 0] == 1
    with pytest.raises(DataError, match="every class must have an example"):
        adapter.fit(
            Examples(case.support.features[one_class], truth[one_class]),
            case.validation,
            case.texts,
            seed=0,
        )
    fewer = Examples(case.support.features, truth[:, :2])
    with pytest.raises(DataError, match="one column of truth for each of 3 classes, got 2"):
        adapter.fit(fewer, case.validation, case.texts, seed=0)


def test_examples_are_checked() -> None:
    good = torch.ones(2, 3)
    with pytest.raises(DataError, match=r"of equal n, got \(2, 3\) and \(1, 3\)"):
        Examples(good, good[:1])
    with pytest.raises(DataError, match="finite numbers"):
        Examples(good * NAN, good)
    with pytest.raises(DataError, match="must be 1, 0 or NaN"):
        Examples(good, 2 * good)
