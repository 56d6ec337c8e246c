from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from asclip.tasks.textual.sentence_similarity import graded, kin, sentence_similarity, spearman
from asclip.types import Encoded

NAMES = ("pneumothorax", "hiatal hernia", "pneumonia", "consolidation", "rib fracture")


def test_spearman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        grade, close = rng.integers(0, 4, 30).astype(float), rng.integers(0, 6, 30) / 7
        assert spearman(grade, close) == pytest.approx(spearmanr(grade, close).statistic)
    assert np.isnan(spearman(np.arange(3.0), np.ones(3)))
    assert np.isnan(spearman(np.zeros(0), np.zeros(0)))


def test_grades_count_what_two_sentences_share() -> None:
    pairs, grade, group = graded(NAMES, np.random.default_rng(3))
    assert np.bincount(grade.astype(int)).tolist() == [len(pairs) // 4] * 4
    for (one, other), value, number in zip(pairs, grade, group, strict=True):
        assert NAMES[number] == one.finding
        assert one.wording != other.wording
        same = one.finding == other.finding
        expected = 0
        if same:
            expected = 1 + (one.present == other.present) * (1 + (one.place == other.place))
        assert value == expected
        assert same or not kin(one.finding, other.finding)
    assert graded(("pneumonia", "consolidation"), np.random.default_rng(0))[0] == []


def model(vector) -> SimpleNamespace:
    def encode(texts: list[str]) -> Encoded:
        rows = torch.tensor(np.stack([vector(text) for text in texts]), dtype=torch.float32)
        return Encoded(rows)

    return SimpleNamespace(encode_texts=encode, preprocessing=SimpleNamespace(digest="abc"))


def facts(text: str) -> np.ndarray:
    """Weights that order the grades: finding before assertion before place."""
    text = text.lower()
    what = [float(name in text) for name in NAMES]
    no = 1.0 if " no" in f" {text}" else -1.0
    where = [0.5 * (place in text) for place in ("right u", "left u", "right l", "left l")]
    return np.array([2 * one for one in what] + [0.8 * no] + where)


def test_an_order_by_shared_facts_is_found_and_a_constant_is_said(toy_data) -> None:
    text = " ".join(f"There is {name}." for name in NAMES)
    data = toy_data(np.ones((4, 1)), text=[text] * 4)
    found = {(s.task, s.metric, s.label): s for s in sentence_similarity(model(facts), data)}
    one = found["sentence-similarity", "spearman", ""]
    assert one.value > 0.9
    assert one.low < one.value < one.high or one.low == one.high
    means = [found["sentence-similarity", "cosine", f"grade {g}"].value for g in range(4)]
    assert means == sorted(means)
    assert -1 < found["sentence-similarity-words", "spearman", ""].value < 1
    flat = sentence_similarity(model(lambda text: np.ones(3)), data, resamples=20)[0]
    assert np.isnan(flat.value)
    assert "one embedding" in flat.why_nan
    nothing = sentence_similarity(model(facts), toy_data(np.ones((2, 1)), text=["", ""]))
    assert all(np.isnan(s.value) and s.why_nan for s in nothing)
