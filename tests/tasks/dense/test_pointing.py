"""The pointing game against a model whose answer per region is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asclip.errors import ModelError
from asclip.tasks.dense.pointing import centres, hits, region_scores
from asclip.types import Encoded


class Cosine:
    """Scores by the cosine of pooled vectors."""

    scorer = None

    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        left, right = (torch.nn.functional.normalize(e.pooled, dim=1) for e in (image, text))
        return left @ right.T


def test_a_region_is_asked_as_if_it_were_the_image() -> None:
    rng = torch.Generator().manual_seed(0)
    local, texts = torch.randn(3, 4, 5, generator=rng), torch.randn(2, 5, generator=rng)
    found = region_scores(Cosine(), Encoded(torch.zeros(3, 5), local), Encoded(texts))
    for image in range(3):
        for region in range(4):
            for text in range(2):
                want = torch.cosine_similarity(local[image, region], texts[text], dim=0)
                assert found[image, region, text] == pytest.approx(float(want), abs=1e-6)


def test_a_models_own_score_sees_one_region_at_a_time() -> None:
    seen: list[tuple[int, ...]] = []

    def score(image: Encoded, text: Encoded) -> torch.Tensor:
        assert image.local is not None
        seen.append(tuple(image.local.shape))
        assert torch.equal(image.local[:, 0], image.pooled)
        return image.local.amax((1, 2))[:, None]

    model = SimpleNamespace(scorer=score, score=score)
    found = region_scores(
        model, Encoded(torch.zeros(1, 2), torch.tensor([[[1.0, 2], [4, 3]]])), Encoded(texts(1))
    )
    assert found[0, :, 0].tolist() == [2, 4]
    assert seen == [(2, 1, 2)]


def texts(count: int) -> torch.Tensor:
    return torch.ones(count, 2)


def test_pointing_needs_regions() -> None:
    with pytest.raises(ModelError, match="local=True"):
        region_scores(Cosine(), Encoded(torch.zeros(1, 2)), Encoded(texts(1)))


def test_the_best_region_hits_its_box_and_no_other() -> None:
    grid = (2, 3)
    for best, (x, y) in enumerate(centres(grid)):
        scores = np.eye(6)[[best]]
        around = np.array([[x - 0.05, y - 0.05, x + 0.05, y + 0.05]])
        assert hits(scores, grid, around, 0.0).tolist() == [1.0]
        beside = around + np.array([0.3, 0, 0.3, 0])
        assert hits(scores, grid, beside, 0.0).tolist() == [0.0]
        assert hits(scores, grid, beside, 0.26).tolist() == [1.0]


def test_no_box_is_not_asked_and_equal_answers_miss() -> None:
    boxes = np.array([[np.nan] * 4, [0.0, 0.0, 1.0, 1.0]])
    found = hits(np.ones((2, 4)), (2, 2), boxes, 0.1)
    assert np.isnan(found[0])
    assert found[1] == 0.0
