from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.data_efficient.medclip import MedClip, likeness
from asclip.recipes.options import choose
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3], [10, 11, 12, 10, 13], [7, 8, 7, 9]
FINDINGS = [[1, 0, NAN], [NAN, NAN, NAN], [0, 0, 0], [NAN, 1, 1]]
STATED = [[1, NAN, NAN], [NAN, NAN, NAN], [0, 0, NAN], [1, NAN, NAN], [NAN, 1, 1]]


def setting() -> tuple[torch.Tensor, torch.Tensor, Facts]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(4, 6, generator=g, requires_grad=True)
    v = torch.randn(5, 6, generator=g)
    v[3] = v[0]  # the same text
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "findings": torch.tensor(FINDINGS),
        "stated": torch.tensor(STATED),
    }
    return u, v.requires_grad_(), Facts(torch.tensor(PATIENT), targets=targets)


def sign(truth: list[float], nothing: str) -> torch.Tensor:
    values = [1.0 if x == 1 else -1.0 if x == 0 else 0.0 for x in truth]
    return torch.tensor(values + ([float(1 not in values)] if nothing == "normal" else []))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("nothing", ["left-out", "normal"])
@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_soft_targets_pair_by_pair(similarity, nothing, same_text, same_patient) -> None:
    u, v, facts = setting()
    objective = MedClip(
        temperature=0.5,
        sharpness=1.5,
        similarity=similarity,
        nothing=nothing,
        same_text=same_text,
        same_patient=same_patient,
    )
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.5
    texts = [m for m in range(5) if same_text != "positive" or TEXT.index(TEXT[m]) == m]

    def known(truth: list[float]) -> bool:
        return nothing == "normal" or any(x == x for x in truth)

    def alike(i: int, m: int) -> torch.Tensor:
        a, b = sign(FINDINGS[i], nothing), sign(STATED[m], nothing)
        return (a @ b) / (a.norm() * b.norm() if similarity == "cosine" else 1.0)

    def own(i: int, m: int) -> bool:
        writers = {OWNER[k] for k in range(5) if TEXT[k] == TEXT[m]}
        return OWNER[m] == i or (same_text == "positive" and i in writers)

    pairs = [
        (i, m)
        for i in range(4)
        for m in texts
        if known(FINDINGS[i])
        and known(STATED[m])
        and (same_patient == "negative" or PATIENT[OWNER[m]] != PATIENT[i] or own(i, m))
    ]
    slow = torch.zeros(())
    for axis in (0, 1):
        lines = sorted({pair[axis] for pair in pairs})
        for line in lines:
            here = [pair for pair in pairs if pair[axis] == line]
            weights = torch.stack([torch.exp(1.5 * alike(*pair)) for pair in here])
            logits = torch.stack([z[pair] for pair in here])
            each = weights / weights.sum() * (torch.logsumexp(logits, 0) - logits)
            slow = slow + each.sum() / len(lines) / 2
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_who_wrote_a_text_plays_no_part() -> None:
    u, v, facts = setting()
    other = Facts(facts.patient, targets={**facts.targets, "owner": torch.tensor([3, 2, 2, 1, 0])})
    pair = Pair(Encoded(u), Encoded(v))
    torch.testing.assert_close(MedClip()(pair, facts).total, MedClip()(pair, other).total)


def test_nothing_known_and_one_study_are_zero_with_a_graph() -> None:
    u, v, facts = setting()
    unknown = {k: torch.full_like(facts.targets[k], NAN) for k in ("findings", "stated")}
    loss = MedClip()(
        Pair(Encoded(u), Encoded(v)), Facts(facts.patient, targets={**facts.targets, **unknown})
    ).total
    assert loss == 0
    assert (torch.autograd.grad(loss, u)[0] == 0).all()
    one = {k: x[:1] for k, x in facts.targets.items()}
    pair = Pair(Encoded(u[:1]), Encoded(v[:1]))
    torch.testing.assert_close(
        MedClip()(pair, Facts(facts.patient[:1], targets=one)).total, torch.zeros(())
    )


def test_all_normal_reports_are_equally_right() -> None:
    """Every target is uniform, so images and texts that are all alike have no gradient."""
    facts = setting()[2]
    normal = {k: torch.zeros_like(facts.targets[k]) for k in ("findings", "stated")}
    u = torch.ones(4, 6, requires_grad=True)
    loss = MedClip()(
        Pair(Encoded(u), Encoded(torch.ones(5, 6))),
        Facts(facts.patient, targets={**facts.targets, **normal}),
    ).total
    assert torch.autograd.grad(loss, u)[0].abs().max() < 1e-6


def test_wrong_words_are_refused() -> None:
    for wrong in ({"similarity": "euclid"}, {"nothing": "x"}, {"same_patient": "positive"}):
        with pytest.raises(ModelError, match="must be"):
            MedClip(**wrong)


def test_targets_tell_like_from_unlike() -> None:
    """With k = 1 the least loss is near that of a coin; the recipe has the objective's k."""
    objective = MedClip()
    same, other = torch.tensor([[1.0, -1.0, 1.0]]), torch.tensor([[-1.0, 1.0, -1.0], [1.0, 1.0, 0]])
    alike = likeness(same, torch.cat([same, other]), similarity="cosine", nothing="left-out")
    assert (objective.sharpness * alike).softmax(1)[0, 0] > 0.99
    assert alike.softmax(1)[0, 0] < 0.7
    assert choose("medclip", {})[1]["sharpness"] == objective.sharpness
