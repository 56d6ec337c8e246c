from __future__ import annotations

import numpy as np
import pytest
import torch

from asclip.errors import DataError
from asclip.tasks.crossmodal.retrieval import Retrieval
from asclip.types import Encoded


def world(toy_data, *, n: int = 30, noise: float = 0.8):
    rng = np.random.default_rng(0)
    texts = [f"text {row}" for row in range(n)]
    texts[7] = "  TEXT   3 "  # says the same as number 3
    texts[9] = ""
    placeholder = np.zeros(n, dtype=bool)
    placeholder[11] = True
    base = rng.normal(size=(n, 8))
    base[7] = base[3]
    vectors = base + noise * rng.normal(size=(n, 8))
    data = toy_data(vectors, text=texts, text_is_placeholder=placeholder)
    return data, {text: base[row] for row, text in enumerate(texts)}


def by_hand(similarity: np.ndarray, same: np.ndarray) -> np.ndarray:
    best = np.where(same, similarity, -np.inf).max(axis=1, keepdims=True)
    return ((similarity >= best) & ~same).sum(axis=1) + 1.0


def test_ranks_in_both_directions_equal_a_plain_computation(toy_data, toy_model) -> None:
    data, words = world(toy_data)
    model = toy_model(words)
    predictions = Retrieval().predict(model, data)
    kept = np.array([row for row in range(30) if row not in (9, 11)])
    images = torch.tensor(data.vectors[kept], dtype=torch.float32)
    names = ["text 3" if row == 7 else f"text {row}" for row in kept]
    texts = torch.tensor(np.array([words[name] for name in names]), dtype=torch.float32)
    similarity = model.score(Encoded(images), Encoded(texts)).numpy()
    same = np.array(names)[:, None] == np.array(names)[None, :]
    assert predictions.labels == ("image_to_text_rank", "text_to_image_rank")
    np.testing.assert_array_equal(predictions.scores[kept, 0], by_hand(similarity, same))
    np.testing.assert_array_equal(predictions.scores[kept, 1], by_hand(similarity.T, same))
    np.testing.assert_array_equal(predictions.truth[kept, 0], same.sum(axis=1))
    assert np.isnan(predictions.scores[[9, 11]]).all()
    facts = predictions.provenance
    assert facts["pool"] == 28
    assert facts["distinct_texts"] == 27
    assert facts["left_out"] == {"empty_text": 1, "placeholder_text": 1}
    assert model.texts_encoded == 27  # equal texts once


def test_tops_point_to_studies(toy_data, toy_model) -> None:
    data, words = world(toy_data, noise=0.01)
    facts = Retrieval().predict(toy_model(words), data).provenance
    for way in ("image_to_text_top", "text_to_image_top"):
        top = facts[way]
        assert top.shape == (30, 10)
        assert (top[[9, 11]] == -1).all()
        assert top[5, 0] == 5
        assert set(top[3, :2]) == {3, 7}
        assert facts[f"{way}_hits"][3].tolist() == [True, True] + [False] * 8
        close = facts[f"{way}_similarity"]
        assert (np.diff(close[5]) <= 0).all()
        assert np.isnan(close[9]).all()


def test_scores_have_pool_chance_and_intervals(toy_data, toy_model) -> None:
    data, words = world(toy_data, noise=2.5)
    task = Retrieval(resamples=200, seed=2)
    predictions = task.predict(toy_model(words), data)
    scores = {score.metric: score for score in task.evaluate(predictions)}
    assert len(scores) == 10
    for way, column in (("image_to_text", 0), ("text_to_image", 1)):
        rank = predictions.scores[:, column][~np.isnan(predictions.scores[:, column])]
        recall = scores[f"{way}_R@5"]
        assert recall.value == pytest.approx((rank <= 5).mean())
        assert recall.low < recall.value < recall.high
        assert (recall.pool, recall.n, recall.label, recall.seed) == (28, 28, "", 2)
        # 26 queries with one right answer of 28, two with two
        one, two = 5 / 28, 1 - (23 * 22) / (28 * 27)
        if way == "image_to_text":
            # 27 texts, of which the doubled one moves as one: a single text is among the first
            # five with at most three texts before it, or with four that are not the doubled one.
            one, two = (4 + 22 / 26) / 27, 5 / 27
        assert recall.chance == pytest.approx((26 * one + 2 * two) / 28)
        assert scores[f"{way}_MRR"].value == pytest.approx((1 / rank).mean())
        assert scores[f"{way}_median_rank"].value == np.median(rank)
        assert scores[f"{way}_median_rank"].low <= scores[f"{way}_median_rank"].high


def test_an_untrained_model_is_at_chance_and_a_constant_one_below(toy_data, toy_model) -> None:
    rng = np.random.default_rng(1)
    texts = [f"t{row}" for row in range(300)]
    data = toy_data(rng.normal(size=(300, 4)), text=texts)
    words = {text: rng.normal(size=4) for text in texts}
    scores = {s.metric: s for s in Retrieval(resamples=50).evaluate(
        Retrieval().predict(toy_model(words), data)
    )}  # fmt: skip
    recall = scores["image_to_text_R@10"]
    assert recall.value == pytest.approx(recall.chance, abs=0.03)
    constant = toy_model(words, scorer=lambda i, t: torch.zeros(len(i.pooled), len(t.pooled)))
    predictions = Retrieval().predict(constant, data)
    assert (predictions.scores == 300).all()


def test_an_untrained_model_is_at_chance_where_texts_repeat(toy_data, toy_model) -> None:
    rng = np.random.default_rng(0)
    size = np.array([20, 8, 5, 3, 2, 1, 1])
    texts = np.repeat([f"t{group}" for group in range(len(size))], size).tolist()
    vectors = rng.normal(size=(len(texts), 4))
    found = []
    for _ in range(150):
        words = {text: rng.normal(size=4) for text in dict.fromkeys(texts)}
        task = Retrieval(resamples=2)
        predictions = task.predict(toy_model(words), toy_data(vectors, text=texts))
        found.append({score.metric: score for score in task.evaluate(predictions)})
    for name in ("R@1", "R@5", "R@10", "MRR"):
        values = [scores[f"image_to_text_{name}"].value for scores in found]
        chance = found[0][f"image_to_text_{name}"].chance
        assert np.mean(values) == pytest.approx(chance, abs=0.06)


def test_no_text_at_all_is_nan_with_a_reason(toy_data, toy_model) -> None:
    data = toy_data(np.ones((4, 3)), text=["", " ", "", ""])
    task = Retrieval()
    scores = task.evaluate(task.predict(toy_model({}), data))
    assert all(np.isnan(score.value) for score in scores)
    assert all("no study of this split has an image and a text" in s.why_nan for s in scores)
    assert all(score.pool == 0 and score.chance is None for score in scores)


def test_further_texts_and_blind_studies(toy_data, toy_model) -> None:
    vectors = np.eye(3)
    vectors[1] = np.nan
    data = toy_data(vectors, text__title=["a", "b", "c"])
    words = {"a": (1, 0, 0), "b": (0, 1, 0), "c": (0, 0, 1)}
    predictions = Retrieval(text="title").predict(toy_model(words), data)
    assert predictions.provenance["left_out"] == {"no_image": 1}
    np.testing.assert_array_equal(predictions.scores[[0, 2]], 1.0)
    with pytest.raises(DataError, match="no text 'text'; it has title"):
        Retrieval().predict(toy_model(words), data)
