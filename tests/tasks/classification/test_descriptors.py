from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asclip.clinical.bank import canonical, catalogue
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError
from asclip.tasks.classification.descriptors import Descriptors, evidence, joined, reasons, signs
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.types import Encoded

WORDS = {
    "round": (1.0, 0.0, 0.2), "white": (0.4, 0.9, 0.0), "wet": (0.0, 1.0, 0.0),
    "not round": (-1.0, 0.1, 0.0), "not white": (0.3, 0.1, 1.0), "not wet": (0.0, -3.0, 0.5),
}  # fmt: skip
SIGNS = PromptSet(
    "signs", "1", "multi-label",
    {
        "Mass": ClassPrompts(("round", "white"), ("not round", "not white")),
        "Fluid": ClassPrompts(("wet",), ("not wet",)),
    },
)  # fmt: skip


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def data_of(toy_data, n: int = 40):
    vectors = np.random.default_rng(0).normal(size=(n, 3))
    return toy_data(
        vectors, label__Mass=(vectors[:, 0] > 0).astype(float), label__Fluid=vectors[:, 1] > 0,
        label__Other=1.0,
    )  # fmt: skip


def test_a_probability_is_the_geometric_mean_of_its_signs(toy_data, toy_model) -> None:
    data, model = data_of(toy_data), toy_model(WORDS)
    found = Descriptors(SIGNS, resamples=20).predict(model, data)
    images = unit(data.vectors)
    p = {}
    for sign in ("round", "white", "wet"):
        stated, denied = (unit(np.array(WORDS[text])) for text in (sign, f"not {sign}"))
        p[sign] = 1 / (1 + np.exp(-10 * (images @ stated - images @ denied)))
    shares = 1 / (1 + np.exp(-found.scores))
    np.testing.assert_allclose(shares[:, 0], np.sqrt(p["round"] * p["white"]), atol=1e-5)
    np.testing.assert_allclose(shares[:, 1], p["wet"], atol=1e-5)
    assert np.isnan(found.scores[:, 2]).all()
    assert found.labels == ("Mass", "Fluid", "Other")
    kept = np.asarray(found.provenance["evidence"])
    np.testing.assert_allclose(1 / (1 + np.exp(-kept[:, 1])), p["white"], atol=1e-5)
    told = reasons(found, 3, "Mass")
    assert {text for text, _ in told} == {"round", "white"}
    assert told[0][1] >= told[1][1]
    assert dict(told)["round"] == pytest.approx(p["round"][3], abs=1e-5)
    with pytest.raises(DataError, match="no signs of 'Other'"):
        reasons(found, 0, "Other")


def test_one_sign_is_a_zero_shot_question(toy_data, toy_model) -> None:
    data, model, one = data_of(toy_data), toy_model(WORDS), SIGNS.only("Fluid")
    for temperature in (True, False, 2.0):
        found = Descriptors(one, temperature).predict(model, data)
        want = ZeroShot(one, temperature).predict(model, data)
        np.testing.assert_allclose(found.scores[:, 0], want.scores[:, 0], atol=1e-5)
    scores = {(s.metric, s.label): s for s in Descriptors(one, resamples=50).evaluate(found)}
    assert scores["auroc", "Fluid"].value > 0.9
    assert scores["auroc", "Fluid"].task == "descriptors"


@given(st.lists(st.lists(st.floats(-600, 600), min_size=3, max_size=3), min_size=1, max_size=4))
def test_sure_signs_stay_in_order_and_finite(values: list) -> None:
    found = joined(np.array(values), SIGNS)
    assert np.isfinite(found).all()
    more = joined(np.array(values) + 1.0, SIGNS)
    assert (more >= found).all()
    np.testing.assert_allclose(found[:, 1], np.array(values)[:, 2], rtol=1e-6, atol=1e-6)


def test_a_query_network_is_not_asked_for_denials(toy_data, toy_model) -> None:
    data = data_of(toy_data)
    model = toy_model(WORDS, scorer=lambda image, text: image.pooled @ text.pooled.T)
    model.scores_existence = True
    images = Encoded(torch.tensor(data.vectors, dtype=torch.float32))
    want = data.vectors @ np.array([WORDS[sign] for sign in ("round", "white", "wet")]).T
    np.testing.assert_allclose(evidence(model, images, SIGNS), want, atol=1e-4)


def test_the_catalogue_s_signs_are_of_its_findings_and_do_not_name_them() -> None:
    file = catalogue("descriptors")
    for finding, several in file["findings"].items():
        assert canonical(finding) == finding
        assert len(set(several)) == len(several) >= 2
        assert not any(finding in sign for sign in several)
    found = signs(["Edema", "NIH:Effusion", "age", "Pneumothorax", "scar"])
    assert found.labels == ("Edema", "NIH:Effusion", "Pneumothorax")
    assert found.id.startswith("signs@1:")
    assert found.classes["Edema"].positive[0] == (
        "Haze around both hila, indicating pulmonary oedema."
    )
    Descriptors(found)
    with pytest.raises(DataError, match="none of them in age"):
        signs(["age"])


def test_signs_need_their_denials() -> None:
    lacking = replace(SIGNS, classes={"Mass": ClassPrompts(("round", "white"), ("not round",))})
    for prompts in (lacking, replace(SIGNS, kind="single-label")):
        with pytest.raises(DataError, match="one negative sentence for each"):
            Descriptors(prompts)
