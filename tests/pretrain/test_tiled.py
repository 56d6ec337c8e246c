from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain import clip as clip_module
from asclip.pretrain.clip import Clip
from asclip.pretrain.terms import RELATIONS, Relation, contrast, relation, unit
from asclip.pretrain.tiled import SAFE, Pairs, pairs_of, tiled_contrast
from asclip.types import Encoded, Facts, Pair

BOTH = list(itertools.product(RELATIONS, RELATIONS))


def facts_of(studies: int, texts: int, seed: int = 0) -> Facts:
    """Studies in a shuffled order; texts of some of them and of nobody, many of them alike."""
    g = torch.Generator().manual_seed(seed)
    study = 100 + torch.randperm(studies, generator=g)
    owner = study[torch.randint(0, max(1, studies - 3), (texts,), generator=g)]
    owner[torch.rand(texts, generator=g) < 0.2] = -1
    return Facts(
        torch.randint(0, max(1, studies // 3), (studies,), generator=g),
        targets={
            "study": study,
            "owner": owner,
            "text": torch.randint(0, texts // 2 + 1, (texts,), generator=g) * 7,
        },
    )


def whole(pairs: Pairs, rows: int, tile: int) -> tuple[Tensor, Tensor]:
    """Both masks [B, U] from the tiles."""
    columns = len(pairs.texts)
    masks = torch.zeros(2, rows, columns, dtype=torch.bool)
    for i, m in itertools.product(range(0, rows, tile), range(0, columns, tile)):
        r, c = slice(i, min(i + tile, rows)), slice(m, min(m + tile, columns))
        for k, mask in enumerate(pairs.tile(r, c)):
            if mask is not None:
                masks[k, r, c] = mask
    return masks[0], masks[1]


def vectors(images: int, texts: int, scale: float) -> list[Tensor]:
    g = torch.Generator().manual_seed(1)
    return [
        torch.randn(images, 6, generator=g, requires_grad=True),
        torch.randn(texts, 6, generator=g, requires_grad=True),
        torch.tensor(scale, requires_grad=True),
    ]


def same(ours: tuple[Tensor, Tensor], plain: tuple[Tensor, Tensor], leaves: list[Tensor]) -> None:
    """Values and gradients of both directions, and of a mean of them that is not even."""
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    for w in ((1.0, 0.0), (0.0, 1.0), (0.75, 0.25)):
        got, wanted = (
            torch.autograd.grad(w[0] * a + w[1] * b, leaves, retain_graph=True)
            for a, b in (ours, plain)
        )
        for x, y in zip(got, wanted, strict=True):
            assert torch.isfinite(x).all()
            torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("same_text", "same_patient"), BOTH)
@pytest.mark.parametrize(("studies", "texts", "tile"), [(13, 31, 5), (9, 4, 4), (17, 17, 64)])
def test_tiles_of_the_relation(
    studies: int, texts: int, tile: int, same_text: str, same_patient: str
) -> None:
    for seed in range(4):
        facts = facts_of(studies, texts, seed)
        words = {"same_text": same_text, "same_patient": same_patient}
        pairs, plain = pairs_of(facts, texts, **words), relation(facts, texts, **words)
        assert torch.equal(pairs.texts, plain.texts)
        positive, neutral = whole(pairs, studies, tile)
        assert torch.equal(positive, plain.positive)
        assert torch.equal(neutral, plain.neutral)


def test_without_owners_row_belongs_to_row() -> None:
    facts = Facts(torch.arange(5) // 2, targets={"text": torch.tensor([3, 3, 1, 1, 1, 2, 9])})
    for same_text, same_patient in BOTH:
        words = {"same_text": same_text, "same_patient": same_patient}
        plain = relation(facts, 7, **words)
        positive, neutral = whole(pairs_of(facts, 7, **words), 5, 3)
        assert torch.equal(positive, plain.positive)
        assert torch.equal(neutral, plain.neutral)


@pytest.mark.parametrize("scale", [0.0, 5.0, 14.3, 90.0])  # the last one is past `SAFE`
@pytest.mark.parametrize(("same_text", "same_patient"), BOTH)
def test_equals_the_whole_matrix(scale: float, same_text: str, same_patient: str) -> None:
    facts = facts_of(23, 37)
    image, text, factor = vectors(23, 37, scale)
    words = {"same_text": same_text, "same_patient": same_patient}
    plain, pairs = relation(facts, 37, **words), pairs_of(facts, 37, **words)
    counts = plain.positive.sum(1)
    assert (counts == 0).any()
    assert (counts > 1).any()
    u, v = unit(image), unit(text[plain.texts])
    slow = contrast(factor * u @ v.T, plain)
    for tile in (7, 10, 64):
        same(tiled_contrast(u, v, factor, pairs, tile=tile), slow, [image, text, factor])


@pytest.mark.parametrize("scale", [10.0, 100.0])
def test_one_to_one(scale: float) -> None:
    image, text, factor = vectors(19, 19, scale)
    u, v = unit(image), unit(text)
    facts = Facts(torch.arange(19))
    one = torch.eye(19, dtype=torch.bool)
    slow = contrast(factor * u @ v.T, Relation(one, ~one & one, torch.arange(19)))
    pairs = pairs_of(facts, 19, same_text="negative")
    same(tiled_contrast(u, v, factor, pairs, tile=8), slow, [image, text, factor])


def test_long_vectors_do_not_overflow() -> None:
    image, text, factor = vectors(8, 8, 1.0)
    u, v = 20 * unit(image), 20 * unit(text)
    assert 400 > SAFE
    loss = tiled_contrast(u, v, factor, pairs_of(Facts(torch.arange(8)), 8, same_text="negative"))
    one = torch.eye(8, dtype=torch.bool)
    slow = contrast(factor * u @ v.T, Relation(one, ~one & one, torch.arange(8)))
    for a, b in zip(loss, slow, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("scale", [10.0, 100.0])
def test_a_row_of_neutral_pairs_alone_is_not_nan(scale: float) -> None:
    facts = Facts(
        torch.tensor([0, 0, 1]),
        targets={"study": torch.tensor([1, 2, 3]), "owner": torch.tensor([1, 1])},
    )
    words = {"same_text": "negative", "same_patient": "neutral"}
    image, text, factor = vectors(3, 2, scale)
    plain = relation(facts, 2, **words)
    assert plain.neutral.all(1).any()
    slow = contrast(factor * unit(image) @ unit(text).T, plain)
    ours = tiled_contrast(unit(image), unit(text), factor, pairs_of(facts, 2, **words), tile=2)
    same(ours, slow, [image, text, factor])


@pytest.mark.parametrize(("same_text", "same_patient"), BOTH)
def test_clip_in_tiles_is_clip(same_text: str, same_patient: str) -> None:
    facts = facts_of(23, 37)
    image, text, _ = vectors(23, 37, 1.0)
    pair, losses, grads = Pair(Encoded(image), Encoded(text)), [], []
    for tile in (0, 6):
        objective = Clip(
            same_text=same_text, same_patient=same_patient, tile=tile, text_weight=0.25
        )
        loss = objective(pair, facts)
        losses.append(torch.stack([loss.total, *loss.parts.values()]))
        grads.append(torch.autograd.grad(loss.total, [image, text, objective.log_scale]))
    torch.testing.assert_close(losses[1], losses[0], atol=1e-5, rtol=1e-5)
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_many_pairs_are_tiled_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "FULL", 99)
    monkeypatch.setattr(clip_module, "relation", None)  # a call of it would fail
    image, text, _ = vectors(10, 10, 1.0)
    pair = Pair(Encoded(image), Encoded(text))
    loss = Clip()(pair, facts_of(10, 10))
    assert torch.isfinite(loss.total)
    with pytest.raises(TypeError):
        Clip()(Pair(Encoded(image[:9]), Encoded(text)), facts_of(9, 10))


def test_a_tile_is_not_negative() -> None:
    with pytest.raises(ModelError, match="tile must not be negative"):
        Clip(tile=-1)
