from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.data.sources.table import Table
from asclip.errors import DataError
from asclip.files.preprocessing import Preprocessing
from asclip.phantom import challenges
from asclip.recipes.pictures import heatmaps
from asclip.tasks import beside
from asclip.tasks.beside import asked_of
from asclip.tasks.classification import sensitivity as choice
from asclip.tasks.classification.sensitivity import prompt_spread
from asclip.tasks.classification.zero_shot import ZeroShot, score_encoded
from asclip.tasks.provenance import who
from asclip.types import Encoded, Predictions

CHANGE = PromptSet(
    "change",
    "1",
    "single-label",
    {"worse": ClassPrompts(("less",)), "better": ClassPrompts(("more",))},
    column="change:pneumothorax",
    beside="prior",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("temporal")
    table = challenges.write("temporal", folder, 24, size=32, workers=0)
    return ingest(
        Table(table, name="temporal"), folder / "data", Preprocessing(size=(32, 32)), workers=0
    )


class Numbered:
    """Study n lies at (n, 1); beside its prior m it lies at (n, m)."""

    scorer, scale = staticmethod(lambda image, text: 1 / 0), 1.0
    preprocessing = SimpleNamespace(digest="x")
    scores_existence = True

    def encode_images(self, dataset: Dataset, **options: Any) -> Encoded:
        row = torch.arange(len(dataset), dtype=torch.float32)
        return Encoded(torch.stack([row, torch.ones(len(row))], 1))

    def encode_texts(self, texts: list[str], **options: Any) -> Encoded:
        return Encoded(torch.eye(2)[[int(t == "more") for t in texts]])

    def beside_prior(self, image: Encoded, prior: Encoded, has: torch.Tensor) -> torch.Tensor:
        before = torch.where(has, prior.pooled[:, 0], -1.0)
        return torch.stack([image.pooled[:, 0], before], 1)


@pytest.mark.parametrize("chunk", [256, 5])
def test_each_study_meets_the_one_before(
    data: Dataset, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "CHUNK", chunk)
    found = asked_of(Numbered(), CHANGE).encode_images(data).pooled
    patient = data.studies["group"].tolist()  # two studies of each, the earlier one first
    prior = [row - 1 if patient[row] in patient[:row] else -1 for row in range(len(data))]
    np.testing.assert_array_equal(found[:, 1], prior)
    np.testing.assert_array_equal(found[:, 0], np.arange(len(data)))


def test_a_study_before_without_an_image_is_none(data: Dataset) -> None:
    class Blind(Numbered):
        def encode_images(self, dataset: Dataset, **options: Any) -> Encoded:
            found = super().encode_images(dataset)
            found.pooled[0] = torch.nan
            return found

    whole, found = (asked_of(m, CHANGE).encode_images(data).pooled for m in (Numbered(), Blind()))
    assert whole[1, 1] == 0  # the first study is the second one's prior
    assert found[1].tolist() == [1.0, -1.0]
    np.testing.assert_array_equal(found[2:], whole[2:])


def test_who_compares_nothing_or_is_asked_of_one_image_stays_itself() -> None:
    for model in (SimpleNamespace(beside_prior=None), SimpleNamespace()):
        assert asked_of(model, CHANGE) is model
    one = Numbered()
    assert asked_of(one, replace(CHANGE, beside="")) is one


def test_no_study_and_no_order(data: Dataset) -> None:
    none = asked_of(Numbered(), CHANGE).encode_images(data.take(np.array([], int)))
    assert none.pooled.shape == (0, 2)
    blind = replace(data, studies=data.studies.drop(columns=["meta:date"]))
    with pytest.raises(DataError, match="no fact tells their order"):
        asked_of(Numbered(), CHANGE).encode_images(blind)


def test_a_film_alone_is_not_asked_beside_another() -> None:
    with pytest.raises(DataError, match="beside the patient's study before"):
        score_encoded(Numbered(), Encoded(torch.ones(1, 2)), CHANGE)


def test_zero_shot_asks_the_pair_and_says_so(data: Dataset) -> None:
    found = ZeroShot(CHANGE).predict(Numbered(), data)
    assert found.provenance["sees_prior"] is True
    vectors = torch.nn.functional.normalize(asked_of(Numbered(), CHANGE).encode_images(data).pooled)
    np.testing.assert_allclose(found.scores[:, 0], vectors[:, 0] - vectors[:, 1], rtol=1e-6)


def test_the_choice_of_prompts_is_asked_of_the_pair(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Encoded] = []

    def spread(model: Any, images: Encoded, *rest: Any, **options: Any) -> Any:
        given.append(images)
        return prompt_spread(model, images, *rest, **options)

    monkeypatch.setattr(choice, "prompt_spread", spread)
    choice.sensitivity(Numbered(), data, CHANGE, halves=2)
    whole = asked_of(Numbered(), CHANGE).encode_images(data)
    torch.testing.assert_close(given[0].pooled, whole.pooled)


def test_a_card_maps_no_question_of_two_images(data: Dataset) -> None:
    """A map of one film for "has increased" would show what was not asked."""
    one = replace(CHANGE, kind="multi-label", column="")
    found = Predictions(np.zeros((len(data), 2)), np.ones((len(data), 2)), one.labels, **who(data))
    assert heatmaps(Numbered(), data, [(one, found)]) == []  # pyright: ignore[reportArgumentType]
