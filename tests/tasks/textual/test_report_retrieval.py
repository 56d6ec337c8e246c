from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asclip.tasks.textual.report_retrieval import nearest, relevance, report_retrieval
from asclip.types import Encoded


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 16))
def test_nearest_is_the_plain_search(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (number, 2)).astype(float)  # many ties
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
    group, patient = rng.integers(0, 3, number), rng.integers(0, 4, number)
    hits = nearest(vectors, group, patient)
    relevant, pool = relevance(group, patient)
    for q in range(number):
        others = [c for c in range(number) if patient[c] != patient[q]]
        # Among equals the wrong ones first.
        cosine = {c: round(float(vectors[q] @ vectors[c]), 9) for c in others}
        order = sorted(others, key=lambda c: (-cosine[c], group[c] == group[q]))
        told = [bool(group[c] == group[q]) for c in order[:10]]
        assert hits[q].tolist() == told + [False] * (10 - len(told))
        assert (relevant[q], pool[q]) == (sum(group[c] == group[q] for c in others), len(others))


def test_precision_and_its_chance(toy_data) -> None:
    words = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    model = SimpleNamespace(
        encode_texts=lambda texts: Encoded(torch.tensor([words[t[0]] for t in texts])),
        preprocessing=SimpleNamespace(digest="abc"),
    )
    texts = [f"{'ab'[k // 6]} report {k}" for k in range(12)]  # two studies a patient
    labels = {"label__x": [1.0] * 6 + [0.0] * 6}
    scores = {
        (s.task, s.metric): s
        for s in report_retrieval(model, toy_data(np.ones((12, 1)), text=texts, **labels))
    }
    assert scores["report-retrieval", "P@1"].value == 1.0
    assert scores["report-retrieval", "P@5"].value == pytest.approx(4 / 5)  # four others of the set
    assert scores["report-retrieval", "P@1"].chance == pytest.approx(4 / 10)
    # What the labels say decides, not the texts: shuffled labels are found by chance.
    labels = {"label__x": [1.0, 1.0, 0.0, 0.0] * 3}
    other = report_retrieval(model, toy_data(np.ones((12, 1)), text=texts, **labels))
    assert other[0].value == 0.0  # pessimistic: among equal texts the wrong ones come first


def test_no_second_report_of_a_set_is_said(toy_data) -> None:
    model = SimpleNamespace(
        encode_texts=lambda texts: Encoded(torch.ones(len(texts), 2)),
        preprocessing=SimpleNamespace(digest="abc"),
    )
    data = toy_data(np.ones((2, 1)), text=["one", "two"], label__x=[1.0, 0.0])
    scores = report_retrieval(model, data)
    assert all(np.isnan(s.value) and "same set" in s.why_nan for s in scores)
    empty = report_retrieval(model, toy_data(np.ones((2, 1)), text=["", ""]))
    assert all(np.isnan(s.value) and s.why_nan for s in empty)
