from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.supervised import Supervised
from asclip.types import Encoded, Facts, Pair


def test_unknown_labels_do_not_count() -> None:
    nan = float("nan")
    labels = torch.tensor([[1.0, nan], [0.0, 1.0], [nan, nan]])
    image = Encoded(torch.randn(3, 4, requires_grad=True))
    objective = Supervised(4, ("a", "b"))
    loss = objective(Pair(image, image), Facts(torch.arange(3), labels)).total
    z = objective.classify(image)
    known = torch.stack([z[0, 0], z[1, 0], z[1, 1]])
    slow = F.binary_cross_entropy_with_logits(known, torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(loss, slow)
    (grad,) = torch.autograd.grad(loss, image.pooled)
    assert grad[2].abs().max() == 0
    assert grad[0].abs().max() > 0


def test_no_labels_is_said() -> None:
    with pytest.raises(ValueError, match="at least one label"):
        Supervised(4, ())
    image = Encoded(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"needs facts\.labels"):
        Supervised(4, ("a",))(Pair(image, image), Facts(torch.arange(2)))
