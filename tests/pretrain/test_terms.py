from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.pretrain.multiscale.mgca import Mgca
from asclip.pretrain.multiscale.tier import Tier
from asclip.pretrain.terms import (
    Relation,
    by_study,
    contrast,
    owners,
    relation,
    relation_needs,
)
from asclip.types import Encoded, Facts, Pair


def test_a_row_without_positives_does_not_count() -> None:
    positive = torch.tensor([[True, False], [False, False]])
    logits = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
    rows, columns = contrast(
        logits, Relation(positive, torch.zeros_like(positive), torch.arange(2))
    )
    torch.testing.assert_close(rows, torch.logsumexp(logits[0], 0) - 2.0)
    torch.testing.assert_close(columns, torch.logsumexp(logits[:, 0], 0) - 2.0)


def test_neutral_pairs_leave_the_denominator() -> None:
    positive = torch.eye(2, dtype=torch.bool)
    neutral = torch.tensor([[False, True], [False, False]])
    logits = torch.tensor([[2.0, 50.0], [0.0, 1.0]], requires_grad=True)
    rows, _ = contrast(logits, Relation(positive, neutral, torch.arange(2)))
    torch.testing.assert_close(rows, (torch.zeros(()) + torch.logsumexp(logits[1], 0) - 1.0) / 2)
    (grad,) = torch.autograd.grad(rows, logits)
    assert grad[0, 1] == 0


def test_a_relation_that_is_not_known_is_refused() -> None:
    for words in (("positve", "negative"), ("neutral", "same")):
        with pytest.raises(ModelError, match="must be positive, neutral or negative"):
            relation_needs(*words)


@pytest.mark.parametrize("same_patient", ["neutral", "positive"])
def test_no_copy_of_a_text_is_pushed_away_where_another_is_not(same_patient: str) -> None:
    """Studies 0 and 1 say the same, 1 and 2 are of one patient: no copy is a foe of 2."""
    rows = torch.arange(3)
    targets = {"study": rows, "owner": rows, "text": torch.tensor([5, 5, 6])}
    facts = Facts(torch.tensor([1, 2, 2]), targets=targets)
    pairs = relation(facts, 3, same_text="neutral", same_patient=same_patient)
    found = pairs.neutral if same_patient == "neutral" else pairs.positive
    assert found[2, :2].tolist() == [True, True]
    logits = torch.zeros(3, 3, requires_grad=True)
    (grad,) = torch.autograd.grad(contrast(logits, pairs)[0], logits)
    assert (grad[2, :2] <= 0).all()


def test_without_owned_texts_a_study_has_one_place_that_is_empty() -> None:
    facts = Facts(torch.arange(2), targets={"study": torch.arange(2), "owner": torch.tensor([-1])})
    padded, valid = by_study(torch.ones(1, 3), facts, 2)
    assert padded.tolist() == [[[0.0] * 3]] * 2
    assert not valid.any()


def test_a_text_of_nobody_has_no_owner_and_no_study() -> None:
    facts = Facts(
        torch.tensor([0, 1]),
        targets={"study": torch.tensor([5, 6]), "owner": torch.tensor([6, -1, 5, 6])},
    )
    values = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    padded, valid = by_study(values, facts, 2)
    assert owners(facts, 4).tolist() == [1, -1, 0, 1]
    assert padded[..., 0].tolist() == [[3.0, 0.0], [1.0, 4.0]]
    assert valid.tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize(
    "part", [lambda *x: Mgca(6).tokens(*x), lambda *x: Tier().entropies(*x)], ids=["mgca", "tier"]
)
def test_terms_inside_a_pair_leave_texts_of_nobody_out(part) -> None:
    g = torch.Generator().manual_seed(0)
    patches, words = torch.randn(2, 4, 6, generator=g), torch.randn(3, 5, 6, generator=g)
    image = Encoded(patches.mean(1), patches)

    def terms(owner: list[int], rows: list[int]) -> list[float]:
        targets = {"study": torch.tensor([5, 6]), "owner": torch.tensor(owner)}
        text = Encoded(words[rows].mean(1), words[rows])
        return [float(x) for x in part(Pair(image, text), Facts(torch.arange(2), targets=targets))]

    assert terms([5, -1, 6], [0, 1, 2]) == pytest.approx(terms([5, 6], [0, 2]), abs=1e-6)
    assert terms([-1, -1], [0, 1]) == [0.0, 0.0]
