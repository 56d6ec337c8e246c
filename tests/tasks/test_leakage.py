"""The probe of leakage on streams whose leakage is planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from asclip.errors import DataError
from asclip.tasks.leakage import ANATOMY, PATHOLOGY, SOURCES, WHOLE, hits, leakage
from asclip.types import Encoded

KINDS, PLACES = ("mass", "consolidation"), ("left", "right", "both")
STUDIES = 240


@pytest.fixture
def planted(toy_data: Any, toy_model: Any) -> Callable[..., tuple[Any, Any]]:
    """(model, data): the embedding holds kind and place; `leak` of the other is in each stream."""

    def make(leak: float, *, streams: bool = True) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        kind, place = rng.integers(0, 2, STUDIES), rng.integers(0, 3, STUDIES)
        vectors = np.concatenate([np.eye(2)[kind], np.eye(3)[place]], 1)
        vectors += rng.normal(0, 0.05, vectors.shape)
        facts = {"meta__kind": np.array(KINDS)[kind], "meta__place": np.array(PLACES)[place]}
        model = toy_model({})

        def parted(images: Encoded) -> tuple[Encoded, Encoded]:
            x, noise = images.pooled, torch.randn(STUDIES, 5) * 0.05
            what = torch.tensor([1.0, 1.0, leak, leak, leak])
            where = torch.tensor([leak, leak, 1.0, 1.0, 1.0])
            return Encoded(what * x + noise), Encoded(where * x + noise)

        model.disentangle = parted if streams else None
        model.encode_images = lambda data, **_: Encoded(
            torch.tensor(data.vectors, dtype=torch.float32)
        )
        torch.manual_seed(0)
        return model, toy_data(vectors, **facts)

    return make


def values(model: Any, data: Any) -> dict[str, float]:
    found = leakage(model, data, "meta:kind", "meta:place", resamples=50)
    return {score.label: score.value for score in found}


def test_streams_that_hold_one_fact_each_leak_nothing(planted: Any) -> None:
    found = values(*planted(0.0))
    assert len(found) == 6
    for fact, own, other, chance in (
        ("pathology", PATHOLOGY, ANATOMY, 1 / 2),
        ("anatomy", ANATOMY, PATHOLOGY, 1 / 3),
    ):
        assert found[f"{fact} from the {own}"] > 0.95
        assert found[f"{fact} from the {WHOLE}"] > 0.95
        assert found[f"{fact} from the {other}"] == pytest.approx(chance, abs=0.1)


def test_what_leaks_is_read(planted: Any) -> None:
    """As much as is planted: nothing, some, all of it."""
    label = f"anatomy from the {PATHOLOGY}"
    none, some, full = (values(*planted(leak))[label] for leak in (0.0, 0.05, 1.0))
    assert none + 0.1 < some < full - 0.1
    assert full > 0.95


def test_a_model_without_streams_has_the_embedding_in_place_of_both(planted: Any) -> None:
    found = values(*planted(0.0, streams=False))
    for fact in ("pathology", "anatomy"):
        assert len({found[f"{fact} from the {source}"] for source in SOURCES}) == 1
        assert found[f"{fact} from the {WHOLE}"] > 0.95


def test_a_score_has_its_chance_interval_and_studies(planted: Any) -> None:
    model, data = planted(0.0)
    data.studies.loc[:9, "meta:place"] = None
    scores = leakage(model, data, "meta:kind", "meta:place", resamples=50)
    assert [score.n for score in scores] == [STUDIES] * 3 + [STUDIES - 10] * 3
    assert [score.chance for score in scores] == [1 / 2] * 3 + [pytest.approx(1 / 3)] * 3
    assert all(score.low <= score.value <= score.high for score in scores)
    assert {(score.task, score.split, score.metric) for score in scores} == {
        ("leakage", "test", "balanced_accuracy")
    }


def test_studies_without_an_image_are_not_asked(planted: Any) -> None:
    model, data = planted(0.0, streams=False)
    data.vectors[:4] = np.nan
    found, patient, rows = hits(model, data, "meta:kind", WHOLE)
    assert len(found) == len(patient) == len(rows) == STUDIES - 4


def test_what_is_wrong_is_said(planted: Any) -> None:
    model, data = planted(0.0)
    with pytest.raises(DataError, match="must be a column of the data set; got 'meta:kin'"):
        leakage(model, data, "meta:kin", "meta:place")
    with pytest.raises(DataError, match="a source must be one of pathology stream"):
        hits(model, data, "meta:kind", "image")
    data.studies["meta:kind"] = "mass"
    with pytest.raises(DataError, match="two classes and 5 patients; got 1 and 120"):
        leakage(model, data, "meta:kind", "meta:place")
