"""Measures of challenges, asked of a model that knows the truth, knows nothing, or is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.data.ingest import ingest
from asclip.data.sources.table import Table
from asclip.errors import DataError
from asclip.files.preprocessing import Preprocessing
from asclip.phantom import challenges
from asclip.tasks.dense.pointing import centres
from asclip.tasks.measures import Measured, measure
from asclip.tasks.probing import cross_validated
from asclip.types import Encoded

STUDIES = 60


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(data set, folder, measures by name) of a small challenge, made once each."""
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            table = challenges.write(name, folder, STUDIES, size=32, workers=0)
            how = Preprocessing(size=(32, 32))
            data = ingest(Table(table, name=name), folder / "data", how, workers=0)
            about = {m["name"]: m for m in challenges.describe(name)["measures"]}
            made[name] = (data, folder, about)
        return made[name]

    return get


class Knowing:
    """Embeds an image as `vectors(dataset)` [n, D] says, and a text as `text(words)` [D] says."""

    scorer, scale = None, 1.0
    preprocessing = SimpleNamespace(digest="x")

    def __init__(self, vectors: Any, text: Any = None) -> None:
        self.vectors, self.text = vectors, text

    def encode_images(self, dataset: Dataset, **options: Any) -> Encoded:
        return Encoded(torch.from_numpy(np.asarray(self.vectors(dataset), np.float32)))

    def encode_texts(self, texts: list[str], **options: Any) -> Encoded:
        return Encoded(torch.from_numpy(np.stack([self.text(t) for t in texts]).astype(np.float32)))

    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        left = torch.nn.functional.normalize(image.pooled, dim=1)
        return left @ torch.nn.functional.normalize(text.pooled, dim=1).T


def test_a_mean_of_class_means_and_its_resamples() -> None:
    hits = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, 1.0]])
    found = Measured(hits, np.array(["a", "b", "c"]))
    assert found.value() == pytest.approx(0.75)
    samples = found.samples(200, seed=1)
    np.testing.assert_array_equal(samples, found.samples(200, seed=1))
    assert np.nanmin(samples) < 0.75 < np.nanmax(samples)


@pytest.mark.parametrize(("sign", "value"), [(1.0, 1.0), (-1.0, 0.0)])
def test_zero_shot_by_label(challenge: Any, sign: float, value: float) -> None:
    data, folder, about = challenge("unpaired")
    one, every = about["findings"], about["findings"]["of"]

    def image(part: Dataset) -> np.ndarray:
        return sign * (part.studies[[f"label:{n}" for n in every]].to_numpy(float) * 2 - 1)

    def text(words: str) -> np.ndarray:
        said = np.array([name in words.lower() for name in every], float)
        denied = any(w in words.lower().split() for w in ("no", "not", "without", "negative"))
        named = said.any() and not denied
        return said if named else -said if said.any() else np.full(len(said), -1.0)

    names = [name for name in one["of"] if name in ("mass", "consolidation", "pneumothorax")]
    one = one | {"of": names}
    assert measure(Knowing(image, text), data, one, folder).value() == pytest.approx(value)


def test_retrieval_among_the_asked(challenge: Any) -> None:
    data, folder, about = challenge("normals")
    one = about["abnormal reports"]
    asked = data.split("test").take(
        np.flatnonzero(data.split("test").studies["meta:truth:normal"].to_numpy(float) == 0)
    )
    from asclip.data.texts import told

    place = {told(text): k for k, text in enumerate(dict.fromkeys(asked.texts()))}

    def image(part: Dataset) -> np.ndarray:
        return np.stack([np.eye(len(place))[place[told(t)]] for t in part.texts()])

    model = Knowing(image, lambda words: np.eye(len(place))[place[words]])
    found = measure(model, data, one, folder)
    assert found.value() == 1.0
    assert len(found.values) == len(asked)
    blind = Knowing(lambda part: np.ones((len(part), 3)), lambda words: np.ones(3))
    same = len(asked) <= 5
    assert measure(blind, data, one, folder).value() == float(same)  # ties are misses


