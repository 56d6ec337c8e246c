from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.multiscale.prior import Prior, match
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT = (2, 0, 0, 1, 0, 2, 1), (10, 11, 12, 12, 11, 10, 11)  # studies 0 and 1 say the same


def batch() -> tuple[Pair, Facts, list[torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    shapes = ((3, 8), (3, 5, 8), (7, 8), (3, 5, 8))
    leaves = [torch.randn(*shape, generator=g, requires_grad=True) for shape in shapes]
    rows = torch.arange(3)
    targets = {
        "study": rows,
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "patches": torch.randn(3, 5, 4, generator=g),
        "holes": torch.rand(3, 5, generator=g) < 0.5,
    }
    masked = {"masked": Encoded(leaves[3].mean(1), leaves[3])}
    pair = Pair(Encoded(leaves[0], leaves[1]), Encoded(leaves[2]), masked)
    return pair, Facts(torch.tensor([7, 8, 7]), targets=targets), leaves


def small(stage: int = 3, **own: object) -> Prior:
    torch.manual_seed(0)
    return Prior(8, 4, stage=stage, prototypes=6, queries=4, layers=1, heads=2, temperature=0.1,
                 **own)  # fmt: skip


def nce(z: torch.Tensor, positive: list[list[bool]]) -> torch.Tensor:
    """Cross-entropy both ways of a square of logits, spread over the positives of each line."""
    total = torch.zeros(())
    for lines in (z, z.T):
        for line, true in zip(lines, torch.tensor(positive), strict=True):
            total = total + (torch.logsumexp(line, 0) - line[true].mean()) / len(z) / 2
    return total


def cosines(x: list[torch.Tensor], y: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([torch.stack([F.cosine_similarity(a, b, dim=0) for b in y]) for a in x])


def slow_report(objective: Prior, sentences: torch.Tensor) -> torch.Tensor:
    """Two heads of width 4: the mean asks itself and the sentences."""
    tokens = torch.cat([sentences.mean(0, keepdim=True), sentences])
    q, k, v = F.linear(tokens, objective.pool.in_proj_weight, objective.pool.in_proj_bias).chunk(
        3, 1
    )
    heads = [(q[0, h] @ k[:, h].T / 2.0).softmax(0) @ v[:, h] for h in (slice(0, 4), slice(4, 8))]
    return objective.pool.out_proj(torch.cat(heads))


def slow(objective: Prior, pair: Pair, facts: Facts, stage: int) -> dict[str, torch.Tensor]:
    """Study by study; the parts before their weights."""
    parts = {k: torch.zeros(()) for k in ("image_local", "text_local", "bank", "image", "report",
                                          "query")}  # fmt: skip
    reports, decoded = [], []
    root = math.sqrt(8)

    def query(t: torch.Tensor) -> torch.Tensor:
        return (t @ objective.bank.T).softmax(-1)

    for i in range(3):
        mine = [m for m in range(7) if OWNER[m] == i]
        t, v = pair.text.pooled[mine], pair.image.local[i]
        b = (t @ objective.bank.T / 0.9).softmax(1) @ objective.bank if stage > 1 else t
        reports.append(slow_report(objective, b))
        parts["bank"] = parts["bank"] + (b - t).abs().sum() / 8 / 7
        q, k, value = objective.of_image(v).chunk(3, 1)
        qt, kt, vt = objective.of_text(b).chunk(3, 1)
        seen = torch.sigmoid(q @ kt.T / root) @ vt
        found = torch.sigmoid(qt @ k.T / root) @ value
        predict = objective.predictor
        one = F.cosine_similarity(predict(v), seen.detach(), dim=1).mean()
        two = F.cosine_similarity(predict(seen), v.detach(), dim=1).mean()
        parts["image_local"] = parts["image_local"] - (one + two) / 2 / 3
        same = [[TEXT[m] == TEXT[n] for n in mine] for m in mine]
        z = objective.log_local_scale.exp() * cosines(list(b), list(found))
        parts["text_local"] = parts["text_local"] + nce(z, same) / 3
        if stage < 3:
            continue
        m = pair.others["masked"].local[i]
        qm = objective.of_image(m).chunk(3, 1)[0]
        context = torch.sigmoid(qm @ kt.T / root) @ vt
        guess = objective.to_pixels(torch.cat([m, context], 1))
        holes = facts.targets["holes"]
        error = (guess - facts.targets["patches"][i]).abs()[holes[i]].sum() / 4 / holes.sum()
        parts["image"] = parts["image"] + error
        out = objective.decoder(objective.queries, v[None])[0][0]
        truth = torch.cat([b, torch.zeros(4 - len(b), 8)])
        best = min(itertools.permutations(range(4)),
                   key=lambda p: (out[list(p)] - truth).abs().sum().item())  # fmt: skip
        out = out[list(best)]
        parts["report"] = parts["report"] + (out - truth).abs().mean() / 3
        out = out[: len(b)]
        apart = query(t) * (query(t).log() - query(out).log())
        parts["query"] = parts["query"] + apart.sum() / 7
        decoded.append(slow_report(objective, (out @ objective.bank.T / 0.9).softmax(1)
                                   @ objective.bank))  # fmt: skip
    said = [{TEXT[m] for m in range(7) if OWNER[m] == i} for i in range(3)]
    once = [i for i in range(3) if said[i] not in said[:i]]
    scale = objective.log_scale.exp()
    parts["global"] = rectangle(pair.image.pooled, reports, said, once, scale)
    if stage == 3:
        parts["generated"] = rectangle(decoded, reports, said, once, scale)
    kept = {1: 3, 2: 4, 3: 8}[stage]
    names = ("global", "image_local", "text_local", "bank", "image", "report", "query", "generated")
    return {name: parts[name] for name in names[:kept]}


def rectangle(x, reports, said, once, scale) -> torch.Tensor:
    """Studies against distinct reports, [3, 2]."""
    z = scale * cosines(list(x), [reports[i] for i in once])
    positive = torch.tensor([[said[i] == said[u] for u in once] for i in range(3)])
    total = torch.zeros(())
    for lines, true in ((z, positive), (z.T, positive.T)):
        for line, own in zip(lines, true, strict=True):
            total = total + (torch.logsumexp(line, 0) - line[own].mean()) / len(lines) / 2
    return total


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_every_part_against_a_loop(stage: int) -> None:
    pair, facts, leaves = batch()
    objective = small(stage)
    loss = objective(pair, facts)
    parts = slow(objective, pair, facts, stage)
    assert set(parts) == set(loss.parts)
    for name, part in parts.items():
        torch.testing.assert_close(loss.parts[name], part.detach(), atol=1e-5, rtol=1e-5)
    weight = {"global": 10 if stage == 3 else 1, "bank": 10, "report": 10}
    total = sum(weight.get(name, 1) * part for name, part in parts.items())
    torch.testing.assert_close(loss.total, total, atol=1e-5, rtol=1e-5)
    inputs = [*leaves[: 4 if stage == 3 else 3], *objective.parameters()]
    ours = torch.autograd.grad(loss.total, inputs, allow_unused=True)
    theirs = torch.autograd.grad(total, inputs, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)
    assert all(g.abs().max() > 1e-5 for g in theirs[: 4 if stage == 3 else 3])


def test_equal_reports_are_told_apart_only_if_asked() -> None:
    pair, facts, _ = batch()
    alike, apart = small(1), small(1, same_text="negative")
    here = torch.arange(3)
    loss = apart(pair, facts).parts["global"]
    reports = [slow_report(apart, pair.text.pooled[[m for m in range(7) if OWNER[m] == i]])
               for i in range(3)]  # fmt: skip
    z = 10 * cosines(list(pair.image.pooled), reports)
    slow = (F.cross_entropy(z, here) + F.cross_entropy(z.T, here)) / 2
    torch.testing.assert_close(loss, slow.detach(), atol=1e-5, rtol=1e-5)
    assert abs(alike(pair, facts).parts["global"] - loss) > 1e-3


def test_matching_is_the_cheapest_of_all() -> None:
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(6, 4, 3, generator=g), torch.randn(6, 4, 3, generator=g)
    order = match(x, y)
    for one, decoded, true in zip(order, x, y, strict=True):
        cost = [(decoded[list(p)] - true).abs().sum() for p in itertools.permutations(range(4))]
        torch.testing.assert_close((decoded[one] - true).abs().sum(), min(cost))
    assert any((order[i][order[i]] != torch.arange(4)).any() for i in range(6))  # no involutions


def test_noise_is_of_training_alone() -> None:
    pair, facts, _ = batch()
    objective = small(2, noise=True)
    torch.testing.assert_close(objective.eval()(pair, facts).total, small(2)(pair, facts).total)
    objective.train()
    one, two = (objective(pair, facts).total for _ in range(2))
    assert one != two


def test_no_holes_and_one_study_with_one_sentence() -> None:
    _, facts, leaves = batch()
    rows = torch.arange(1)
    targets = {
        "study": rows, "owner": rows, "text": rows,
        "patches": facts.targets["patches"][:1], "holes": torch.zeros(1, 5, dtype=torch.bool),
    }  # fmt: skip
    masked = {"masked": Encoded(leaves[3][:1].mean(1), leaves[3][:1])}
    one = Pair(Encoded(leaves[0][:1], leaves[1][:1]), Encoded(leaves[2][:1]), masked)
    loss = small()(one, Facts(rows, targets=targets))
    assert loss.parts["global"] == loss.parts["text_local"] == loss.parts["image"] == 0
    grads = torch.autograd.grad(loss.total, leaves, allow_unused=True)
    assert all(torch.isfinite(g).all() for g in grads if g is not None)
    assert grads[3].abs().max() == 0


@pytest.mark.parametrize("stage", [1, 3])
def test_no_text_belongs_to_a_study(stage: int) -> None:
    """As where all texts of a batch are those of nobody."""
    pair, facts, leaves = batch()
    nobody = Facts(facts.patient, targets={**facts.targets, "owner": torch.full((7,), -1)})
    loss = small(stage)(pair, nobody)
    assert loss.parts["text_local"] == 0
    grads = torch.autograd.grad(loss.total, leaves[:3], allow_unused=True)
    assert all(torch.isfinite(g).all() for g in (loss.total, *grads) if g is not None)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_study_without_text_is_nobodys_pair(stage: int) -> None:
    """What compares images with reports is as if it were not there, and no gradient explodes."""
    pair, facts, leaves = batch()
    lone = facts.targets["owner"].masked_fill(facts.targets["owner"] == 1, -1)
    loss = small(stage)(pair, Facts(facts.patient, targets={**facts.targets, "owner": lone}))
    others = [0, 2]
    fewer = {k: facts.targets[k][others] for k in ("study", "patches", "holes")}
    fewer |= {"owner": lone, "text": facts.targets["text"]}
    images = [Encoded(a[others], b[others]) for a, b in ((leaves[0], leaves[1]),)]
    masked = {"masked": Encoded(leaves[3][others].mean(1), leaves[3][others])}
    without = small(stage)(
        Pair(images[0], pair.text, masked), Facts(facts.patient[others], targets=fewer)
    )
    names = ("global", "image_local", "generated") if stage == 3 else ("global", "image_local")
    for name in names:
        torch.testing.assert_close(loss.parts[name], without.parts[name])
    grads = torch.autograd.grad(loss.total, leaves[:3])
    assert all(g.abs().max() < 1e3 for g in grads)
    assert grads[0][1].abs().max() == 0


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="pixels"):
        Prior(8)
    with pytest.raises(ModelError, match="stage must be"):
        Prior(8, 4, stage=4)
    pair, facts, leaves = batch()
    objective = small()
    objective.queries = torch.nn.Parameter(torch.randn(2, 8))
    with pytest.raises(ModelError, match="2 sentences"):
        objective(pair, facts)
    with pytest.raises(ValueError, match="local vectors of the images"):
        small()(Pair(Encoded(leaves[0]), pair.text), facts)
