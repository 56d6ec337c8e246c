from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.medslip import MedSlip, affected, meetings, prototypes
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
FINDINGS = [[1.0, 0.0, NAN], [NAN, 1.0, 1.0], [0.0, 0.0, NAN], [NAN, NAN, NAN]]
PLACED = {(0, 0): [1], (1, 1): [0, 3]}  # finding 2 of study 1 is present, placed nowhere


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Four studies, three findings, four places."""
    g = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(*size, generator=g, requires_grad=True)
        for size in ((4, 5, 8), (3, 8), (4, 8), (4, 8), (4, 8))
    ]
    local, definitions, places, image, text = leaves
    location = torch.zeros(4, 3, 4)
    for (b, f), where in PLACED.items():
        location[b, f, where] = 1
    rows = torch.arange(4)
    targets = {"study": rows, "owner": rows, "text": rows}
    targets |= {"findings": torch.tensor(FINDINGS), "location": location}
    others = {"queries": Encoded(definitions), "places": Encoded(places)}
    valid = torch.arange(5) < torch.tensor([[5], [3], [4], [2]])
    return (
        Pair(Encoded(image, local, valid), Encoded(text), others),
        Facts(rows, targets=targets),
        leaves,
    )


def build(**options: object) -> MedSlip:
    torch.manual_seed(1)
    return MedSlip(8, layers=2, hidden=16, **options)  # pyright: ignore[reportArgumentType]


def slow(objective: MedSlip, leaves: list[torch.Tensor], *, official: bool) -> torch.Tensor:
    local, definitions, places = leaves[:3]
    exists, hurt, meet = [], [], []
    proto: dict[str, list[torch.Tensor]] = {"path": [], "anat": []}

    def bce(z: torch.Tensor, truth: float) -> torch.Tensor:
        return -F.logsigmoid(z if truth else -z)

    def to_mean(
        answer: torch.Tensor, texts: torch.Tensor, true: list[int], unknown: tuple[int, ...] = ()
    ) -> torch.Tensor:
        if official:
            z = [answer @ x for x in texts]
        else:
            scale = objective.log_prototype_scale.exp()
            z = [scale * F.cosine_similarity(answer, x, dim=0) for x in texts]
        mean = sum((z[k] for k in true), torch.zeros(())) / len(true)
        others = [z[k] for k in range(len(z)) if k not in true and k not in unknown]
        return torch.logsumexp(torch.stack([mean, *others]), 0) - mean

    for b, count in enumerate((5, 3, 4, 2)):
        x = local[b, :count]
        m = x @ objective.mask.weight.T + objective.mask.bias
        p = [objective.finding_decoder(d[None], (m * x)[None])[0][0, 0] for d in definitions]
        q = [objective.place_decoder(d[None], (x - m * x)[None])[0][0, 0] for d in places]
        truth = FINDINGS[b]
        homeless = [f for f in range(3) if truth[f] == 1 and (b, f) not in PLACED]
        unknown = (*homeless, *(f for f in range(3) if truth[f] != truth[f]))
        present = [f for f in range(3) if truth[f] == 1]
        for f in range(3):
            true = PLACED.get((b, f), [])
            if truth[f] == truth[f]:
                exists.append(bce(objective.finding_head(p[f])[0], truth[f]))
            if true:
                proto["path"].append(to_mean(objective.to_places(p[f]), places, true))
            if truth[f] == 0 or true:
                for a in range(4):
                    z = p[f] @ q[a] / (1.0 if official else 8**0.5)
                    meet.append(bce(z, float(a in true)))
        for a in range(4):
            true = [f for f in present if a in PLACED.get((b, f), [])]
            if true:
                proto["anat"].append(
                    to_mean(objective.to_findings(q[a]), definitions, true, unknown)
                )
            nothing = all(t != t for t in truth)
            if true or not (nothing or homeless):
                hurt.append(bce(objective.place_head(q[a])[0], float(bool(true))))
    contrasts = sum(torch.stack(each).mean() for each in proto.values())
    both = torch.stack(exists).mean() + torch.stack(hurt).mean()
    return both + 0.5 * contrasts + 0.25 * torch.stack(meet).mean()


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_the_formula_against_a_loop(variant: str) -> None:
    pair, facts, leaves = sample()
    objective = build(variant=variant, prototype_weight=0.5, intra_weight=0.25, clip_weight=0.0)
    loss = objective(pair, facts).total
    theirs = slow(objective, leaves, official=variant == "official")
    torch.testing.assert_close(loss, theirs, atol=1e-5, rtol=1e-5)
    wanted = [*leaves[:3], objective.mask.weight, objective.to_findings.weight]
    ours = torch.autograd.grad(loss, wanted)
    for a, b in zip(ours, torch.autograd.grad(theirs, wanted), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_global_contrast_is_clips() -> None:
    pair, facts, _ = sample()
    with_clip, without = build(clip_weight=0.5), build(clip_weight=0.0)
    clip = Clip()(pair, facts).total
    torch.testing.assert_close(
        with_clip(pair, facts).total, without(pair, facts).total + 0.5 * clip
    )
    assert "text.pooled" not in without.needs


def test_the_streams_add_up_to_the_image() -> None:
    pair, _, leaves = sample()
    what, where = build().disentangle(pair.image)
    assert what.local is not None
    assert where.local is not None
    torch.testing.assert_close(what.local + where.local, leaves[0])
    torch.testing.assert_close(what.pooled[1], what.local[1, :3].mean(0))


def test_a_place_is_unknown_where_a_finding_has_none() -> None:
    facts = sample()[1].targets
    known = affected(facts["findings"], facts["location"])
    wanted = [[0, 1, 0, 0], [1, NAN, NAN, 1], [0, 0, 0, 0], [NAN] * 4]
    torch.testing.assert_close(known, torch.tensor(wanted), equal_nan=True)
    meet = meetings(facts["findings"], facts["location"])
    assert torch.isnan(meet[1, 2]).all()
    assert meet[1, 1].tolist() == [1, 0, 0, 1]


def test_what_is_unknown_is_no_wrong_prototype() -> None:
    """One study, three findings, two places: finding 2 is present, and nobody says where."""
    for last in (1.0, NAN):
        findings, location = torch.tensor([[1.0, 0.0, last]]), torch.zeros(1, 3, 2)
        location[0, 0, 0] = 1
        meet = meetings(findings, location)
        logits = torch.zeros(1, 2, 3, requires_grad=True)  # places ask findings
        loss = prototypes(logits, (meet == 1).mT, ~torch.isnan(meet).mT)
        torch.testing.assert_close(loss, torch.tensor(2.0).log())
        (grad,) = torch.autograd.grad(loss, logits)
        assert grad[0, 0].tolist() == pytest.approx([-0.5, 0.5, 0.0])


def test_nothing_known_teaches_nothing() -> None:
    pair, facts, leaves = sample()
    unknown = dict(facts.targets) | {"findings": torch.full((4, 3), NAN)}
    loss = build(clip_weight=0.0)(pair, Facts(facts.patient, targets=unknown)).total
    assert loss.item() == 0
    assert all(g.abs().max() == 0 for g in torch.autograd.grad(loss, leaves[:3]))


def test_normal_studies_alone_are_finite() -> None:
    pair, facts, leaves = sample()
    normal = {"findings": torch.zeros(4, 3), "location": torch.zeros(4, 3, 4)}
    loss = build(clip_weight=0.0)(pair, Facts(facts.patient, targets=dict(facts.targets) | normal))
    assert loss.parts["prototypes"] == 0
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss.total, leaves[:3]))


def test_a_score_does_not_depend_on_the_other_texts() -> None:
    pair, _, _ = sample()
    text, objective = Encoded(torch.randn(5, 8)), build()
    alone = objective.score(pair.image, Encoded(text.pooled[2:3]))
    torch.testing.assert_close(objective.score(pair.image, text)[:, 2:3], alone)


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample()
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        build(variant="theirs")
    with pytest.raises(ValueError, match="local vectors"):
        build()(Pair(Encoded(torch.ones(4, 8)), pair.text, pair.others), facts)
    two = {**pair.others, "places": Encoded(torch.ones(2, 8))}
    with pytest.raises(ValueError, match="4 places needs a text, got 2"):
        build()(Pair(pair.image, pair.text, two), facts)
