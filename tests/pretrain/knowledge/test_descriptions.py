from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.clip import Clip
from asclip.pretrain.knowledge.descriptions import Descriptions
from asclip.types import Encoded, Facts, Pair

NAN = float("nan")
FINDINGS = [[1, 1, 0, NAN], [NAN, 1, 0, 0], [0, 0, 0, 0], [NAN, NAN, NAN, NAN]]


def sample() -> tuple[Pair, Facts, list[torch.Tensor]]:
    """Nobody has finding 2; study 2 is normal, of study 3 nothing is stated."""
    g = torch.Generator().manual_seed(0)
    leaves = [torch.randn(4, 6, generator=g, requires_grad=True) for _ in range(3)]
    image, definitions, text = leaves
    rows = torch.arange(4)
    targets = {"study": rows, "owner": rows, "text": rows, "findings": torch.tensor(FINDINGS)}
    pair = Pair(Encoded(image), Encoded(text), {"definitions": Encoded(definitions)})
    return pair, Facts(rows, targets=targets), leaves


@pytest.mark.parametrize("unknown", ["neutral", "negative"])
def test_the_formula_against_a_loop(unknown: str) -> None:
    pair, facts, leaves = sample()
    loss = Descriptions(unknown=unknown, temperature=0.5, clip_weight=0.5)(pair, facts).total
    image, definitions, _ = leaves
    z = 2 * F.normalize(image, dim=1) @ F.normalize(definitions, dim=1).T
    total = 0.5 * Clip(temperature=0.5)(pair, facts).total
    rows = [[(z[i, f], FINDINGS[i][f]) for f in range(4)] for i in range(4)]
    for lines in (rows, [list(column) for column in zip(*rows, strict=True)]):
        lines = [line for line in lines if any(truth == 1 for _, truth in line)]
        for line in lines:
            kept = [v for v, truth in line if truth == truth or unknown == "negative"]
            true = [v for v, truth in line if truth == 1]
            each = sum(torch.logsumexp(torch.stack(kept), 0) - v for v in true) / len(true)
            total = total + each / len(lines) / 2
    torch.testing.assert_close(loss, total, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(loss, leaves)
    for a, b in zip(ours, torch.autograd.grad(total, leaves), strict=True):
        assert b.abs().max() > 1e-4
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_scale_is_that_of_the_texts_there_are() -> None:
    for weight, wanted in ((1.0, 20.0), (0.0, 5.0)):
        objective = Descriptions(clip_weight=weight)
        with torch.no_grad():
            objective.log_scale.fill_(20.0).log_()
            objective.log_description_scale.fill_(5.0).log_()
        assert objective.scale.item() == pytest.approx(wanted)


def test_what_is_not_stated_is_not_pushed() -> None:
    pair, facts, (image, definitions, _) = sample()
    loss = Descriptions(clip_weight=0.0)(pair, facts).total
    of_images, of_texts = torch.autograd.grad(loss, (image, definitions))
    assert of_images[3].abs().max() == 0
    assert of_images[0].abs().max() > 0
    assert of_texts.abs().max() > 0


def test_nothing_stated_is_clip() -> None:
    pair, facts, leaves = sample()
    empty = {"findings": torch.full((4, 4), NAN)}
    loss = Descriptions()(pair, Facts(facts.patient, targets=dict(facts.targets) | empty)).total
    torch.testing.assert_close(loss, Clip()(pair, facts).total)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, leaves))


@pytest.mark.parametrize("rows", [1, 4])
def test_normal_studies_alone_have_no_positive(rows: int) -> None:
    pair, facts, leaves = sample()
    normal = dict(facts.targets) | {"findings": torch.zeros(rows, 4)}
    one = Pair(Encoded(leaves[0][:rows]), pair.text, pair.others)
    loss = Descriptions(clip_weight=0.0)(one, Facts(facts.patient[:rows], targets=normal)).total
    assert loss.item() == 0
    assert torch.autograd.grad(loss, leaves[0])[0].abs().max() == 0


def test_what_is_wrong_is_said() -> None:
    pair, facts, _ = sample()
    with pytest.raises(ModelError, match="unknown must be 'neutral' or 'negative'"):
        Descriptions(unknown="absent")
    two = Pair(pair.image, pair.text, {"definitions": Encoded(torch.ones(2, 6))})
    with pytest.raises(ValueError, match="4 findings needs a definition, got 2"):
        Descriptions()(two, facts)
