from __future__ import annotations

import numpy as np
import pytest
import torch

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.metrics.classification import auroc
from asclip.tasks.classification.sensitivity import prompt_spread, sensitivity
from asclip.types import Encoded

WORDS = {
    "good": (1.0, 0.0, 0.0), "fair": (1.0, 1.0, 0.0), "bad": (0.0, 0.0, 1.0),
    "no": (-1.0, 0.0, 0.0), "none": (-0.5, 0.3, 0.0),
    "wet": (0.0, 1.0, 0.0), "dry": (0.0, -1.0, 0.0),
}  # fmt: skip
SET = PromptSet(
    "s", "1", "multi-label",
    {
        "Mass": ClassPrompts(("good", "fair", "bad"), ("no", "none")),
        "Fluid": ClassPrompts(("wet",), ("dry",)),
    },
)  # fmt: skip


def test_each_prompt_alone_has_its_own_auroc(toy_model) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 3))
    truth = (vectors[:, :2] + rng.normal(size=(80, 2)) > 0).astype(float)
    images = Encoded(torch.tensor(vectors, dtype=torch.float32))
    spread = prompt_spread(toy_model(WORDS), images, truth, SET, halves=12)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def cosine(word: str) -> np.ndarray:
        return unit @ np.array(WORDS[word]) / np.linalg.norm(WORDS[word])

    pairs = (("good", "no"), ("fair", "none"), ("bad", "no"))
    want = [auroc(truth[:, 0], cosine(yes) - cosine(no)) for yes, no in pairs]
    np.testing.assert_allclose(spread.alone[:, 0], want, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(spread.alone[:, 1]), [False, True, True])
    assert spread.halves.shape == (12, 2)
    assert spread.halves[:, 0].std() > 0
    assert np.isnan(spread.halves[:, 1]).all()  # of one prompt there is one half
    assert spread.whole[1] == spread.alone[0, 1]
    again = prompt_spread(toy_model(WORDS), images, truth, SET, halves=12)
    np.testing.assert_array_equal(again.halves, spread.halves)


def test_records_tell_the_spread_and_why_there_is_none(toy_data, toy_model) -> None:
    vectors = np.random.default_rng(1).normal(size=(60, 3))
    data = toy_data(
        vectors, label__mass=(vectors[:, 0] > 0).astype(float), label__fluid=vectors[:, 1] > 0
    )
    found = {(s.metric, s.label): s for s in sensitivity(toy_model(WORDS), data, SET, halves=5)}
    worst, best = (found[f"auroc_alone_{k}", "Mass"].value for k in ("worst", "best"))
    assert worst < 0.8 < 0.95 < best
    assert found["auroc_alone_worst", "Fluid"].why_nan.startswith("fewer than two")
    assert found["auroc_alone_worst", "macro"].value == worst
    one = found["auroc_alone_sd", "Mass"]
    spread = prompt_spread(
        toy_model(WORDS), Encoded(torch.tensor(vectors, dtype=torch.float32)),
        (vectors[:, :2] > 0).astype(float), SET, halves=0,
    )  # fmt: skip
    assert one.value == pytest.approx(np.std(spread.alone[:, 0], ddof=1))
    assert (one.task, one.n, one.prompts) == ("prompt-choice", 60, SET.id)
    assert np.isnan(found["auroc_halves_sd", "Fluid"].value)
    assert found["auroc_halves_sd", "Mass"].value > 0
