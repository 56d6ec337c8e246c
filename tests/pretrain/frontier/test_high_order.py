from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.high_order import HighOrder, propagation
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
PATIENT = [7, 8, 7, 9, 10]
FINDINGS = [[1, 0], [1, NAN], [0, 0], [1, 1], [NAN, 0]]
PLACED = {(0, 0): [1], (3, 0): [1, 2], (4, 0): [2]}  # the last is not stated as present


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Five studies and six texts; finding 0 joins three studies, place 1 and patient 7 two."""
    g = torch.Generator().manual_seed(0)
    u = torch.randn(5, 6, generator=g, requires_grad=True)
    v = torch.randn(6, 6, generator=g, requires_grad=True)
    location = torch.zeros(5, 2, 3)
    for (b, f), where in PLACED.items():
        location[b, f, where] = 1
    targets = {
        "study": torch.arange(5),
        "owner": torch.tensor([0, 0, 1, 2, 3, 4]),
        "text": torch.tensor([1, 2, 3, 4, 5, 3]),
        "findings": torch.tensor(FINDINGS),
        "location": location,
    }
    return Pair(Encoded(u), Encoded(v)), Facts(torch.tensor(PATIENT), targets=targets), [u, v]


def slow_propagation(weights: dict[str, float]) -> torch.Tensor:
    edges: list[tuple[float, list[int]]] = []
    for f in range(2):
        edges.append((weights["finding"], [b for b in range(5) if FINDINGS[b][f] == 1]))
    for a in range(3):
        true = [(b, w) for (b, f), w in PLACED.items() if FINDINGS[b][f] == 1]
        edges.append((weights["place"], [b for b, where in true if a in where]))
    for p in set(PATIENT):
        edges.append((weights["patient"], [b for b in range(5) if PATIENT[b] == p]))
    edges = [(w, members) for w, members in edges if len(members) > 1]
    degree = [sum(w for w, members in edges if b in members) for b in range(5)]
    spread = torch.zeros(5, 5)
    for w, members in edges:
        for i in members:
            for j in members:
                spread[i, j] += w / len(members) / (degree[i] * degree[j]) ** 0.5
    return spread


WEIGHTS = {"finding": 1.0, "place": 0.5, "patient": 2.0}


@pytest.mark.parametrize("on", ["targets", "embeddings"])
def test_the_formula_against_a_loop(on: str) -> None:
    pair, facts, (u, v) = sample()
    objective = HighOrder(
        6,
        on=on,
        amount=0.4,
        temperature=0.5,
        finding_weight=1.0,
        place_weight=0.5,
        patient_weight=2.0,
    )
    if objective.theta is not None:
        objective.theta.data = torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    loss = objective(pair, facts).total
    spread = slow_propagation(WEIGHTS)
    owner, text, once = [0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 3], [0, 1, 2, 3, 4]
    own = torch.zeros(5, 5)
    for i in range(5):
        for k, m in enumerate(once):
            own[i, k] = float(any(owner[n] == i and text[n] == text[m] for n in range(6)))
    x, y = F.normalize(u, dim=1), F.normalize(v, dim=1)[once]
    target = own
    if on == "targets":
        target = 0.6 * own + 0.4 * spread @ own
    else:
        assert objective.theta is not None
        x = F.normalize(x + 0.4 * (spread @ x) @ objective.theta, dim=1)
    z, theirs = 2 * x @ y.T, torch.zeros(())
    for logits, wanted in ((z, target), (z.T, target.T)):
        for i in range(5):
            share = wanted[i] / wanted[i].sum()
            theirs = theirs + F.cross_entropy(logits[i : i + 1], share[None]) / 10
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    leaves = [u, v] if objective.theta is None else [u, v, objective.theta]
    ours = torch.autograd.grad(loss, leaves)
    for a, b in zip(ours, torch.autograd.grad(theirs, leaves), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("on", ["targets", "embeddings"])
@pytest.mark.parametrize("same_text", ["positive", "neutral", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_without_a_group_it_is_clip(on: str, same_text: str, same_patient: str) -> None:
    pair, facts, leaves = sample()
    alone = dict(facts.targets) | {
        "findings": torch.eye(5)[:, :2],
        "location": torch.zeros(5, 2, 3),
    }
    facts = Facts(torch.tensor([7, 8, 9, 10, 11]), targets=alone)
    objective = HighOrder(6, on=on, same_text=same_text, same_patient=same_patient)
    loss = objective(pair, facts)
    clip = Clip(same_text=same_text, same_patient=same_patient)(pair, facts).total
    torch.testing.assert_close(loss.total, clip)
    assert loss.parts["mixed"] == 0
    ours = torch.autograd.grad(loss.total, leaves)
    for a, b in zip(ours, torch.autograd.grad(clip, leaves), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_neutral_patients_stay_out_of_the_targets() -> None:
    pair, facts, leaves = sample()
    objective = HighOrder(6, same_text="negative", same_patient="neutral")
    loss = objective(pair, facts).total
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


def test_an_edge_of_one_changes_nothing() -> None:
    incidence = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    spread = propagation(incidence, torch.ones(2))
    torch.testing.assert_close(spread, propagation(incidence[:, :1], torch.ones(1)))
    assert spread[2].abs().max() == 0


def test_weights_of_zero_need_nothing() -> None:
    pair, facts, _ = sample()
    objective = HighOrder(6, finding_weight=0.0, place_weight=0.0, patient_weight=0.0)
    assert not {"facts.findings", "facts.location"} & objective.needs
    lean = {k: facts.targets[k] for k in ("study", "owner", "text")}
    loss = objective(pair, Facts(facts.patient, targets=lean)).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)


def test_nothing_stated_and_one_study_are_clip() -> None:
    _, facts, leaves = sample()
    one = {k: v[:1] for k, v in facts.targets.items()} | {"findings": torch.full((1, 2), NAN)}
    alone = Pair(Encoded(leaves[0][:1]), Encoded(leaves[1][:1]))
    loss = HighOrder(6)(alone, Facts(facts.patient[:1], targets=one)).total
    assert loss.item() == 0
    assert torch.isfinite(torch.autograd.grad(loss, leaves[0])[0]).all()


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ModelError, match="on must be 'targets' or 'embeddings'"):
        HighOrder(6, on="texts")
    with pytest.raises(ModelError, match=r"amount must be in \[0, 1\)"):
        HighOrder(6, amount=1.0)