def test_pointing_reads_the_boxes(challenge: Any) -> None:
    data, folder, about = challenge("side_zone")
    one = about["pointing at the lesion"]
    grid = (8, 8)
    points = centres(grid)

    def looking(at: Any) -> Any:
        """A model whose regions are as like a text as they are near to `at(box)`."""

        def encode(part: Dataset, **options: Any) -> Encoded:
            cells = part.studies[one["columns"]].bfill(axis=1).iloc[:, 0]
            boxes = np.stack([np.array(cell.split(), float) for cell in cells])
            away = np.linalg.norm(points[None] - at(boxes)[:, None], axis=2)
            local = np.stack([np.cos(away), np.sin(away)], 2)
            return Encoded(torch.zeros(len(part), 2), torch.from_numpy(local).float())

        model = Knowing(None, lambda words: np.array([1.0, 0.0]))
        model.encode_images = encode  # pyright: ignore[reportAttributeAccessIssue]
        model.encoder = SimpleNamespace(image=SimpleNamespace(grid=grid))  # pyright: ignore[reportAttributeAccessIssue]
        return model

    found = measure(looking(lambda b: (b[:, :2] + b[:, 2:]) / 2), data, one, folder)
    ceiling = json.loads((folder / "challenge.json").read_text())["ceiling"][one["name"]]
    # The middle of a box lies in more boxes of others than the point that an oracle chooses.
    assert 0.5 < found.value() < ceiling
    assert found.values.shape[1] == 2
    assert (np.isnan(found.values).sum(1) == 1).all()  # one lesion a study
    for place in (0.0, 0.3, 0.6):  # one point for all films, however often it hits
        blind = measure(looking(lambda b, at=place: 0 * b[:, :2] + at), data, one, folder)
        assert blind.value() == pytest.approx(0.0, abs=1e-12)


def test_precision_leaves_the_own_patient_out(challenge: Any) -> None:
    data, folder, about = challenge("hyperedges")
    one = about["images alike"] | {"metric": "precision@1"}
    columns = one["columns"]
    found = measure(Knowing(lambda p: p.studies[columns].to_numpy(float) + 1e-3), data, one, folder)
    test = data.split("test")
    truth = test.studies[columns].to_numpy(float)
    assert np.isnan(found.values[:, 0]).sum() == (truth.sum(1) == 0).sum()

    def by_patient(part: Dataset) -> np.ndarray:
        return np.eye(2000)[part.patient_codes()]

    assert found.value() > measure(Knowing(by_patient), data, one, folder).value() + 0.3


def test_cross_modal_pairs_by_study(challenge: Any) -> None:
    data, folder, about = challenge("modalities")
    numbers = {s: k for k, s in enumerate(data.studies["study"])}

    def of(part: Dataset) -> np.ndarray:
        assert len(part.images) == len(part)  # one view at a time
        return np.eye(len(numbers))[[numbers[s] for s in part.studies["study"]]]

    assert measure(Knowing(of), data, about["CT of the film"], folder).value() == 1.0


def test_change_is_read_from_both_images(challenge: Any) -> None:
    data, folder, about = challenge("temporal")
    one = about["change of the pleural effusion"]
    column = one["columns"][0]
    words = {"worse": 1.0, "unchanged": 0.0, "better": -1.0}

    def of(part: Dataset) -> np.ndarray:
        """A later image is turned by its change, a prior lies at angle 0."""
        angle = part.studies[column].map(words).fillna(0.0).to_numpy(float)
        return np.stack([np.cos(angle), np.sin(angle)], 1)

    assert measure(Knowing(of), data, one, folder).value() > 0.95
    nothing = measure(Knowing(lambda p: np.ones((len(p), 2))), data, one, folder)
    assert nothing.value() == pytest.approx(1 / nothing.values.shape[1])


@pytest.mark.parametrize("compares", [True, False])
def test_change_is_told_by_words_only_if_films_are_compared(challenge: Any, compares: bool) -> None:
    """A film alone lies on the side of "worse", whatever happened; beside its prior it tells."""
    data, folder, about = challenge("temporal")
    one = about["pleural effusion, by words"]
    column = one["columns"][0]
    grew = {"worse": 1.0, "unchanged": 0.0, "better": -1.0}

    def of(part: Dataset) -> np.ndarray:
        later = part.studies[column].map(grew)
        return np.stack([later.fillna(0.0).to_numpy(float) + 5.0, np.ones(len(part))], 1)

    def said(text: str) -> np.ndarray:
        grown, shrunk = (bool(re.search(w, text)) for w in ("increased|worse", "decreased|better"))
        return np.array([float(grown) - float(shrunk), 1.0])

    model = Knowing(of, said)
    if compares:

        def beside_prior(image: Encoded, prior: Encoded, has: torch.Tensor) -> torch.Tensor:
            assert has.any()
            assert not has.all()
            before = torch.where(has[:, None], prior.pooled, image.pooled)
            return torch.stack([(image.pooled - before)[:, 0], torch.ones(len(has))], 1)

        model.beside_prior = beside_prior  # pyright: ignore[reportAttributeAccessIssue]
    found = measure(model, data, one, folder)
    chance = 1 / found.values.shape[1]
    assert found.value() == (1.0 if compares else pytest.approx(chance))


def test_a_report_against_its_twin(challenge: Any) -> None:
    data, folder, about = challenge("negation")
    one = about["report against its twin"]
    reports = set(data.split("test").texts())
    from asclip.data.texts import told

    own = {told(text) for text in reports}
    right = Knowing(lambda p: np.ones((len(p), 1)), lambda t: np.array([1.0 if t in own else -1.0]))
    assert measure(right, data, one, folder).value() == 1.0
    even = Knowing(lambda p: np.ones((len(p), 1)), lambda t: np.ones(1))
    assert measure(even, data, one, folder).value() == 0.5


