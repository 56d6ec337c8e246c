from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import ModelError
from asclip.files.preprocessing import Preprocessing
from asclip.tasks.classification.zero_shot import log_odds
from asclip.towers.image import ImageConfig, image_tower
from asclip.towers.model import Model
from asclip.towers.pair import DualEncoder
from asclip.towers.text import TextConfig, text_tower
from asclip.towers.tokenizer import Tokenizer
from asclip.trust.adversarial import direction, logits, moved
from asclip.types import Encoded

CLASSES = {
    "mass": ClassPrompts(("There is a mass.", "Mass."), ("No mass.",)),
    "nodule": ClassPrompts(("Nodule.",)),
    "effusion": ClassPrompts(("Effusion.",), ("No effusion.", "Dry.")),
}
SEVERAL = PromptSet("toy", "1", "multi-label", CLASSES)
SINGLE = replace(SEVERAL, kind="single-label", column="kind")


def model(channels: int = 1, *, locked: bool = False) -> Model:
    torch.manual_seed(0)
    mean = (0.5,) * channels
    how = Preprocessing(size=(32, 32), channels=channels, mean=mean, std=(0.25,) * channels)
    words = [text for c in CLASSES.values() for text in (*c.positive, *c.negative)]
    tokenizer = Tokenizer.train(words * 3)
    image = image_tower(
        ImageConfig("micro", width=16, channels=channels, size=(32, 32), locked=locked)
    )
    text = text_tower(TextConfig("words", width=16, vocabulary=tokenizer.vocabulary))
    return Model(DualEncoder(image, text), tokenizer, how, scale=7.0)


def items(count: int = 6, channels: int = 1) -> np.ndarray:
    shape = (count, 32, 32) if channels == 1 else (count, 32, 32, 3)
    return np.random.default_rng(0).integers(5, 250, shape, dtype=np.uint8)


def truth(count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (count, 3)).astype(float)


def test_the_logits_are_those_of_zero_shot() -> None:
    one = model()
    images = one.encode_pixels(items())
    found = logits(one, images, SEVERAL).numpy()
    np.testing.assert_allclose(
        found[:, [0, 2]], log_odds(one, images, SEVERAL)[:, [0, 2]], atol=1e-4
    )
    shares = torch.softmax(logits(one, images, SINGLE), 1).numpy()
    wanted = 1 / (1 + np.exp(-log_odds(one, images, SINGLE)))
    np.testing.assert_allclose(shares, wanted, atol=1e-5)


def test_a_score_of_its_own_is_asked() -> None:
    one = model()
    one.scorer = lambda image, text: 3 * image.pooled @ text.pooled.T
    images = one.encode_pixels(items())
    found = logits(one, images, SEVERAL).numpy()
    np.testing.assert_allclose(
        found[:, [0, 2]], log_odds(one, images, SEVERAL)[:, [0, 2]], atol=1e-4
    )
    one.scores_existence = True
    found = logits(one, images, SEVERAL).numpy()
    np.testing.assert_allclose(found, log_odds(one, images, SEVERAL), atol=1e-4)


@pytest.mark.parametrize(("channels", "locked"), [(1, False), (3, False), (1, True)])
def test_the_step_goes_uphill_and_further_than_chance(channels: int, locked: bool) -> None:
    one, known, films = model(channels, locked=locked), truth(), items(channels=channels)
    signs = direction(one, films, known, SEVERAL, batch=4)
    assert signs.shape == films.shape
    assert (signs != 0).mean() > 0.5

    def loss(pixels: np.ndarray) -> np.ndarray:
        scores = logits(one, one.encode_pixels(pixels), SEVERAL)
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, torch.from_numpy(known).float(), reduction="none"
        )
        return each.mean(1).numpy()

    coin = np.random.default_rng(2).integers(0, 2, films.shape, np.int8) * 2 - 1
    up, by_chance = (
        loss(moved(films, signs, 2)) - loss(films),
        loss(moved(films, coin, 2)) - loss(films),
    )
    assert (up > 0).all()
    assert up.mean() > 5 * np.abs(by_chance).mean()
    assert (loss(moved(films, signs, -2)) < loss(films)).all()


def test_a_pixel_at_a_time_the_loss_changes_as_its_sign_says() -> None:
    one, known, films = model(), truth(2), items(2)
    signs = direction(one, films, known, SEVERAL)
    one.encoder.double()
    for row, y, x in np.random.default_rng(3).integers((2, 32, 32), size=(12, 3)):
        up, down = (slow_loss(one, films, known, (row, y, x), step) for step in (0.5, -0.5))
        assert np.sign(up - down) == signs[row, y, x]


def slow_loss(
    one: Model, films: np.ndarray, known: np.ndarray, at: tuple[int, int, int], step: float
) -> float:
    """The loss with one pixel moved by `step` grey levels, in float64."""
    pixels = films.astype(np.float64)
    pixels[at] += step
    x = torch.from_numpy((pixels / 255 - 0.5) / 0.25)[:, None]
    with torch.no_grad():
        image = one.encoder.image(x, local=False)
        scores = logits(one, Encoded(image.pooled), SEVERAL)
        wanted = torch.from_numpy(known)
        return float(torch.nn.functional.binary_cross_entropy_with_logits(scores, wanted))


def test_unknown_labels_and_unasked_ones_move_nothing() -> None:
    one, films, known = model(), items(), truth()
    known[2] = np.nan
    signs = direction(one, films, known, SEVERAL)
    assert not signs[2].any()
    assert signs[3].any()
    one_hot = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    one_hot[4] = np.nan
    assert [bool(s.any()) for s in direction(one, films, one_hot, SINGLE)] == [
        True, True, True, True, False, True,
    ]  # fmt: skip


class Own:
    """An objective's own score, which keeps no graph."""

    @torch.no_grad()
    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        return image.pooled @ text.pooled.T

    def hidden(self, image: Encoded, text: Encoded) -> torch.Tensor:
        return self.score(image, text)


def test_a_score_that_keeps_no_graph_is_attacked_without_its_guard() -> None:
    one, films = model(), items()
    one.scorer = Own().score
    assert (direction(one, films, truth(), SEVERAL) != 0).mean() > 0.5
    one.scorer = Own().hidden
    with pytest.raises(ModelError, match="keeps none; leave the attack out"):
        direction(one, films, truth(), SEVERAL)


def test_grey_levels_stay_in_range() -> None:
    pixels = np.array([[0, 1, 254, 255]], np.uint8)
    signs = np.array([[-1, -1, 1, 1]], np.int8)
    assert moved(pixels, signs, 4).tolist() == [[0, 0, 255, 255]]
