from __future__ import annotations

import numpy as np
import pytest

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import LeakageError, ModelError
from asclip.tasks.classification.supervised import STRENGTHS, Probe, Supervised

NAN = float("nan")
KINDS = PromptSet(
    "kinds", "1", "single-label", {k: ClassPrompts((k,)) for k in "abc"}, column="kind"
)


def findings(toy_data, seed: int, *, n: int = 120):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 6))
    mass = (vectors[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(float)
    mass[:5] = NAN
    fluid = (vectors[:, 1] > 0).astype(float)
    kind = np.array(list("abc"))[vectors[:, :3].argmax(axis=1)]
    columns = {"label__Mass": mass, "label__Fluid": fluid, "label__Rare": np.zeros(n)}
    data = toy_data(vectors, meta__kind=kind, **columns)
    data.studies["patient"] = f"{seed}-" + data.studies["patient"]
    return data


def test_the_supervised_bound(toy_data, toy_model) -> None:
    data = findings(toy_data, 0)
    task = Supervised(("Mass", "Fluid"), resamples=50)
    predictions = task.predict(toy_model({}), data)
    np.testing.assert_array_equal(predictions.scores, data.vectors[:, :2])
    scores = {(s.metric, s.label): s for s in task.evaluate(predictions)}
    assert scores["auroc", "Fluid"].value == 1.0
    assert scores["auroc", "macro"].task == "supervised"
    with pytest.raises(ModelError, match=r"\(120, 1\) logits .* got \(120, 2\)"):
        Supervised(("Mass",)).predict(toy_model({}), data)
    with pytest.raises(ModelError, match="a model with a head"):
        Supervised(("Mass",)).predict(object(), data)


def test_a_probe_finds_labels_in_frozen_embeddings(toy_data, toy_model) -> None:
    model = toy_model({})
    train, validation, test = (findings(toy_data, seed) for seed in range(3))
    fitted = Probe(("Mass", "Fluid", "Rare"), resamples=50).fit(model, train, validation)
    assert fitted.strengths[0] in STRENGTHS
    predictions = fitted.predict(model, test)
    scores = {(s.metric, s.label): s for s in fitted.evaluate(predictions)}
    assert scores["auroc", "Mass"].value > 0.9
    assert scores["auroc", "Mass"].n == 115
    assert scores["auroc", "Fluid"].value > 0.97
    assert np.isnan(predictions.scores[:, 2]).all()  # one class in training: nothing to fit
    assert scores["auroc", "Rare"].why_nan
    assert scores["auroc", "macro"].task == "probe"


def test_a_probe_chooses_one_class(toy_data, toy_model) -> None:
    model = toy_model({})
    train, validation, test = (findings(toy_data, seed) for seed in range(3))
    fitted = Probe(KINDS, resamples=50).fit(model, train, validation)
    scores = {(s.metric, s.label): s for s in fitted.evaluate(fitted.predict(model, test))}
    assert scores["accuracy", ""].value > 0.85
    assert scores["auroc", "macro"].value > 0.95


def test_two_classes_have_calibrated_log_odds(toy_data, toy_model) -> None:
    model = toy_model({})
    train, validation = findings(toy_data, 0), findings(toy_data, 1)
    for data in (train, validation):
        data.studies["meta:kind"] = np.where(data.vectors[:, 1] > 0, "a", "b")
    fitted = Probe(KINDS).fit(model, train, validation)
    scores = fitted.predict(model, validation).scores
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1], atol=1e-9)
    probability = 1 / (1 + np.exp(-scores[:, 0]))
    from sklearn.linear_model import LogisticRegression

    centred = [
        (d.vectors - train.vectors.mean(0)) / train.vectors.std(0) for d in (train, validation)
    ]
    reference = LogisticRegression(C=fitted.strengths[0], max_iter=2000)
    reference.fit(centred[0].astype(np.float32), train.studies["meta:kind"])
    expected = reference.predict_proba(centred[1])[:, 0]
    np.testing.assert_allclose(probability, expected, atol=1e-3)


def test_a_probe_refuses_shared_patients_and_skips_blind_studies(toy_data, toy_model) -> None:
    model = toy_model({})
    train, validation = findings(toy_data, 0), findings(toy_data, 1)
    with pytest.raises(LeakageError, match="60 are in both"):
        Probe(("Mass",)).fit(model, train, train)
    train.vectors[:3] = NAN
    validation.vectors[0] = NAN
    fitted = Probe(("Mass",)).fit(model, train, validation)
    predictions = fitted.predict(model, validation)
    assert np.isnan(predictions.scores[0]).all()
    assert not np.isnan(predictions.scores[1:]).any()
