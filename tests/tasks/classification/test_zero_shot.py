from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError, LeakageError
from asclip.tasks.classification.zero_shot import ZeroShot, log_odds, score_encoded
from asclip.types import Encoded

WORDS = {
    "a mass": (1.0, 0.0, 0.2), "mass seen": (2.0, 0.4, 0.0), "no mass": (-1.0, 0.1, 0.0),
    "fluid": (0.0, 1.0, 0.0), "no fluid": (0.0, -3.0, 0.5), "rare": (0.0, 0.0, 1.0),
}  # fmt: skip
FINDINGS = PromptSet(
    "findings", "1", "multi-label",
    {
        "Mass": ClassPrompts(("a mass", "mass seen"), ("no mass",)),
        "Fluid": ClassPrompts(("fluid",), ("no fluid",)),
        "Rare": ClassPrompts(("rare",)),
    },
)  # fmt: skip
KINDS = PromptSet(
    "kinds", "1", "single-label",
    {"x": ClassPrompts(("a mass",)), "y": ClassPrompts(("fluid",)), "z": ClassPrompts(("rare",))},
    column="kind",
)  # fmt: skip


def vectors(seed: int = 0, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3))


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_pairs_ensembles_and_plain_cosine_equal_the_formula(toy_data, toy_model) -> None:
    images = vectors()
    model = toy_model(WORDS)
    got = log_odds(model, Encoded(torch.tensor(images, dtype=torch.float32)), FINDINGS)
    mass = unit(unit(np.array([WORDS["a mass"], WORDS["mass seen"]])).mean(axis=0))
    difference = unit(images) @ (mass - unit(np.array(WORDS["no mass"])))
    np.testing.assert_allclose(got[:, 0], 10.0 * difference, atol=1e-5)
    np.testing.assert_allclose(got[:, 2], unit(images) @ np.array(WORDS["rare"]), atol=1e-6)
    plain = log_odds(
        model, Encoded(torch.tensor(images, dtype=torch.float32)), FINDINGS, temperature=False
    )
    np.testing.assert_allclose(plain[:, 0], difference, atol=1e-6)


def test_one_class_is_the_softmax(toy_model) -> None:
    images = vectors()
    got = log_odds(toy_model(WORDS), Encoded(torch.tensor(images, dtype=torch.float32)), KINDS)
    names = [part.positive[0] for part in KINDS.classes.values()]
    logits = 10.0 * unit(images) @ unit(np.array([WORDS[name] for name in names])).T
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-got)), expected, atol=1e-5)


def test_what_is_shown_is_a_probability_or_a_similarity(toy_model) -> None:
    images = Encoded(torch.tensor(vectors(), dtype=torch.float32))
    shown = score_encoded(toy_model(WORDS), images, FINDINGS)
    logits = log_odds(toy_model(WORDS), images, FINDINGS)
    np.testing.assert_allclose(shown[:, 0], 1 / (1 + np.exp(-logits[:, 0])), atol=1e-12)
    np.testing.assert_array_equal(shown[:, 2], logits[:, 2])  # no negative prompts
    for scale in (10.0, 1e5):
        kinds = score_encoded(toy_model(WORDS, scale=scale), images, KINDS)
        np.testing.assert_allclose(kinds.sum(axis=1), 1.0, atol=1e-6)


def test_a_large_scale_makes_no_ties(toy_model) -> None:
    images = Encoded(torch.tensor(vectors(n=200), dtype=torch.float32))
    for prompts in (FINDINGS.only("Mass"), KINDS):
        got = log_odds(toy_model(WORDS, scale=1000.0), images, prompts)
        assert len(np.unique(got[:, 0])) > 190


def test_an_objective_that_owns_a_score_is_asked(toy_model) -> None:
    def scorer(image: Encoded, text: Encoded) -> torch.Tensor:
        return -torch.cdist(image.pooled, text.pooled)

    images = vectors(n=300)  # more than one chunk
    model = toy_model(WORDS, scorer=scorer, scale=1.0)
    got = log_odds(model, Encoded(torch.tensor(images, dtype=torch.float32)), FINDINGS)

    def near(name: str) -> np.ndarray:
        return -np.linalg.norm(images - np.array(WORDS[name]), axis=1)

    expected = (near("a mass") + near("mass seen")) / 2 - near("no mass")
    np.testing.assert_allclose(got[:, 0], expected, atol=1e-5)


def labelled(toy_data, seed: int = 0, **more: object):
    images = vectors(seed)
    mass = (images[:, 0] + np.random.default_rng(seed + 50).normal(size=60) > 0).astype(float)
    return toy_data(images, label__Mass=mass, label__Fluid=np.ones(60), **more)


