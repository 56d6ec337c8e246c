from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.multiscale.imitate import Imitate
from asclip.types import Encoded, Facts, Pair

OWNER, TEXT, PATIENT = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]
SECOND = [20, 21, 22, 20]


def setting(has: list[bool]) -> tuple[dict[str, torch.Tensor], Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    shapes = {"pooled": (4, 8), "local": (4, 5, 8), "text": (6, 8), "second": (4, 8)}
    x = {k: torch.randn(shape, generator=g) for k, shape in shapes.items()}
    x["text"][3] = x["text"][0]  # the same text
    x["second"][3] = x["second"][0]
    x = {k: value.requires_grad_() for k, value in x.items()}
    pair = Pair(
        Encoded(x["pooled"], x["local"]), Encoded(x["text"]), {"second": Encoded(x["second"])}
    )
    targets = {
        "study": torch.arange(4),
        "owner": torch.tensor(OWNER),
        "text": torch.tensor(TEXT),
        "report": F.normalize(torch.randn(4, 6, generator=g), dim=1),
        "has_second": torch.tensor(has),
        "second": torch.tensor(SECOND),
    }
    return x, pair, Facts(torch.tensor(PATIENT), targets=targets)


def objective(**more) -> Imitate:
    torch.manual_seed(0)
    return Imitate(8, strength=0.7, rate=0.9, temperature=0.5, **more)


@pytest.mark.parametrize("same_text", ["positive", "negative"])
@pytest.mark.parametrize("same_patient", ["neutral", "negative"])
def test_both_terms_pair_by_pair(same_text: str, same_patient: str) -> None:
    has = [True, False, True, True]
    x, pair, facts = setting(has)
    ours = objective(findings_weight=0.6, same_text=same_text, same_patient=same_patient)
    loss = ours(pair, facts).total
    report = facts.targets["report"]

    def soft(i: int, j: int) -> float:
        rho = float(torch.corrcoef(torch.stack([report[i], report[j]]))[0, 1])
        return 0.7 * (1 - math.exp(-0.9 * max(rho, 0)))

    def cicl(a: torch.Tensor, b: torch.Tensor, writers: list[list[int]], rows: list[int]):
        table = []
        for i in rows:
            line = []
            for m, who in enumerate(writers):
                z = F.cosine_similarity(a[i], b[m], dim=0) / 0.5
                if i in who:
                    line.append((z, 1.0))
                elif same_patient == "negative" or PATIENT[i] not in {PATIENT[j] for j in who}:
                    line.append((z, sum(soft(i, j) for j in who) / len(who)))
                else:
                    line.append((z, None))
            table.append(line)
        total = torch.zeros(())
        for lines in (table, [list(column) for column in zip(*table, strict=True)]):
            for line in lines:
                kept = [(z, w) for z, w in line if w is not None]
                log = torch.logsumexp(torch.stack([z for z, _ in kept]), 0)
                each = sum(w * (log - z) for z, w in kept) / sum(w for _, w in kept)
                total = total + each / len(lines) / 2
        return total

    finer = [ours.levels(x["pooled"][i : i + 1], x["local"][i : i + 1])[0][0, 0] for i in range(4)]
    once = [m for m in range(6) if same_text != "positive" or TEXT.index(TEXT[m]) == m]
    writers = [
        [OWNER[k] for k in range(6) if TEXT[k] == TEXT[m] and (same_text == "positive" or k == m)]
        for m in once
    ]
    findings = cicl(torch.stack(finer), x["text"][once], writers, [0, 1, 2, 3])
    there = [i for i in range(4) if has[i]]
    alone = [i for i in there if same_text != "positive" or SECOND.index(SECOND[i]) == i]
    tellers = [
        [k for k in there if k == i or (same_text == "positive" and SECOND[k] == SECOND[i])]
        for i in alone
    ]
    impression = cicl(x["pooled"], x["second"][alone], tellers, there)
    slow = impression + 0.6 * findings
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    leaves = [*x.values(), *ours.levels.layers.parameters()]
    grads = (torch.autograd.grad(y, leaves, allow_unused=True) for y in (loss, slow))
    for a, b in zip(*grads, strict=True):
        if b is not None:
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_studies_with_equal_impressions_do_not_push_each_other() -> None:
    """Four normal studies whose images have long met the one impression of all."""
    _, pair, facts = setting([True] * 4)
    same = {"text": torch.zeros(6, dtype=torch.long), "second": torch.zeros(4, dtype=torch.long)}
    facts = Facts(facts.patient, targets={**facts.targets, **same})
    pooled = torch.ones(4, 8).requires_grad_()
    image, second = Encoded(pooled, pair.image.local), {"second": Encoded(torch.ones(4, 8))}
    loss = objective(findings_weight=0.0)(Pair(image, pair.text, second), facts)
    # No image chooses among copies of its text; one text stands beside four images.
    assert loss.parts["impression"].item() == pytest.approx(math.log(4) / 2, abs=1e-6)
    apart = objective(findings_weight=0.0, same_text="negative")
    parts = apart(Pair(image, pair.text, second), facts).parts
    assert parts["impression"].item() == pytest.approx(math.log(4), abs=1e-6)


def test_a_missing_impression_is_not_looked_at() -> None:
    x, pair, facts = setting([True, False, True, True])
    ours = objective()
    loss = ours(pair, facts).total
    assert (torch.autograd.grad(loss, x["second"], retain_graph=True)[0][1] == 0).all()
    with torch.no_grad():
        x["second"][1] = 9.0
    torch.testing.assert_close(ours(pair, facts).total, loss)


def test_nobody_has_an_impression() -> None:
    x, pair, facts = setting([False] * 4)
    loss = objective()(pair, facts)
    assert loss.parts["impression"] == 0
    torch.testing.assert_close(loss.total.detach(), loss.parts["findings"])
    assert (torch.autograd.grad(loss.total, x["second"])[0] == 0).all()


def test_one_study() -> None:
    _, pair, facts = setting([True] * 4)
    one = Facts(facts.patient[:1], targets={k: v[:1] for k, v in facts.targets.items()})
    image = Encoded(pair.image.pooled[:1], pair.image.local[:1])
    second = {"second": Encoded(pair.others["second"].pooled[:1])}
    loss = objective()(Pair(image, Encoded(pair.text.pooled[:1]), second), one).total
    assert loss.abs() < 1e-6


def test_score_is_the_mean_of_both_levels() -> None:
    _, pair, _ = setting([True] * 4)
    ours = objective()
    score = ours.score(pair.image, pair.text)
    fine = ours.finer(pair.image)[2]
    mean = F.cosine_similarity(pair.image.pooled[2], pair.text.pooled[5], dim=0)
    mean = (mean + F.cosine_similarity(fine, pair.text.pooled[5], dim=0)) / 2
    torch.testing.assert_close(score[2, 5], mean.detach())
    with pytest.raises(ValueError, match="local vectors"):
        ours.finer(Encoded(pair.image.pooled))
