from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.medklip import MedKlip, drawn
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
FINDINGS = torch.tensor([[1.0, 0.0, NAN], [NAN, 1.0, 1.0], [0.0, 0.0, NAN]])


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Three studies, three findings, four places; finding 2 of study 1 is placed nowhere."""
    g = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(*size, generator=g, requires_grad=True)
        for size in ((3, 5, 8), (3, 8), (4, 8), (3, 8), (3, 8))
    ]
    local, definitions, places, image, text = leaves
    location = torch.zeros(3, 3, 4)
    location[0, 0, 1] = location[1, 1, 0] = location[1, 1, 3] = 1
    location[1, 0, 2] = 1  # said of a finding that is not stated: does not count
    rows = torch.arange(3)
    targets = {"study": rows, "owner": rows, "text": rows}
    others = {"queries": Encoded(definitions), "places": Encoded(places)}
    pair = Pair(Encoded(image, local), Encoded(text), others)
    facts = Facts(rows, targets=targets | {"findings": FINDINGS, "location": location})
    return pair, facts, leaves


def build(**options: object) -> MedKlip:
    torch.manual_seed(1)
    return MedKlip(8, layers=2, hidden=16, **options)  # pyright: ignore[reportArgumentType]


def slow(objective: MedKlip, pair: Pair, facts: Facts, *, official: bool) -> torch.Tensor:
    local, findings = pair.image.local, facts.targets["findings"]
    assert local is not None
    exists, where = [], []
    for b in range(3):
        for f in range(3):
            query = pair.others["queries"].pooled[f]
            answer = objective.decoder(query[None], local[b : b + 1])[0][0, 0]
            truth = findings[b, f].item()
            if truth == truth:
                z = objective.existence(answer)[0]
                exists.append(-F.logsigmoid(z if truth else -z))
            true = [a for a in range(4) if facts.targets["location"][b, f, a] and truth == 1]
            if not true:
                continue
            turned, places = objective.position(answer), pair.others["places"].pooled
            if official:
                z = places @ turned
            else:
                scale = objective.log_place_scale.exp()
                z = scale * torch.stack([F.cosine_similarity(turned, p, dim=0) for p in places])
            where.append(sum(torch.logsumexp(z, 0) - z[a] for a in true) / len(true))
    return torch.stack(exists).mean() + 0.5 * torch.stack(where).mean()


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_the_formula_against_a_loop(variant: str) -> None:
    pair, facts, leaves = sample()
    objective = build(variant=variant, place_weight=0.5, clip_weight=0.0)
    loss = objective(pair, facts).total
    theirs = slow(objective, pair, facts, official=variant == "official")
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    wanted = [*leaves[:3], objective.position.weight, objective.existence.weight]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(theirs, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_global_contrast_is_clips() -> None:
    pair, facts, _ = sample()
    with_clip = build(clip_weight=0.5)(pair, facts)
    without = build(clip_weight=0.0)(pair, facts)
    clip = Clip()(pair, facts).total
    torch.testing.assert_close(with_clip.total, without.total + 0.5 * clip)


def test_weights_of_zero_need_nothing() -> None:
    needs = build(place_weight=0.0, clip_weight=0.0).needs
    assert needs == {"image.local", "queries.pooled", "facts.findings"}


def test_random_negatives_only_in_training() -> None:
    pair, facts, _ = sample()
    objective = build(negatives=1, clip_weight=0.0)
    every = build(clip_weight=0.0)(pair, facts).total
    losses = {objective(pair, facts).total.item() for _ in range(8)}
    assert len(losses) > 1
    assert max(losses) < every
    torch.testing.assert_close(objective.eval()(pair, facts).total, every)


def test_drawn_places_are_never_true_ones() -> None:
    location = (torch.rand(6, 4, 9) < 0.3).float()
    chosen = drawn(location, 3)
    assert (chosen.sum(-1) == (9 - location.sum(-1)).clamp(max=3)).all()
    assert not (chosen & (location > 0)).any()


def test_a_score_does_not_depend_on_the_other_texts() -> None:
    pair, _, _ = sample()
    text = Encoded(torch.randn(5, 8))
    alone = Encoded(text.pooled[2:3])
    one = build()
    torch.testing.assert_close(one.score(pair.image, text)[:, 2:3], one.score(pair.image, alone))
    two = build(self_attention=True)
    assert not torch.allclose(two.score(pair.image, text)[:, 2:3], two.score(pair.image, alone))


def test_nothing_known_teaches_nothing() -> None:
    pair, facts, leaves = sample()
    unknown = Facts(
        facts.patient, targets=dict(facts.targets) | {"findings": torch.full_like(FINDINGS, NAN)}
    )
    loss = build(clip_weight=0.0)(pair, unknown).total
    assert loss.item() == 0
    grads = torch.autograd.grad(loss, leaves[:3])
    assert all(grad.abs().max() == 0 for grad in grads)


def test_normal_studies_alone_teach_absence() -> None:
    pair, facts, leaves = sample()
    normal = dict(facts.targets) | {
        "findings": torch.zeros_like(FINDINGS),
        "location": torch.zeros(3, 3, 4),
    }
    loss = build(clip_weight=0.0)(pair, Facts(facts.patient, targets=normal))
    assert loss.parts["position"] == 0
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss.total, leaves[:3]))


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample()
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        build(variant="theirs")
    with pytest.raises(ValueError, match="local vectors"):
        build()(Pair(Encoded(torch.ones(3, 8)), pair.text, pair.others), facts)
    two = {**pair.others, "queries": Encoded(torch.ones(2, 8))}
    with pytest.raises(ValueError, match="3 findings needs a definition, got 2"):
        build()(Pair(pair.image, pair.text, two), facts)
