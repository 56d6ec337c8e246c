from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from asclip.errors import ModelError
from asclip.pretrain.local import local_similarity
from asclip.pretrain.multiscale.gloria import Gloria
from asclip.types import Encoded, Facts, Pair


def vectors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    regions = torch.randn(3, 9, 6, generator=g, requires_grad=True)
    words = torch.randn(5, 4, 6, generator=g, requires_grad=True)
    valid = torch.arange(4) < torch.tensor([4, 2, 1, 3, 4])[:, None]
    return regions, words, valid


def slow_similarity(regions, words, valid, *, official: bool) -> torch.Tensor:
    """Caption by caption, region context vectors formed in full."""
    v, w = F.normalize(regions, dim=-1), F.normalize(words, dim=-1)
    rows = []
    for i in range(len(v)):
        row = []
        for m in range(len(w)):
            own = w[m][valid[m]]  # [t, D]
            scores = own @ v[i].T  # [t, N]
            if official:
                scores = scores.softmax(0)
            context = (4.0 * scores).softmax(1) @ v[i]  # [t, D]
            cosine = F.cosine_similarity(own, context, dim=1)
            row.append((5.0 * cosine).exp().mean().log() / 5.0)
        rows.append(torch.stack(row))
    return torch.stack(rows)


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize(("room", "keep"), [(1, 0), (1, 100), (60, 200), (300, 0), (2**21, 2**21)])
def test_local_similarity_against_a_loop(official: bool, room: int, keep: int) -> None:
    regions, words, valid = vectors()
    fast = local_similarity(regions, words, valid, two_softmaxes=official, room=room, keep=keep)
    slow = slow_similarity(regions, words, valid, official=official)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((fast * weight).sum(), (regions, words), retain_graph=True)
    again = torch.autograd.grad((fast * weight).sum(), (regions, words))
    theirs = torch.autograd.grad((slow * weight).sum(), (regions, words))
    for a, b, c in zip(ours, again, theirs, strict=True):
        assert c.abs().max() > 1e-3
        torch.testing.assert_close(a, c, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(b, c, atol=1e-5, rtol=1e-4)  # what was kept is gone


def test_a_vector_without_length_and_half_precision() -> None:
    regions, words, valid = vectors()
    empty = regions.detach().clone()
    empty[0, 0] = 0.0
    with_zero = empty.requires_grad_()
    expected = slow_similarity(with_zero, words, valid, official=False)
    found = local_similarity(with_zero, words, valid)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), with_zero)
    assert torch.isfinite(gradient).all()

    half = regions.detach().bfloat16().requires_grad_()
    out = local_similarity(half, words, valid)
    assert out.dtype == torch.float32
    (small,) = torch.autograd.grad(out.sum(), half)
    whole = half.detach().float().requires_grad_()
    (large,) = torch.autograd.grad(local_similarity(whole, words, valid).sum(), whole)
    assert small.dtype == torch.bfloat16
    torch.testing.assert_close(small, large.bfloat16())


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("room", [1, 2**21])
def test_a_text_without_a_word_is_0_and_teaches_nothing(official: bool, room: int) -> None:
    regions, words, valid = vectors()
    none = valid.clone()
    none[[1, 4]] = False
    found = local_similarity(regions, words, none, two_softmaxes=official, room=room)
    slow = slow_similarity(regions, words[[0, 2, 3]], valid[[0, 2, 3]], official=official)
    assert (found[:, [1, 4]] == 0).all()
    torch.testing.assert_close(found[:, [0, 2, 3]], slow, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(found.sum(), (regions, words))
    for a, b in zip(ours, torch.autograd.grad(slow.sum(), (regions, words)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    nothing = local_similarity(regions, words, torch.zeros_like(valid), two_softmaxes=official)
    assert (nothing == 0).all()
    assert all((g == 0).all() for g in torch.autograd.grad(nothing.sum(), (regions, words)))


def test_a_text_without_a_word_leaves_the_loss_finite() -> None:
    regions, words, valid = vectors()
    rows, none = torch.arange(3), valid[:3].clone()
    none[1] = False
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    text = Encoded(words.mean(1)[:3], words[:3], none)
    objective = Gloria()
    loss = objective(Pair(Encoded(regions.mean(1), regions), text), facts).total
    leaves = [regions, words, objective.log_local_scale]
    assert all(torch.isfinite(g).all() for g in (loss, *torch.autograd.grad(loss, leaves)))


@pytest.mark.parametrize("official", [False, True])
def test_an_image_whose_regions_are_all_0_is_like_no_text_and_teaches_nothing(
    official: bool,
) -> None:
    regions, words, valid = vectors()
    empty = regions.detach().clone()
    empty[0] = 0.0
    empty.requires_grad_()
    found = local_similarity(empty, words, valid, two_softmaxes=official)
    slow = slow_similarity(empty[1:], words, valid, official=official)
    assert (found[0] == 0).all()
    torch.testing.assert_close(found[1:], slow, atol=1e-5, rtol=1e-5)
    ours = torch.autograd.grad(found.sum(), (empty, words))
    for a, b in zip(ours, torch.autograd.grad(slow.sum(), (empty, words)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("official", [False, True])
def test_a_context_without_length_has_no_gradient(official: bool) -> None:
    """Opposed regions cancel out in what a word attends to; next to it stands an ordinary image."""
    _, words, valid = vectors()
    regions = torch.eye(6)[[4, 4, 5, 5]] * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None]
    flat = words.detach() * torch.tensor([1.0, 1.0, 1.0, 1.0, 1e-6, 1e-6])
    both = torch.stack([regions, torch.randn(4, 6, generator=torch.Generator().manual_seed(2))])
    both.requires_grad_()
    flat.requires_grad_()
    found = local_similarity(both, flat, valid, two_softmaxes=official)
    assert found[0].abs().max() < 1e-6
    opposed, of_words = torch.autograd.grad(found.sum(), (both, flat))
    assert opposed[0].abs().max() == 0
    assert opposed[1].abs().max() > 1e-3
    alone = local_similarity(both[1:], flat, valid, two_softmaxes=official).sum()
    torch.testing.assert_close(of_words, torch.autograd.grad(alone, flat)[0])


def test_the_way_there_may_be_inside_autocast() -> None:
    regions, words, valid = vectors()
    wanted = local_similarity(regions, words, valid)
    with torch.autocast("cpu", torch.bfloat16):
        found = local_similarity(regions, words, valid)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("keep", [0, 2**21])
def test_the_way_back_may_be_inside_autocast(keep: int) -> None:
    regions, words, valid = vectors()
    wanted = torch.autograd.grad(local_similarity(regions, words, valid).sum(), (regions, words))
    found = local_similarity(regions, words, valid, keep=keep).sum()
    with torch.autocast("cpu", torch.bfloat16):
        ours = torch.autograd.grad(found, (regions, words))
    for a, b in zip(ours, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_there_is_no_second_derivative() -> None:
    regions, words, valid = vectors()
    weight = torch.ones(3, 5, requires_grad=True)
    found = (weight * local_similarity(regions, words, valid)).sum()
    (grad,) = torch.autograd.grad(found, regions, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.square().sum().backward()
    plain = local_similarity(regions, words, valid).sum()
    assert not torch.autograd.grad(plain, regions, create_graph=True)[0].requires_grad


def test_an_image_without_regions_is_refused() -> None:
    regions, words, valid = vectors()
    with pytest.raises(ValueError, match=r"at least one local vector, got \(3, 0, 6\)"):
        local_similarity(regions[:, :0], words, valid)


@pytest.mark.parametrize("wrong", [{"sharpness": 0.0}, {"sharpness": -1.0}, {"emphasis": 0.0}])
def test_what_a_softmax_divides_by_must_be_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(ModelError, match=f"{next(iter(wrong))} must be a positive number"):
        Gloria(**wrong)  # pyright: ignore[reportArgumentType]


def test_padding_changes_nothing() -> None:
    regions, words, valid = vectors()
    longer = torch.cat([words, torch.full((5, 3, 6), 9.0)], 1)
    mask = F.pad(valid, [0, 3])
    for two in (False, True):
        torch.testing.assert_close(
            local_similarity(regions, longer, mask, two_softmaxes=two),
            local_similarity(regions, words, valid, two_softmaxes=two),
        )


def test_global_plus_weighted_local() -> None:
    regions, words, valid = vectors()
    image = Encoded(regions.mean(1), regions)
    text = Encoded(words.mean(1)[:3], words[:3], valid[:3])
    rows = torch.arange(3)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    loss = Gloria(local_weight=0.5, temperature=0.1)(Pair(image, text), facts)
    cosine = F.normalize(image.pooled, dim=-1) @ F.normalize(text.pooled, dim=-1).T
    local = slow_similarity(regions, words[:3], valid[:3], official=False)

    def nce(z: torch.Tensor) -> torch.Tensor:
        return (F.cross_entropy(10 * z, rows) + F.cross_entropy(10 * z.T, rows)) / 2

    torch.testing.assert_close(loss.total, nce(cosine) + 0.5 * nce(local), atol=1e-5, rtol=1e-5)


def test_score_prefers_the_image_that_holds_the_word() -> None:
    """One region of the second image is the word itself; the global vectors are all alike."""
    word = torch.eye(6)[:1]
    regions = torch.eye(6)[1:5].repeat(2, 1, 1)
    regions[1, 2] = word[0]
    image = Encoded(torch.ones(2, 6), regions)
    score = Gloria().score(image, Encoded(torch.ones(1, 6), word[None]))
    assert score[1, 0] > score[0, 0] + 0.05


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(ModelError, match="variant must be 'paper' or 'official'"):
        Gloria(variant="theirs")


def test_local_vectors_are_required() -> None:
    rows = torch.arange(2)
    facts = Facts(rows, targets={"study": rows, "owner": rows, "text": rows})
    pair = Pair(Encoded(torch.ones(2, 3)), Encoded(torch.ones(2, 3)))
    with pytest.raises(ValueError, match="local vectors"):
        Gloria()(pair, facts)
