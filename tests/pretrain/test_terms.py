from __future__ import annotations

import pytest
import torch

from asclip.errors import ModelError
from asclip.pretrain.terms import Relation, contrast, log_scale, relation_needs, scale_of


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


def test_scale_is_bounded_as_in_clip() -> None:
    assert abs(scale_of(torch.tensor(10.0)).item() - 100.0) < 1e-3


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature must be a positive number"):
        log_scale(temperature)


def test_a_relation_that_is_not_known_is_refused() -> None:
    for words in (("positve", "negative"), ("neutral", "same")):
        with pytest.raises(ModelError, match="must be positive, neutral or negative"):
            relation_needs(*words)
