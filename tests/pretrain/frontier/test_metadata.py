from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.metadata import Metadata
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
META = [[63.0, 1.0], [NAN, 0.0], [63.0, 1.0], [NAN, NAN], [-2.0, NAN], [0.0, 0.0]]


def sample(meta: list[list[float]]) -> tuple[Pair, Facts, list[torch.Tensor]]:
    """0 and 2 have the same metadata, 3 has none, 5 has zeros; study 0 wrote two texts."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(len(meta), 6, generator=g, requires_grad=True)
    v = torch.randn(len(meta) + 1, 6, generator=g, requires_grad=True)
    owner = [0, *range(len(meta))]
    targets = {
        "study": torch.arange(len(meta)),
        "owner": torch.tensor(owner),
        "text": torch.arange(len(owner)),
        "meta": torch.tensor(meta),
    }
    return Pair(Encoded(u), Encoded(v)), Facts(torch.arange(len(meta)), targets=targets), [u, v]


def build(**options: object) -> Metadata:
    torch.manual_seed(1)
    return Metadata(6, 2, **options)  # pyright: ignore[reportArgumentType]


def squash(x: float) -> float:
    return math.copysign(math.log(1 + abs(x)), x)


def slow_vector(objective: Metadata, row: list[float]) -> torch.Tensor:
    encoder, each = objective.encoder, []
    for e, x in enumerate(row):
        if x == x:
            each.append(squash(x) * encoder.weight[e] + encoder.bias[e])
        else:
            each.append(encoder.missing[e])
    return encoder.mix(sum(each) / len(each))


@pytest.mark.parametrize("fusion", [False, True])
def test_the_formula_against_a_loop(fusion: bool) -> None:
    pair, facts, (u, v) = sample(META)
    objective = build(
        fusion=fusion,
        same_text="neutral",
        contrast_weight=0.5,
        predict_weight=0.25,
        temperature=0.5,
    )
    if objective.gate is not None:
        objective.gate.data.fill_(0.7)
    loss = objective(pair, facts).total
    z = [F.normalize(slow_vector(objective, row), dim=0) for row in META]
    owner, texts = [0, *range(6)], []
    for m, x in enumerate(F.normalize(v, dim=1)):
        known = any(value == value for value in META[owner[m]])
        add = math.tanh(0.7) * z[owner[m]] if fusion and known else 0.0
        texts.append(F.normalize(x + add, dim=0))
    same = Clip(temperature=0.5, same_text="negative")
    total = same(Pair(pair.image, Encoded(torch.stack(texts))), facts).total
    x = F.normalize(u, dim=1)
    known = [i for i in range(6) if any(value == value for value in META[i])]
    twins = {(0, 2), (2, 0)}
    for turned in (False, True):
        for i in known:
            line = [2 * (x[j] @ z[i] if turned else x[i] @ z[j]) for j in known]
            true = [k for k, j in enumerate(known) if i == j or (i, j) in twins]
            below = torch.logsumexp(torch.stack(line), 0)
            each = sum(below - line[k] for k in true) / len(true)
            total = total + 0.5 * each / len(known) / 2
    assert objective.head is not None
    errors = []
    for i, row in enumerate(META):
        for e, value in enumerate(row):
            if value == value:
                d = (objective.head(x[i])[e] - squash(value)).abs()
                errors.append(d**2 / 2 if d < 1 else d - 0.5)
    total = total + 0.25 * torch.stack(errors).mean()
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    wanted = [u, v, objective.encoder.weight, objective.encoder.missing, objective.head.weight]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(total, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fusion", [False, True])
@pytest.mark.parametrize("studies", [1, 4])
def test_no_metadata_is_clip(fusion: bool, studies: int) -> None:
    pair, facts, leaves = sample([[NAN, NAN]] * studies)
    objective = build(fusion=fusion, same_text="neutral", predict_weight=1.0)
    if objective.gate is not None:
        objective.gate.data.fill_(0.7)
    loss = objective(pair, facts)
    torch.testing.assert_close(loss.total, Clip(same_text="neutral")(pair, facts).total)
    assert loss.parts["contrast"] == 0
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss.total, leaves))


@pytest.mark.parametrize("same_patient", ["positive", "neutral", "negative"])
def test_other_studies_of_a_patient_are_what_was_said(same_patient: str) -> None:
    pair, facts, (u, _) = sample(META)
    patient = [7, 7, 8, 7, 9, 8]  # 0 and 1 have other metadata, 3 has none; 2 and 5 differ too
    objective = build(same_patient=same_patient, temperature=0.5)
    found = objective(pair, Facts(torch.tensor(patient), targets=facts.targets)).parts["contrast"]
    z = [F.normalize(slow_vector(objective, row), dim=0) for row in META]
    x, known, twins = F.normalize(u, dim=1), [0, 1, 2, 4, 5], {(0, 2), (2, 0)}
    total = torch.zeros(())
    for turned in (False, True):
        for i in known:
            kept, true = [], []
            for j in known:
                logit = 2 * (x[j] @ z[i] if turned else x[i] @ z[j])
                positive = i == j or (i, j) in twins
                if not positive and patient[i] == patient[j]:
                    positive = same_patient == "positive"
                    if same_patient == "neutral":
                        continue
                kept.append(logit)
                true += [logit] if positive else []
            each = torch.logsumexp(torch.stack(kept), 0) - sum(true) / len(true)
            total = total + each / len(known) / 2
    torch.testing.assert_close(found, total.detach(), atol=1e-5, rtol=1e-5)


def test_the_unknown_study_is_not_pushed() -> None:
    pair, facts, leaves = sample(META)
    whole = build(contrast_weight=1.0)(pair, facts).total - Clip()(pair, facts).total
    (grad,) = torch.autograd.grad(whole, leaves[:1])
    assert grad[3].abs().max() < 1e-6
    assert grad[0].abs().max() > 1e-3


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample(META)
    with pytest.raises(ModelError, match="same_text must be neutral or negative"):
        build(fusion=True)
    with pytest.raises(ModelError, match="at least one number"):
        Metadata(6, 0)
    with pytest.raises(ValueError, match="must have 3 columns, got 2"):
        Metadata(6, 3)(pair, facts)
