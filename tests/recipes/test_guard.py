from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from asclip.data.dataset import Dataset
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.recipes.exam import Encodings
from asclip.recipes.guard import guard, shortcuts
from asclip.trust.corruptions import corrupt
from asclip.types import Encoded
from clinic import clinic

LONG = "There is a left effusion of moderate size with overlying opacity. " * 5
TRAIN, TEST = 40, 20


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Studies of two pictures, all different, in two splits; every text but one is its own."""
    studies = [
        {"split": "train" if k < TRAIN else "test", "images": 1 + k % 2, "text": f"{LONG} {k}"}
        for k in range(TRAIN + TEST)
    ]
    return clinic(tmp_path_factory.mktemp("guard"), studies, size=64)


def found(dataset: Dataset) -> tuple[dict[str, float], list[str]]:
    scores, warnings = guard(dataset)
    assert all(one.n == TEST and one.task == "leakage-guard" for one in scores)
    return {one.metric: round(one.value * TEST) for one in scores}, warnings


def test_a_clean_set_has_nothing_to_say(clean: Dataset) -> None:
    counts, warnings = found(clean)
    names = ["patients", "identical_images", "near_duplicates", "texts", "own_texts"]
    assert counts == dict.fromkeys(names, 0)
    assert warnings == []


def changed(dataset: Dataset, column: str, test_row: int, train_row: int) -> Dataset:
    """One cell of a test study is that of a training study."""
    studies = dataset.studies.copy()
    studies.loc[TRAIN + test_row, column] = studies.loc[train_row, column]
    return replace(dataset, studies=studies)


def test_planted_patients_and_texts_are_counted(clean: Dataset) -> None:
    leaky = changed(changed(clean, "patient", 3, 5), "group", 4, 6)
    for row in (7, 8, 9):
        leaky = changed(leaky, "text", row, row)
    counts, (warning,) = found(leaky)
    assert (counts["patients"], counts["texts"], counts["own_texts"]) == (2, 3, 3)
    assert (
        "of 20 studies 2 are of patients that are also on another side; 3 have a report" in warning
    )


def test_a_text_of_many_patients_or_a_short_one_is_no_leak(clean: Dataset) -> None:
    studies = clean.studies.copy()
    studies.loc[[0, 1, TRAIN, TRAIN + 1], "text"] = LONG
    studies.loc[[2, TRAIN + 2], "text"] = "No acute disease."
    counts, warnings = found(replace(clean, studies=studies))
    assert (counts["texts"], counts["own_texts"], warnings) == (3, 0, [])


def test_reports_are_compared_by_what_they_tell_of_the_image(clean: Dataset) -> None:
    studies = clean.studies.copy()
    for row, why in ((1, "Cough"), (TRAIN + 1, "Fever, 45 years old")):
        studies.loc[row, "text"] = f"INDICATION: {why}. FINDINGS: {LONG} IMPRESSION: Effusion."
    counts, (warning,) = found(replace(clean, studies=studies))
    assert (counts["texts"], counts["own_texts"]) == (1, 1)
    assert "1 have a report of 40 words or more that another side has" in warning


def test_planted_copies_are_counted_by_study_and_only_across_patients(clean: Dataset) -> None:
    pixels, images = np.array(clean.pixels), clean.images.copy()
    slots = clean.image_rows()
    for test_row, train_row in ((0, 1), (2, 4), (5, 6)):  # the second picture of study 41 is free
        source = pixels[slots[train_row][0]]
        pixels[slots[TRAIN + test_row][-1]] = corrupt(source, "jpeg", 1, np.random.default_rng(0))
    one, other = (images.index[images["study"] == row][0] for row in (TRAIN + 9, 9))
    images.loc[one, "digest"] = images.loc[other, "digest"]
    leaky = replace(clean, pixels=pixels, images=images)
    counts, (warning,) = found(leaky)
    assert (counts["near_duplicates"], counts["identical_images"]) == (3, 1)
    assert "3 have nearly the picture of another patient" in warning
    # The same patient again is told as such, and not as a copy of another.
    counts, _ = found(changed(leaky, "patient", 2, 4))
    assert (counts["near_duplicates"], counts["patients"]) == (2, 1)


def test_blank_pictures_are_no_copies(clean: Dataset) -> None:
    pixels, images = np.array(clean.pixels), clean.images.copy()
    for row in (0, TRAIN):
        pixels[clean.image_rows()[row]] = 0
        images.loc[images["study"] == row, ["digest", "blank"]] = ["blank", True]
    counts, warnings = found(replace(clean, pixels=pixels, images=images))
    assert (counts["near_duplicates"], counts["identical_images"], warnings) == (0, 0, [])


def test_without_another_side_there_is_nothing_to_compare(clean: Dataset) -> None:
    heard: list[str] = []
    assert guard(clean, "all", say=heard.append) == ([], [])
    assert guard(clean, "val", say=heard.append) == ([], [])
    assert guard(clean.split("test"), "test", say=heard.append) == ([], [])
    assert len(heard) == 3


class Read:
    """A model whose image vector is the picture, and whose text vectors point at its rows."""

    scorer, scale, scores_existence = None, 1.0, False

    def __init__(self, dataset: Dataset) -> None:
        self.preprocessing = dataset.preprocessing

    def encode_images(self, dataset: Dataset) -> Encoded:
        first = [dataset.pixels[slots[0]] for slots in dataset.image_rows()]
        return Encoded(torch.from_numpy(np.stack(first).reshape(len(dataset), -1)).float())

    def encode_texts(self, texts: list[str]) -> Encoded:
        # Brighter upper half: a mass; the other half is where the site shows.
        half = torch.cat([torch.ones(32 * 64), torch.zeros(32 * 64)])
        return Encoded(torch.stack([(1 - half if t.startswith("No") else half) for t in texts]))

    def score(self, image: Encoded, text: Encoded) -> torch.Tensor:
        unit = torch.nn.functional.normalize
        return unit(image.pooled, dim=1) @ unit(text.pooled, dim=1).T


@pytest.mark.parametrize("betrays", [True, False])
def test_a_site_that_the_score_goes_by_is_said(clean: Dataset, betrays: bool) -> None:
    count, rng = 160, np.random.default_rng(0)
    rows = np.arange(TRAIN + TEST).repeat(8)[:count]
    site, mass = rng.random(count) < 0.5, rng.random(count) < 0.5
    shown = rng.integers(100, 140, (count, 64, 64))
    shown[:, :32] += (8 * mass + 8 * (betrays & site))[:, None, None] + rng.integers(
        0, 9, (count, 1, 1)
    )
    shown[:, 40:50, :8] += (60 * site)[:, None, None]
    named = [f"S{k}" for k in range(count)]
    studies = (
        clean.studies.iloc[rows]
        .reset_index(drop=True)
        .assign(
            **{
                "study": named,
                "patient": named,
                "group": named,
                "split": np.where(np.arange(count) < 60, "train", "test"),
                "label:mass": np.where(np.arange(count) < 60, site, mass).astype(float),
                "meta:Site": np.where(site, "Harbour", "Lakeside"),
            }
        )
    )
    images = clean.images.iloc[[0] * count].assign(study=range(count), slot=range(count))
    dataset = replace(
        clean, studies=studies, images=images.reset_index(drop=True), pixels=shown.astype(np.uint8)
    )
    kinds = {"mass": ClassPrompts(("A mass.",), ("No mass.",))}
    prompts = PromptSet("toy", "1", "multi-label", kinds)
    scores, warnings = shortcuts(Encodings(Read(dataset)), dataset, [prompts])
    assert {one.label for one in scores} == {"mass by Site"}
    assert {one.split for one in scores} == {"test"}
    assert bool(warnings) == betrays


def test_no_warning_names_a_study_or_a_patient(clean: Dataset, tmp_path: Path) -> None:
    leaky = changed(clean, "patient", 3, 5)
    _, (warning,) = found(leaky)
    assert not any(name in warning for name in set(leaky.studies["patient"]))
