from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.data_efficient.sat import Sat
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3, 4], [10, 11, 12, 10, 13, 14, 15], [7, 8, 7, 9, 5]
FINDINGS = [[1, 0, 1], [1, 0, NAN], [0, 0, NAN], [NAN, NAN, NAN], [NAN, NAN, NAN]]
NORMAL = [False, False, False, True, False]


def setting() -> tuple[torch.Tensor, torch.Tensor, Facts]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(5, 6, generator=g, requires_grad=True)
    v = torch.randn(7, 6, generator=g)
    meaning = F.normalize(torch.randn(7, 3, generator=g), dim=1)
    v[3], meaning[3] = v[0], meaning[0]  # the same text
    targets = {
        "study": torch.arange(5),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "findings": torch.tensor(FINDINGS),
        "normal": torch.tensor(NORMAL),
        "report": F.normalize(torch.randn(5, 3, generator=g), dim=1),
        "meaning": meaning,
    }
    return u, v.requires_grad_(), Facts(torch.tensor(PATIENT), targets=targets)


def study_likeness(facts: Facts, by: str, i: int, j: int) -> float:
    if by == "report":
        return float(facts.targets["report"][i] @ facts.targets["report"][j])
    sets = []
    for truth, normal in ((FINDINGS[i], NORMAL[i]), (FINDINGS[j], NORMAL[j])):
        here = {f for f in range(3) if truth[f] == 1}
        sets.append(here or ({"normal"} if normal or 0 in truth else set()))
    size = (len(sets[0]) * len(sets[1])) ** 0.5
    return len(sets[0] & sets[1]) / size if size else 0.0


@pytest.mark.parametrize("by", ["findings", "report", "meaning"])
@pytest.mark.parametrize("positives", ["any", "each"])
@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_triage_pair_by_pair(by: str, positives: str, same_text: str, same_patient: str) -> None:
    u, v, facts = setting()
    objective = Sat(
        by=by,
        alike=0.95 if by == "findings" else 0.6,
        near=0.6 if by == "findings" else 0.1,
        positives=positives,
        temperature=0.5,
        same_text=same_text,
        same_patient=same_patient,
    )
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.5
    once = [m for m in range(7) if same_text != "positive" or TEXT.index(TEXT[m]) == m]

    def writers(m: int) -> list[int]:
        if same_text != "positive":
            return [OWNER[m]]
        return [OWNER[k] for k in range(7) if TEXT[k] == TEXT[m]]

    def kind(i: int, m: int) -> str:
        if by == "meaning":
            meaning = facts.targets["meaning"]
            similar = max(float(meaning[k] @ meaning[m]) for k in range(7) if OWNER[k] == i)
        else:
            similar = max(study_likeness(facts, by, i, j) for j in writers(m))
        if i in writers(m) or similar >= objective.alike:
            return "positive"
        if same_patient == "neutral" and PATIENT[OWNER[m]] == PATIENT[i]:
            return "neutral"
        return "neutral" if similar >= objective.near else "negative"

    rows = [[(z[i, m], kind(i, m)) for m in once] for i in range(5)]
    kinds = [k for row in rows for _, k in row]
    assert {"positive", "neutral", "negative"} <= set(kinds)
    assert kinds.count("positive") > 7
    slow = torch.zeros(())
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        for line in lines:
            kept = sum(torch.exp(x) for x, k in line if k != "neutral")
            true = [x for x, k in line if k == "positive"]
            if positives == "any":
                each = -torch.log(sum(torch.exp(x) for x in true) / kept)
            else:
                each = sum(torch.log(kept) - x for x in true) / len(true)
            slow = slow + each / len(lines) / 2
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, (u, v)), torch.autograd.grad(slow, (u, v)), strict=True
    ):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def one_text_each(facts: Facts, **more: torch.Tensor) -> Facts:
    rows = torch.arange(5)
    targets = {"study": rows, "owner": rows, "text": rows, "normal": rows < 0}
    return Facts(facts.patient, targets={**targets, **more})


def test_nothing_neutral_and_no_further_positive_is_clip() -> None:
    u, v, facts = setting()
    pair = Pair(Encoded(u), Encoded(v[:5]))
    plain = one_text_each(facts, findings=facts.targets["findings"])
    clip = Clip()(pair, plain).total
    for positives in ("any", "each"):
        ours = Sat(alike=2.0, near=2.0, positives=positives)(pair, plain).total
        torch.testing.assert_close(ours, clip, atol=1e-6, rtol=1e-6)
    several = Pair(Encoded(u), Encoded(v))
    torch.testing.assert_close(
        Sat(alike=2.0, near=2.0, positives="each")(several, facts).total,
        Clip()(several, facts).total,
    )


def test_nothing_known_is_clip_and_what_is_left_out_does_not_push() -> None:
    u, v, facts = setting()
    pair = Pair(Encoded(u), Encoded(v[:5]))
    unknown = one_text_each(facts, findings=torch.full((5, 3), NAN))
    torch.testing.assert_close(Sat()(pair, unknown).total, Clip()(pair, unknown).total)
    ones = one_text_each(facts, findings=torch.zeros(5, 3))
    loss = Sat(alike=2.0, near=0.5)(pair, ones).total  # all normal, all left out
    assert loss.abs() < 1e-6
    assert torch.autograd.grad(loss, u)[0].abs().max() < 1e-6


def test_all_normal_and_encoded_alike_has_nothing_left_to_learn() -> None:
    facts = one_text_each(setting()[2], findings=torch.zeros(5, 3))
    u = torch.ones(5, 6, requires_grad=True)
    for positives in ("any", "each"):
        loss = Sat(positives=positives)(Pair(Encoded(u), Encoded(torch.ones(5, 6))), facts).total
        assert torch.autograd.grad(loss, u)[0].abs().max() < 1e-6


@pytest.mark.parametrize("by", ["findings", "report", "meaning"])
def test_thresholds_of_1_find_identical_studies(by: str) -> None:
    """In float32 the cosine of a vector with its copy is often 0.99999994."""
    g, rows = torch.Generator().manual_seed(0), torch.arange(128)
    findings = torch.zeros(64, 14)
    for row in findings:
        row[torch.randperm(14, generator=g)[: 1 + int(torch.randint(0, 6, (1,), generator=g))]] = 1
    vectors = findings if by == "findings" else torch.randn(64, 14, generator=g)
    vectors = vectors.repeat(2, 1)
    targets = {"study": rows, "owner": rows, "text": rows, "normal": rows < 0, by: vectors}
    pairs = Sat(by=by, alike=1.0, near=1.0).triage(Facts(rows, targets=targets), 128)
    same = (vectors[:, None] == vectors[None]).all(2)
    assert same.sum() >= 256
    assert torch.equal(pairs.positive, same)


def test_one_study() -> None:
    u, v, facts = setting()
    one = {k: x[:1] for k, x in one_text_each(facts, findings=torch.ones(5, 3)).targets.items()}
    loss = Sat()(Pair(Encoded(u[:1]), Encoded(v[:1])), Facts(facts.patient[:1], targets=one)).total
    assert loss == 0


def test_wrong_words_are_refused() -> None:
    for wrong in ({"by": "x"}, {"positives": "x"}, {"alike": 0.5, "near": 0.6}):
        with pytest.raises(ModelError, match="must"):
            Sat(**wrong)
