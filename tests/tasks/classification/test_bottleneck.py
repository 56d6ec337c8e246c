from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError, LeakageError
from asclip.tasks.classification.bottleneck import (
    ConceptBottleneck,
    concept_scores,
    sparse_logistic,
)

AXES = 5
WORDS = {
    f"{sign}{j}": (1 if sign == "+" else -1) * np.eye(AXES)[j] for j in range(AXES) for sign in "+-"
}
CONCEPTS = PromptSet(
    "axes", "1", "multi-label",
    {f"axis {j}": ClassPrompts((f"+{j}",), (f"-{j}",)) for j in range(AXES)},
)  # fmt: skip


def side(toy_data, seed: int, n: int = 300):
    """Labels: "a" needs axis 0 and not axis 1, "b" axis 2, "rare" has one side."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, AXES))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    noise = 0.1 * rng.normal(size=(n, 2))
    data = toy_data(
        vectors, label__a=(unit[:, 0] - unit[:, 1] + noise[:, 0] > 0).astype(float),
        label__b=(unit[:, 2] + noise[:, 1] > 0).astype(float), label__rare=0.0,
    )  # fmt: skip
    data.studies["patient"] = [f"{seed} {p}" for p in data.studies["patient"]]
    return data


@pytest.fixture
def model(toy_model):
    return toy_model(WORDS)


def loss(x: np.ndarray, y: np.ndarray, penalty: float, w: np.ndarray) -> float:
    z = x @ w[:-1] + w[-1]
    return float(np.mean(np.logaddexp(0, z) - y * z) + penalty * np.abs(w[:-1]).sum())


@pytest.mark.parametrize("penalty", [0.002, 0.02, 0.1])
def test_the_solver_finds_the_least_penalised_loss(penalty: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 6)) @ (np.eye(6) + 0.4)
    y = (x[:, 0] - x[:, 1] + rng.normal(size=150) > 0.3).astype(float)
    got = sparse_logistic(x, y, penalty, np.zeros(7))
    z = x @ got[:-1] + got[-1]
    slope = x.T @ (1 / (1 + np.exp(-z)) - y) / len(y)  # the conditions of a minimum
    used = got[:-1] != 0
    np.testing.assert_allclose(slope[used], -penalty * np.sign(got[:-1][used]), atol=1e-5)
    assert (np.abs(slope[~used]) <= penalty + 1e-6).all()
    assert abs(np.mean(1 / (1 + np.exp(-z)) - y)) < 1e-5
    theirs = LogisticRegression(
        C=1 / (penalty * len(y)), l1_ratio=1, solver="saga", tol=1e-8, max_iter=20_000
    ).fit(x, y)
    want = np.append(theirs.coef_[0], theirs.intercept_)
    np.testing.assert_allclose(got, want, atol=2e-3)
    assert loss(x, y, penalty, got) <= loss(x, y, penalty, want) + 1e-9


def test_few_concepts_are_kept_and_they_are_the_right_ones(toy_data, model) -> None:
    question = ConceptBottleneck(CONCEPTS, ("a", "b", "rare"), resamples=20)
    fitted = question.fit(model, side(toy_data, 1), side(toy_data, 2))
    names = [name for name, _ in fitted.chosen("a")]
    assert set(names[:2]) == {"axis 0", "axis 1"}
    weights = dict(fitted.chosen("a"))
    assert weights["axis 0"] > 0 > weights["axis 1"]
    assert fitted.chosen("b")[0][0] == "axis 2"
    assert len(fitted.chosen("b")) <= 2
    assert np.isnan(fitted.weights[2]).all()
    test = side(toy_data, 3)
    found = fitted.predict(model, test)
    scores = {(s.metric, s.label): s for s in fitted.evaluate(found)}
    assert scores["auroc", "a"].value > 0.95
    assert scores["auroc", "b"].value > 0.95
    assert scores["auroc", "rare"].why_nan
    assert scores["auroc", "a"].task == "concept-bottleneck"
    np.testing.assert_allclose(
        fitted.logits(np.asarray(found.provenance["concept_scores"])), found.scores
    )


def test_an_intervention_changes_the_answer_as_the_weight_says(toy_data, model) -> None:
    fitted = ConceptBottleneck(CONCEPTS, ("a", "b")).fit(
        model, side(toy_data, 1), side(toy_data, 2)
    )
    scores = concept_scores(model, side(toy_data, 3), CONCEPTS)
    standard = (scores - fitted.centre) / fitted.spread
    right = fitted.intervened(scores, {"axis 0": 2.0})
    change = fitted.logits(right) - fitted.logits(scores)
    weight = dict(fitted.chosen("a"))["axis 0"]
    np.testing.assert_allclose(change[:, 0], weight * (2.0 - standard[:, 0]), atol=1e-9)
    both = fitted.intervened(scores, {"axis 0": 2.0, "axis 1": 2.0})
    np.testing.assert_allclose(
        fitted.logits(both)[:, 0] - fitted.logits(right)[:, 0],
        dict(fitted.chosen("a"))["axis 1"] * (2.0 - standard[:, 1]), atol=1e-9,
    )  # fmt: skip
    same = fitted.logits(fitted.intervened(scores, {}))
    np.testing.assert_array_equal(same, fitted.logits(scores))
    with pytest.raises(DataError, match="did you mean 'axis 1'"):
        fitted.intervened(scores, {"axis1": 1.0})
    with pytest.raises(DataError, match="no label 'c' was fitted"):
        fitted.chosen("c")


def test_putting_concepts_right_makes_answers_better(toy_data, model) -> None:
    """A model that sees axis 0 badly, and a person who says what is there."""
    fitted = ConceptBottleneck(CONCEPTS, ("a",), resamples=5).fit(
        model, side(toy_data, 1), side(toy_data, 2)
    )
    test = side(toy_data, 3)
    true = concept_scores(model, test, CONCEPTS)
    blurred = true.copy()
    blurred[:, 0] = np.random.default_rng(0).permutation(blurred[:, 0])
    answer = test.label_matrix()[:, :1] == 1
    standard = ((true - fitted.centre) / fitted.spread)[:, 0]
    rows = [fitted.intervened(blurred[[k]], {"axis 0": standard[k]}) for k in range(len(true))]
    told = np.concatenate(rows)
    before, after = (((fitted.logits(s) > 0) == answer).mean() for s in (blurred, told))
    assert after > before + 0.1


def test_one_class_of_several_is_a_question_each(toy_data, model) -> None:
    kinds = PromptSet(
        "kinds", "1", "single-label",
        {"x": ClassPrompts(("+0",)), "y": ClassPrompts(("+2",))}, column="kind",
    )  # fmt: skip
    sides = []
    for seed in (1, 2, 3):
        data = side(toy_data, seed, 120)
        data.studies["meta:kind"] = np.where(data.vectors[:, 0] > data.vectors[:, 2], "x", "y")
        sides.append(data)
    fitted = ConceptBottleneck(CONCEPTS, kinds, resamples=5).fit(model, *sides[:2])
    scores = {s.metric: s.value for s in fitted.evaluate(fitted.predict(model, sides[2]))}
    assert scores["accuracy"] > 0.9


def test_sides_that_share_patients_and_concepts_that_are_no_questions_are_refused(
    toy_data, model
) -> None:
    data = side(toy_data, 1)
    with pytest.raises(LeakageError, match="150 are in both"):
        ConceptBottleneck(CONCEPTS, ("a",)).fit(model, data, data)
    single = PromptSet("k", "1", "single-label", dict(CONCEPTS.classes), column="kind")
    with pytest.raises(DataError, match="yes-no questions"):
        ConceptBottleneck(single, ("a",))