def test_a_lean_to_denials_is_no_better_than_a_coin(challenge: Any) -> None:
    """Most findings are absent: of two texts the one that denies more is mostly the true one."""
    data, folder, about = challenge("negation")

    def denials(text: str) -> np.ndarray:
        return np.array([len(re.findall(r"\b(?:no|not|cannot)\b", text)), 1.0])

    blind = Knowing(lambda p: np.tile([1.0, 0.0], (len(p), 1)), denials)
    found = measure(blind, data, about["report against its twin"], folder)
    assert found.value() == 0.5
    assert np.nanmean(found.values) > 0.55


def test_a_probe_reads_what_is_there(challenge: Any) -> None:
    data, folder, about = challenge("shortcut")
    one = about["site from the embedding"] | {"columns": ("meta:site",)}

    def of(part: Dataset) -> np.ndarray:
        site = part.studies["meta:site"].to_numpy(str)
        return np.stack([site == s for s in sorted(set(site))], 1).astype(float)

    assert measure(Knowing(of), data, one, folder).value() == 1.0


def test_a_probe_that_knows_what_goes_with_a_fact_is_at_chance(challenge: Any) -> None:
    """The effusion goes with the site in four of five studies; here only it is seen."""
    data, folder, about = challenge("shortcut")
    one = about["site from the embedding"]
    site, label = one["columns"]
    ill = (data.studies[site] == "Harbour") == (np.arange(len(data)) % 5 > 0)
    tied = replace(data, studies=data.studies.assign(**{label: ill.astype(float)}))
    seen = Knowing(lambda part: np.stack([part.studies[label], 1 - part.studies[label]], 1))
    assert measure(seen, tied, one, folder).value() == pytest.approx(0.5)
    assert measure(seen, tied, one | {"columns": [site]}, folder).value() > 0.7
    harbour = 1.0 * (data.studies[site] == "Harbour")
    same = replace(data, studies=data.studies.assign(**{label: harbour}))
    with pytest.raises(DataError, match=r"needs studies of each pair of both; got 2 of 4"):
        measure(seen, same, one, folder)


def test_a_probe_beside_another_fact_finds_what_that_one_hides() -> None:
    """The site is seen through noise, the effusion well: equal weights would read the latter."""
    rng = np.random.default_rng(0)
    site = rng.random(4000) < 0.5
    ill = np.where(rng.random(4000) < 0.95, site, ~site)
    seen = np.stack([site + rng.normal(0, 0.5, 4000), 9.0 * ill], 1)
    who = np.arange(4000)
    found = cross_validated(seen, site.astype(str), who, ill.astype(str))
    assert np.nanmean(found, axis=0).mean() == pytest.approx(0.841, abs=0.03)  # Phi(0.5 / 0.5)
    assert np.nanmean(found, axis=0).min() > 0.75  # the rare pairs, too


def test_an_unknown_fact_is_no_class_of_a_probe(challenge: Any) -> None:
    data, folder, about = challenge("shortcut")
    lost = data.studies["meta:site"].where(np.arange(len(data)) % 4 > 0)
    data = replace(data, studies=data.studies.assign(**{"meta:site": lost}))
    one = about["site from the embedding"] | {"columns": ("meta:site",)}
    names = sorted(set(lost.dropna()))
    asked = []

    def of(part: Dataset) -> np.ndarray:
        asked.append(part.studies["meta:site"].isna().sum())
        return np.stack([part.studies["meta:site"] == name for name in names], 1).astype(float)

    found = measure(Knowing(of), data, one, folder)
    assert (asked[0], found.value(), found.values.shape[1]) == (0, 1.0, len(names))


def test_leakage_is_read_from_the_stream_that_is_named(challenge: Any) -> None:
    """The site is in the anatomy stream alone."""
    data, folder, about = challenge("shortcut")

    def of(part: Dataset) -> np.ndarray:
        site = part.studies["meta:site"].to_numpy(str)
        return np.stack([site == s for s in sorted(set(site))], 1).astype(float)

    model = Knowing(of)
    model.disentangle = lambda x: (Encoded(torch.ones_like(x.pooled)), x)
    one = about["site from the embedding"] | {"kind": "leakage", "columns": ("meta:site",)}
    assert measure(model, data, one | {"of": ("anatomy stream",)}, folder).value() == 1.0
    assert measure(model, data, one | {"of": ("pathology stream",)}, folder).value() <= 0.6


def test_unknown_kinds_and_empty_questions_are_named(challenge: Any, tmp_path: Path) -> None:
    data, folder, about = challenge("normals")
    with pytest.raises(DataError, match="a measure is one of"):
        measure(Knowing(None), data, about["findings"] | {"kind": "guess"}, folder)
    asked = about["abnormal reports"] | {"where": {"meta:truth:normal": "7"}}
    with pytest.raises(DataError, match="no study is asked"):
        measure(Knowing(None), data, asked, folder)
