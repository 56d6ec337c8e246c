from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.pretrain.multiscale.masked import MaskedRecords
from asclip.types import Encoded, Facts, Pair

NOTHING = Encoded(torch.zeros(0))


def setting() -> tuple[torch.Tensor, torch.Tensor, Pair, Facts]:
    g = torch.Generator().manual_seed(0)
    image = torch.randn(3, 5, 8, generator=g, requires_grad=True)
    text = torch.randn(3, 4, 8, generator=g, requires_grad=True)
    valid = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    targets = {
        "patches": torch.randn(3, 5, 6, generator=g) * 3 + 1,
        "holes": torch.tensor([[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool(),
        "words": torch.randint(0, 11, (3, 4), generator=g),
        "gaps": torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]).bool(),
    }
    masked, gapped = Encoded(image.mean(1), image), Encoded(text.mean(1), text, valid)
    pair = Pair(NOTHING, NOTHING, {"masked": masked, "gapped": gapped})
    return image, text, pair, Facts(torch.arange(3), targets=targets)


def objective(**more) -> MaskedRecords:
    torch.manual_seed(0)
    return MaskedRecords(8, pixels=6, vocabulary=11, layers=2, **more)


@pytest.mark.parametrize("normalise", [False, True])
def test_patch_by_patch_and_word_by_word(normalise: bool) -> None:
    image, text, pair, facts = setting()
    ours = objective(image_weight=0.7, text_weight=0.4, normalise=normalise)
    loss = ours(pair, facts).total
    t = facts.targets
    errors, surprises = [], []
    for i in range(3):
        seen = image[i][~t["holes"][i]]  # only what is visible, without a mask
        for n in t["holes"][i].nonzero()[:, 0]:
            vector = ours.image_decoder(image[i, n][None], seen[None])[0][0, 0]
            patch = t["patches"][i, n]
            if normalise:
                patch = (patch - patch.mean()) / (patch.var(unbiased=False) + 1e-6).sqrt()
            errors.append(((ours.pixels(vector) - patch) ** 2).mean())
        words = text[i][pair.others["gapped"].valid[i]] + ours.image_to_text(seen.mean(0))
        logits = ours.words(ours.text_decoder(words[None], words[None])[0][0])
        for k in t["gaps"][i].nonzero()[:, 0]:
            surprises.append(F.cross_entropy(logits[k], t["words"][i, k]))
    slow = 0.7 * sum(errors) / len(errors) + 0.4 * sum(surprises) / len(surprises)
    torch.testing.assert_close(loss, slow, atol=1e-5, rtol=1e-5)
    leaves = [image, text, *ours.parameters()]
    for a, b in zip(
        torch.autograd.grad(loss, leaves), torch.autograd.grad(slow, leaves), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert torch.autograd.grad(ours(pair, facts).total, image)[0].abs().max() > 1e-4


def test_what_is_visible_is_no_target() -> None:
    _, _, pair, facts = setting()
    ours, t = objective(), facts.targets
    other = {
        **t,
        "patches": torch.where(t["holes"][..., None], t["patches"], 99.0),
        "words": torch.where(t["gaps"], t["words"], 0),
    }
    torch.testing.assert_close(
        ours(pair, Facts(facts.patient, targets=other)).total, ours(pair, facts).total
    )


@pytest.mark.parametrize("fill", [False, True])
def test_nothing_hidden_and_everything_hidden(fill: bool) -> None:
    image, _, pair, facts = setting()
    full = {k: torch.full_like(facts.targets[k], fill) for k in ("holes", "gaps")}
    loss = objective()(pair, Facts(facts.patient, targets={**facts.targets, **full})).total
    (grad,) = torch.autograd.grad(loss, image)
    assert torch.isfinite(grad).all()
    assert (loss == 0) == (not fill)


def test_local_vectors_are_required() -> None:
    _, _, pair, facts = setting()
    bare = {k: Encoded(e.pooled) for k, e in pair.others.items()}
    with pytest.raises(ValueError, match="local vectors"):
        objective()(Pair(NOTHING, NOTHING, bare), facts)