def test_log_odds_of_a_query_network_stand_as_they_are(toy_model) -> None:
    """Neither the scale nor the negative prompts, which name the finding too, change them."""

    def scorer(image: Encoded, text: Encoded) -> torch.Tensor:
        return image.pooled @ text.pooled.T + 0.25

    model = toy_model(WORDS, scorer=scorer, scale=7.0)
    model.scores_existence = True
    images = Encoded(torch.tensor(vectors(n=5), dtype=torch.float32))
    found = log_odds(model, images, FINDINGS)
    expected = [
        np.mean([images.pooled.numpy() @ np.array(WORDS[w]) + 0.25 for w in part.positive], axis=0)
        for part in FINDINGS.classes.values()
    ]
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-5)
    shown = score_encoded(model, images, FINDINGS)  # "Rare" has no negative prompts
    np.testing.assert_allclose(shown, 1 / (1 + np.exp(-np.stack(expected, 1))), atol=1e-5)


def test_scores_of_findings(toy_data, toy_model) -> None:
    data = labelled(toy_data, label__Rash=np.zeros(60))
    data.studies.loc[:4, "label:Mass"] = np.nan
    task = ZeroShot(FINDINGS, seed=3, resamples=200)
    predictions = task.predict(toy_model(WORDS), data)
    assert predictions.labels == ("Mass", "Fluid", "Rash")
    assert predictions.provenance["classes_not_in_data"] == ["Rare"]
    scores = {(s.metric, s.label): s for s in task.evaluate(predictions)}
    mass = scores["auroc", "Mass"]
    expected = roc_auc_score(predictions.truth[5:, 0], predictions.scores[5:, 0])
    assert mass.value == pytest.approx(expected)
    assert mass.low < mass.value < mass.high
    assert (mass.n, mass.chance, mass.seed, mass.split) == (55, 0.5, 3, "test")
    assert mass.prompts == FINDINGS.id
    assert mass.preprocessing == "abcdefabcdef"
    assert scores["average_precision", "Mass"].chance == predictions.truth[5:, 0].mean()
    fluid = scores["auroc", "Fluid"]
    assert np.isnan(fluid.value)
    assert fluid.why_nan == "no negative among 60 studies"
    assert "no prompts for this label" in scores["auroc", "Rash"].why_nan
    macro = scores["auroc", "macro"]
    assert (macro.value, macro.low, macro.high) == (mass.value, mass.low, mass.high)
    assert {name for name, _ in scores} == {"auroc", "average_precision"}


def test_scores_of_one_class(toy_data, toy_model) -> None:
    images = vectors()
    kinds = np.array(["x", "y", "z"])[images.argmax(axis=1)].astype(object)
    kinds[:6] = ["", None, "x-ray", "X", "Y", "x"]
    data = toy_data(images, meta__kind=kinds)
    task = ZeroShot(KINDS, resamples=100)
    predictions = task.predict(toy_model(WORDS), data)
    assert np.isnan(predictions.truth[:3]).all()
    assert predictions.provenance["studies_without_value"] == 2
    assert predictions.provenance["studies_with_other_value"] == 1
    scores = {(s.metric, s.label): s for s in task.evaluate(predictions)}
    accuracy = scores["accuracy", ""]
    right = predictions.truth[3:].argmax(axis=1) == predictions.scores[3:].argmax(axis=1)
    assert accuracy.value == pytest.approx(right.mean())
    assert accuracy.n == 57
    assert accuracy.chance == pytest.approx(1 / 3)
    assert accuracy.low < accuracy.value <= accuracy.high
    assert scores["balanced_accuracy", ""].value > 0.8
    assert scores["auroc", "macro"].value > 0.9


def test_thresholds_come_from_validation_patients(toy_data, toy_model) -> None:
    task = ZeroShot(FINDINGS, resamples=100)
    model = toy_model(WORDS)
    test = task.predict(model, labelled(toy_data))
    other = labelled(toy_data, seed=1)
    with pytest.raises(LeakageError, match="30 are in both"):
        task.evaluate(test, task.predict(model, other))
    other.studies["patient"] = "v" + other.studies["patient"]
    scores = {(s.metric, s.label): s for s in task.evaluate(test, task.predict(model, other))}
    f1 = scores["f1", "Mass"]
    assert f1.low < f1.value < f1.high
    assert scores["mcc", "Mass"].value > 0.2
    assert scores["mcc", "Fluid"].why_nan == "no negative among 60 studies"
    assert scores["f1", "Fluid"].value == 1.0
    assert scores["f1", "macro"].value == pytest.approx((f1.value + 1.0) / 2)


def test_a_study_without_images_is_not_scored(toy_data, toy_model) -> None:
    data = labelled(toy_data)
    data.vectors[:2] = np.nan
    predictions = ZeroShot(FINDINGS).predict(toy_model(WORDS), data)
    assert predictions.provenance["studies_not_scored"] == 2
    assert np.isnan(predictions.scores[:2]).all()
    scores = ZeroShot(FINDINGS, resamples=20).evaluate(predictions)
    assert scores[0].n == 58


def test_one_patient_has_no_interval_and_no_study_no_prediction(toy_data, toy_model) -> None:
    data = labelled(toy_data)
    data.studies["patient"] = "only"
    task = ZeroShot(FINDINGS, resamples=20)
    score = task.evaluate(task.predict(toy_model(WORDS), data))[0]
    assert not np.isnan(score.value)
    assert np.isnan(score.low)
    with pytest.raises(DataError, match="at least one study"):
        task.predict(toy_model(WORDS), data.take(np.zeros(0, dtype=int)))
