from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.frontier.modalities import Modalities
from asclip.types import Encoded, Facts, Pair

STREAMS = (("view", "has_view"), ("prior", "has_prior"))
OWNER, PATIENT = [0, 0, 1, 2, 3], [7, 8, 7, 9]
HAS = {"view": [True, False, True, True], "prior": [False, False, True, True]}


def sample(has: dict[str, list[bool]]) -> tuple[Pair, Facts, dict[str, torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    x = {
        name: torch.randn(5 if name == "text" else 4, 6, generator=g, requires_grad=True)
        for name in ("image", "text", "view", "prior")
    }
    others = {name: Encoded(x[name]) for name in ("view", "prior")}
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor(OWNER),
        "text": torch.arange(5),
        "has_view": torch.tensor(has["view"]),
        "has_prior": torch.tensor(has["prior"]),
    }
    facts = Facts(torch.tensor(PATIENT), targets=targets)
    return Pair(Encoded(x["image"]), Encoded(x["text"]), others), facts, x


def slow(x: dict[str, torch.Tensor], a: str, b: str, same_patient: str) -> torch.Tensor:
    """NCE of two modalities over those that have them, written pair by pair."""
    rows = {
        name: [
            (v, OWNER[k] if name == "text" else k)
            for k, v in enumerate(F.normalize(x[name], dim=1))
            if name in ("image", "text") or HAS[name][k]
        ]
        for name in (a, b)
    }
    total = torch.zeros(())
    for one, two in ((a, b), (b, a)):
        each = []
        for u, i in rows[one]:
            kept, true = [], []
            for v, j in rows[two]:
                spared = same_patient == "neutral" or "prior" in (a, b)  # i may be j's prior
                neutral = spared and PATIENT[i] == PATIENT[j] and i != j
                if not neutral:
                    kept.append(2 * u @ v)
                if i == j:
                    true.append(2 * u @ v)
            if true:
                below = torch.logsumexp(torch.stack(kept), 0)
                each.append(sum(below - value for value in true) / len(true))
        total = total + torch.stack(each).mean() / 2
    return total


@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ("all", "image_text image_view image_prior text_view text_prior view_prior"),
        ("text", "image_text text_view text_prior"),
        ("image", "image_text image_view image_prior"),
    ],
)
def test_the_formula_against_a_loop(pairs: str, wanted: str, same_patient: str) -> None:
    pair, facts, x = sample(HAS)
    objective = Modalities(STREAMS, pairs=pairs, temperature=0.5, same_patient=same_patient)
    loss = objective(pair, facts)
    names = [name.split("_") for name in wanted.split()]
    total = torch.zeros(())
    for a, b in names:
        total = total + slow(x, a, b, same_patient)
    assert {*loss.parts} == {*wanted.split(), "scale"}
    torch.testing.assert_close(loss.total, total, atol=1e-5, rtol=1e-5)
    leaves = list(x.values())
    ours = torch.autograd.grad(loss.total, leaves)
    for a, b in zip(ours, torch.autograd.grad(total, leaves), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_what_is_missing_is_not_pushed() -> None:
    pair, facts, x = sample(HAS)
    (grad,) = torch.autograd.grad(Modalities(STREAMS)(pair, facts).total, x["view"])
    assert grad[1].abs().max() == 0
    assert grad[0].abs().max() > 0


@pytest.mark.parametrize("streams", [(), STREAMS])
def test_nobody_with_more_is_clip(streams: tuple[tuple[str, str], ...]) -> None:
    pair, facts, x = sample({"view": [False] * 4, "prior": [False] * 4})
    loss = Modalities(streams)(pair, facts).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)
    grads = torch.autograd.grad(loss, list(x.values()), allow_unused=True)
    assert all(g is None or torch.isfinite(g).all() for g in grads)


def test_a_prior_is_no_negative_of_the_image_that_it_is() -> None:
    """Study 2 is study 0 of the same patient later on; its prior image is that of study 0."""
    pair, facts, x = sample({"view": [False] * 4, "prior": [False, False, True, False]})
    two, mine = [0, 2], [0, 1, 3]  # texts
    others = {k: Encoded(v.pooled[two]) for k, v in pair.others.items()}
    targets = {k: v[mine] if k in ("owner", "text") else v[two] for k, v in facts.targets.items()}
    few = Facts(facts.patient[two], targets=targets)
    some = Pair(Encoded(x["image"][two]), Encoded(x["text"][mine]), others)
    parts = Modalities(STREAMS)(some, few).parts
    assert parts["image_prior"] == parts["text_prior"] == 0
    assert parts["image_text"] > 0.1  # now with now: what `same_patient` says
    both = Modalities(STREAMS, same_patient="positive")(some, few).parts
    assert both["image_prior"] > 0.1


def test_one_study_alone_is_zero() -> None:
    pair, facts, x = sample(HAS)
    one = Pair(
        Encoded(x["image"][:1]),
        Encoded(x["text"][:1]),
        {k: Encoded(v.pooled[:1]) for k, v in pair.others.items()},
    )
    alone = {k: v[:1] for k, v in facts.targets.items()}
    assert Modalities(STREAMS)(one, Facts(facts.patient[:1], targets=alone)).total == 0


def test_a_shared_text_is_shared_with_every_modality() -> None:
    """Two studies with one text, everything encoded alike: nothing is left to separate."""
    pair, facts, x = sample({"view": [True] * 4, "prior": [False] * 4})
    view = x["view"].detach()[:1].repeat(4, 1).requires_grad_()
    shared = dict(facts.targets) | {"text": torch.zeros(5, dtype=torch.long)}
    same = Pair(Encoded(view), pair.text, {"view": Encoded(view), "prior": Encoded(view)})
    loss = Modalities(STREAMS, pairs="text")(same, Facts(facts.patient, targets=shared)).total
    assert torch.autograd.grad(loss, view)[0].abs().max() < 1e-6


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ModelError, match="pairs must be 'all', 'text' or 'image'"):
        Modalities(STREAMS, pairs="view")
    with pytest.raises(ModelError, match="streams must differ"):
        Modalities((("image", "has_view"),))
