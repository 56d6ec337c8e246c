from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.clip import Clip
from asclip.types import Encoded, Facts, Pair


def embeddings(images: int, texts: int, width: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    u = torch.randn(images, width, generator=g, requires_grad=True)
    v = torch.randn(texts, width, generator=g, requires_grad=True)
    return u, v


def paired(count: int, patient: list[int] | None = None, text: list[int] | None = None) -> Facts:
    rows = torch.arange(count)
    return Facts(
        rows if patient is None else torch.tensor(patient),
        targets={
            "study": rows,
            "owner": rows,
            "text": rows if text is None else torch.tensor(text),
        },
    )


def check(loss: torch.Tensor, slow: torch.Tensor, *leaves: torch.Tensor) -> None:
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        assert b.abs().max() > 1e-5
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_one_text_a_study_is_the_published_infonce() -> None:
    u, v = embeddings(5, 5)
    loss = Clip(temperature=0.07)(Pair(Encoded(u), Encoded(v)), paired(5)).total
    logits = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.07
    here = torch.arange(5)
    check(loss, (F.cross_entropy(logits, here) + F.cross_entropy(logits.T, here)) / 2, u, v)


def test_convirt_weighs_the_directions() -> None:
    u, v = embeddings(5, 5)
    objective = Clip(text_weight=0.25, temperature=0.1, learn_temperature=False)
    loss = objective(Pair(Encoded(u), Encoded(v)), paired(5)).total
    logits = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.1
    here = torch.arange(5)
    slow = 0.75 * F.cross_entropy(logits, here) + 0.25 * F.cross_entropy(logits.T, here)
    check(loss, slow, u, v)
    assert not objective.log_scale.requires_grad


@pytest.mark.parametrize("same_text", ["positive", "neutral", "negative"])
@pytest.mark.parametrize("same_patient", ["positive", "neutral", "negative"])
def test_relations_against_a_loop(same_text: str, same_patient: str) -> None:
    """Several texts a study, shared texts and patients: pair by pair, as a person would write."""
    u, v = embeddings(4, 6)
    owner, text, patient = [0, 0, 1, 2, 3, 3], [10, 11, 12, 10, 13, 14], [7, 8, 7, 9]
    facts = Facts(
        torch.tensor(patient),
        targets={
            "study": torch.arange(4),
            "owner": torch.tensor(owner),
            "text": torch.tensor(text),
        },
    )
    objective = Clip(temperature=0.5, same_text=same_text, same_patient=same_patient)
    loss = objective(Pair(Encoded(u), Encoded(v)), facts).total
    z = F.normalize(u, dim=1) @ F.normalize(v, dim=1).T / 0.5

    def kind(i: int, m: int) -> str:
        said = {text[k] for k in range(6) if owner[k] == i}
        kinds = {"positive"} if owner[m] == i else set()
        kinds |= {same_text} if text[m] in said else set()
        kinds |= {same_patient} if patient[owner[m]] == patient[i] else set()
        return next((k for k in ("positive", "neutral") if k in kinds), "negative")

    total = torch.zeros(())
    once = [m for m in range(6) if same_text != "positive" or text.index(text[m]) == m]
    rows = [[(z[i, m], kind(i, m)) for m in once] for i in range(4)]
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        for line in lines:
            kept = torch.stack([value for value, k in line if k != "neutral"])
            true = [value for value, k in line if k == "positive"]
            each = sum(torch.logsumexp(kept, 0) - value for value in true) / len(true)
            total = total + each / len(lines) / 2
    check(loss, total, u, v)


def test_a_repeated_normal_report_is_not_punished() -> None:
    """Ten studies with one and the same text, encoded alike: nothing is left to separate."""
    u, v = embeddings(1, 1)
    pair = Pair(Encoded(u.expand(10, 6)), Encoded(v.expand(10, 6)))
    for same_text, wanted in (("positive", 0.0), ("neutral", 0.0), ("negative", math.log(10))):
        parts = Clip(same_text=same_text)(pair, paired(10, text=[5] * 10)).parts
        assert parts["image_to_text"].item() == pytest.approx(wanted, abs=1e-5)
