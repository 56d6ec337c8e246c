from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.pretrain.multiscale.biovil import BioVil, BioVilT
from asclip.types import Encoded, Facts, Pair

HAS = [True, False, True]


def setting(has: list[bool] | None = None) -> tuple[list[torch.Tensor], Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    shapes = [(3, 4, 8), (3, 4, 8), (5, 8)]
    x = [torch.randn(shape, generator=g, requires_grad=True) for shape in shapes]
    image, prior = (Encoded(local.mean(1), local) for local in x[:2])
    targets = {
        "study": torch.arange(3),
        "owner": torch.tensor([0, 0, 1, 2, 2]),
        "text": torch.arange(5),
        "has_prior": torch.tensor(HAS if has is None else has),
    }
    facts = Facts(torch.tensor([4, 5, 6]), targets=targets)
    return x, Pair(image, Encoded(x[2]), {"prior": prior}), facts


def biovil_t() -> BioVilT:
    torch.manual_seed(0)
    return BioVilT(8, layers=2, heads=2, temperature=0.5)


def infonce(whole: list[torch.Tensor], text: torch.Tensor) -> torch.Tensor:
    own = [[0, 1], [2], [3, 4]]
    z = [[F.cosine_similarity(u, t, dim=0) / 0.5 for t in text] for u in whole]
    total = torch.zeros(())
    for i, mine in enumerate(own):
        below = torch.logsumexp(torch.stack(z[i]), 0)
        total = total + sum(below - z[i][m] for m in mine) / len(mine) / 3 / 2
        for m in mine:
            total = total + (torch.logsumexp(torch.stack([row[m] for row in z]), 0) - z[i][m]) / 10
    return total


def check(loss: torch.Tensor, slow: torch.Tensor, leaves: list[torch.Tensor]) -> None:
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
        assert b.abs().max() > 1e-4


def test_biovil_is_infonce_of_the_mean_projected_patch() -> None:
    (local, _, text), pair, facts = setting()
    torch.manual_seed(0)
    ours = BioVil(8, temperature=0.5)
    first, _, last = ours.projection
    whole = []
    for i in range(3):
        patches = [
            last.weight @ F.gelu(first.weight @ local[i, n] + first.bias) + last.bias
            for n in range(4)
        ]
        whole.append(sum(patches) / 4)
    check(ours(pair, facts).total, infonce(whole, text), [local, text, first.weight, last.bias])
    mean = ours.projection(local).mean(1)
    torch.testing.assert_close(
        ours(pair, facts).total, Clip(temperature=0.5)(Pair(Encoded(mean), pair.text), facts).total
    )


def test_biovil_t_looks_at_both_grids() -> None:
    """Study by study, place by place; attention written out in full."""
    (local, prior, text), pair, facts = setting()
    ours = biovil_t()

    def place(n: int) -> torch.Tensor:
        angles = [n * 10000 ** (-k / 4) for k in range(4)]
        return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])

    def attend(layer, tokens: torch.Tensor) -> torch.Tensor:
        query = layer.query(layer.norm(tokens))
        key, value = layer.key_value(layer.memory_norm(tokens)).chunk(2, -1)
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            weight = (query[:, part] @ key[:, part].T / 2.0).softmax(1)
            heads.append(weight @ value[:, part])
        tokens = tokens + layer.out(torch.cat(heads, 1))
        return tokens + layer.feed(tokens)

    whole = []
    for i in range(3):
        before = [prior[i, n] if HAS[i] else ours.missing for n in range(4)]
        tokens = [local[i, n] + place(n) + ours.time[0] for n in range(4)]
        tokens += [before[n] + place(n) + ours.time[1] for n in range(4)]
        tokens = torch.stack(tokens)
        for layer in ours.layers:
            tokens = attend(layer, tokens)
        patches = [ours.projection(torch.cat([local[i, n], tokens[n]])) for n in range(4)]
        whole.append(sum(patches) / 4)
    check(
        ours(pair, facts).total,
        infonce(whole, text),
        [local, prior, text, ours.missing, ours.time, ours.layers[0].query.weight],
    )


def test_a_missing_prior_is_not_looked_at() -> None:
    x, pair, facts = setting()
    ours = biovil_t()
    loss = ours(pair, facts).total
    grad = torch.autograd.grad(loss, x[1])[0]
    assert (grad[1] == 0).all()
    assert grad[0].abs().sum() > 0
    assert grad[2].abs().sum() > 0
    with torch.no_grad():
        x[1][1] = float("nan")
    torch.testing.assert_close(ours(pair, facts).total, loss)


def test_what_is_compared_is_what_was_trained() -> None:
    _, pair, facts = setting()
    ours = biovil_t()
    found = ours.beside_prior(pair.image, pair.others["prior"], facts.targets["has_prior"])
    assert not found.requires_grad
    clip = Clip(temperature=0.5)(Pair(Encoded(found), pair.text), facts)
    torch.testing.assert_close(ours(pair, facts).total, clip.total)


def test_nobody_has_a_prior() -> None:
    x, pair, facts = setting([False] * 3)
    ours = biovil_t()
    loss = ours(pair, facts)
    assert (torch.autograd.grad(loss.total, x[1])[0] == 0).all()
    assert loss.parts["priors"] == 0
    whole = ours.score(pair.image, pair.text)
    slow = Clip(temperature=0.5)(
        Pair(Encoded(ours.patches(pair.image, None, None).mean(1)), pair.text), facts
    )
    torch.testing.assert_close(loss.total, slow.total)
    assert whole.shape == (3, 5)


@pytest.mark.parametrize("kind", [BioVil, BioVilT])
def test_score_and_heatmap(kind: type[BioVil]) -> None:
    _, pair, _ = setting()
    torch.manual_seed(0)
    ours = kind(8)
    patches = ours.patches(pair.image, None, None).detach()
    heat = ours.heatmap(pair.image, pair.text)
    score = ours.score(pair.image, pair.text)
    text = pair.text.pooled.detach()
    assert heat.shape == (3, 5, 4)
    torch.testing.assert_close(heat[1, 3, 2], F.cosine_similarity(patches[1, 2], text[3], dim=0))
    torch.testing.assert_close(score[1, 3], F.cosine_similarity(patches[1].mean(0), text[3], dim=0))


def test_one_study_and_local_vectors() -> None:
    _, pair, facts = setting()
    one = Facts(facts.patient[:1], targets={k: v[:1] for k, v in facts.targets.items()})
    image, prior = (Encoded(e.pooled[:1], e.local[:1]) for e in (pair.image, pair.others["prior"]))
    few = Pair(image, Encoded(pair.text.pooled[:1]), {"prior": prior})
    for ours in (BioVil(8), biovil_t()):
        assert ours(few, one).total.abs() < 1e-6
        with pytest.raises(ValueError, match="local vectors"):
            ours(Pair(Encoded(pair.image.pooled), pair.text, dict(pair.others)), facts)
