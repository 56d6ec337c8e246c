from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.temporal import Temporal
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
HAS = [True, False, True, True]
CHANGE = [[1, 0, NAN], [1, -1, 0], [NAN, NAN, -1], [NAN, NAN, NAN]]


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Study 1 has no prior although something is said of change."""
    g = torch.Generator().manual_seed(0)
    leaves = [torch.randn(count, 6, generator=g, requires_grad=True) for count in (4, 4, 5, 3)]
    image, prior, text, definitions = leaves
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor([0, 0, 1, 2, 3]),
        "text": torch.arange(5),
        "has_prior": torch.tensor(HAS),
        "change": torch.tensor(CHANGE),
    }
    others = {"prior": Encoded(prior), "definitions": Encoded(definitions)}
    return (
        Pair(Encoded(image), Encoded(text), others),
        Facts(torch.arange(4), targets=targets),
        leaves,
    )


def build(**options: object) -> Temporal:
    torch.manual_seed(1)
    objective = Temporal(6, **options)  # pyright: ignore[reportArgumentType]
    torch.nn.init.normal_(objective.fusion.weight)
    torch.nn.init.normal_(objective.bias)
    return objective


def test_the_formula_against_a_loop() -> None:
    pair, facts, leaves = sample()
    objective = build(change_weight=0.5, temperature=0.5)
    loss = objective(pair, facts).total
    image, prior, _, definitions = leaves
    fused, errors = [], []
    for b in range(4):
        u, p = F.normalize(image[b], dim=0), F.normalize(prior[b], dim=0)
        x = torch.cat([u, p, u - p])
        fused.append(u + objective.fusion.weight @ x if HAS[b] else u)
        if not HAS[b]:
            continue
        answers = objective.classes(x).chunk(3)
        for f in range(3):
            value = CHANGE[b][f]
            if value != value:
                continue
            z = [
                F.cosine_similarity(answers[k], definitions[f], dim=0) + objective.bias[k]
                for k in range(3)
            ]
            true = {-1: 0, 0: 1, 1: 2}[int(value)]
            errors.append(torch.logsumexp(torch.stack(z), 0) - z[true])
    clip = Clip(temperature=0.5)(Pair(Encoded(torch.stack(fused)), pair.text), facts).total
    total = clip + 0.5 * torch.stack(errors).mean()
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    wanted = [*leaves, objective.fusion.weight, objective.classes.weight, objective.bias]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(total, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_what_is_compared_is_what_was_trained() -> None:
    pair, facts, _ = sample()
    objective = build(change_weight=0.0)
    found = objective.beside_prior(pair.image, pair.others["prior"], facts.targets["has_prior"])
    assert not found.requires_grad
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(found[1], F.normalize(pair.image.pooled[1], dim=0))  # has no prior
    clip = Clip(temperature=0.07)(Pair(Encoded(found), pair.text), facts)
    torch.testing.assert_close(objective(pair, facts).total, clip.total)


def test_a_stand_in_is_neutral() -> None:
    pair, facts, leaves = sample()
    (grad,) = torch.autograd.grad(build()(pair, facts).total, leaves[1:2])
    assert grad[1].abs().max() == 0
    assert grad[0].abs().max() > 0


def test_nobody_with_a_prior_is_clip() -> None:
    pair, facts, leaves = sample()
    none = dict(facts.targets) | {"has_prior": torch.zeros(4, dtype=torch.bool)}
    loss = build()(pair, Facts(facts.patient, targets=none))
    torch.testing.assert_close(loss.total, Clip()(pair, facts).total)
    assert loss.parts["change"] == 0
    grads = torch.autograd.grad(loss.total, leaves)
    assert grads[1].abs().max() == 0
    assert all(torch.isfinite(g).all() for g in grads)


def test_the_first_step_is_clips() -> None:
    pair, facts, _ = sample()
    loss = Temporal(6, change_weight=0.0)(pair, facts).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)


def test_nothing_said_of_change_and_one_study() -> None:
    pair, facts, leaves = sample()
    unsaid = dict(facts.targets) | {"change": torch.full((4, 3), NAN)}
    loss = build()(pair, Facts(facts.patient, targets=unsaid))
    assert loss.parts["change"] == 0
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss.total, leaves))
    others = {"prior": Encoded(leaves[1][:1]), "definitions": Encoded(leaves[3])}
    one = Pair(Encoded(leaves[0][:1]), Encoded(leaves[2][:1]), others)
    alone = Facts(facts.patient[:1], targets={k: v[:1] for k, v in facts.targets.items()})
    assert torch.isfinite(build()(one, alone).total)


def test_worse_is_told_from_better() -> None:
    """Trained on one finding that only the difference shows, it says which way it went."""
    torch.manual_seed(0)
    base, step = torch.randn(32, 6), torch.eye(6)[0]
    way = torch.randint(-1, 2, (32,)).float()
    prior, image = base, base + way[:, None] * step
    rows = torch.arange(32)
    targets = {"study": rows, "owner": rows, "text": rows, "change": way[:, None]}
    facts = Facts(rows, targets=targets | {"has_prior": torch.ones(32, dtype=torch.bool)})
    others = {"prior": Encoded(prior), "definitions": Encoded(torch.ones(1, 6))}
    objective = Temporal(6, change_weight=100.0)
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.03)
    for _ in range(150):
        optimiser.zero_grad()
        loss = objective(Pair(Encoded(image), Encoded(torch.randn(32, 6)), others), facts)
        loss.total.backward()
        optimiser.step()
    u, p = F.normalize(image, dim=1), F.normalize(prior, dim=1)
    logits = objective.change(torch.cat([u, p, u - p], 1), torch.ones(1, 6))[:, 0]
    assert (logits.argmax(1) == way + 1).float().mean() > 0.9


def test_definitions_must_fit() -> None:
    pair, facts, _ = sample()
    two = {**pair.others, "definitions": Encoded(torch.ones(2, 6))}
    with pytest.raises(ValueError, match="3 findings needs a definition, got 2"):
        build()(Pair(pair.image, pair.text, two), facts)
