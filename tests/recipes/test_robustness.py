from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asclip.data.dataset import Dataset
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.recipes.evaluation import Encodings
from asclip.recipes.pretraining import load
from asclip.recipes.robust_words import absent_texts
from asclip.recipes.robustness import robustness
from asclip.tasks.classification.zero_shot import ZeroShot
from asclip.types import Score

SET = PromptSet(
    "drawn",
    "1",
    "multi-label",
    {
        "effusion": ClassPrompts(
            ("There is a left effusion.", "Effusion."), ("No effusion.", "There is no effusion.")
        ),
        "mass": ClassPrompts(("A mass is seen on the right.",), ("There is no mass.",)),
    },
)
OPTIONS = {"seed": 0, "resamples": 20, "studies": 24, "faults": ("brightness", "occlusion")}


@pytest.fixture(scope="module")
def part(data: Path) -> Dataset:
    """The drawn pictures with a site, those of one site spoilt, and a second picture for a few."""
    every = Dataset.open(data)
    rng = np.random.default_rng(0)
    away = np.arange(len(every)) % 2 == 1
    pixels = np.array(every.pixels)
    for row in np.flatnonzero(away):
        pixels[every.image_rows()[row]] = rng.integers(0, 256, pixels.shape[1:], dtype=np.uint8)
    studies = every.studies.assign(**{"meta:site": np.where(away, "Harbour", "Lakeside")})
    return replace(every, studies=studies, pixels=pixels)


@pytest.fixture(scope="module")
def found(run: Path, part: Dataset) -> tuple[list[Score], list[str]]:
    return robustness(Encodings(load(run)), part, [SET], **OPTIONS)


def of(scores: list[Score], task: str, metric: str) -> dict[str, Score]:
    return {s.label: s for s in scores if (s.task, s.metric) == (f"robustness-{task}", metric)}


def test_every_block_has_its_records(found: tuple[list[Score], list[str]], part: Dataset) -> None:
    scores, _ = found
    levels = {f"{name}-{k}" for name in OPTIONS["faults"] for k in range(1, 6)}
    assert set(of(scores, "images", "auroc")) == {"clean"} | levels
    assert set(of(scores, "images", "relative_drop")) == set(OPTIONS["faults"]) | levels
    attack = {"fgsm-1", "fgsm-2", "fgsm-3", "fgsm-4", "random-4"}
    assert set(of(scores, "attack", "relative_drop")) == attack
    assert {f"typing-{k}" for k in range(1, 6)} == set(of(scores, "prompts", "relative_drop"))
    templates = {"all templates", "least template", "mean template", "best template"}
    assert templates <= set(of(scores, "prompts", "auroc"))
    assert set(of(scores, "negation", "auroc")) == {"affirmed", "denied"}
    assert set(of(scores, "site", "auroc")) == {"site Harbour", "site Lakeside"}
    assert {s.n for s in scores if s.task == "robustness-images"} == {24}
    assert all(s.prompts == SET.id for s in of(scores, "images", "auroc").values())
    assert {s.n for s in of(scores, "prompts", "auroc").values()} == {len(part)}


def test_clean_scores_are_those_of_the_task_itself(
    found: tuple[list[Score], list[str]], run: Path, part: Dataset
) -> None:
    model = load(run)
    task = ZeroShot(SET, seed=0, resamples=20)
    wanted = {s.label: s for s in task.evaluate(task.predict(model, part)) if s.metric == "auroc"}
    whole = of(found[0], "prompts", "auroc")["all templates"]
    assert whole.value == pytest.approx(wanted["macro"].value)


def test_more_of_a_fault_costs_more_and_the_worst_way_more_than_chance(
    found: tuple[list[Score], list[str]],
) -> None:
    images = of(found[0], "images", "relative_drop")
    assert images["brightness-5"].value > images["brightness-1"].value
    five = [images[f"brightness-{k}"].value for k in range(1, 6)]
    assert images["brightness"].value == pytest.approx(np.mean(five))
    attack = of(found[0], "attack", "relative_drop")
    assert attack["fgsm-4"].value > attack["random-4"].value
    assert attack["fgsm-4"].value >= attack["fgsm-1"].value


def test_a_spoilt_site_is_told(found: tuple[list[Score], list[str]]) -> None:
    scores, warnings = found
    drops = of(scores, "site", "relative_drop")
    assert drops["site Harbour"].value > 0.1 > drops["site Lakeside"].value
    assert any("site Harbour" in text for text in warnings)


def test_the_same_seed_gives_the_same_records(run: Path, part: Dataset) -> None:
    options = OPTIONS | {"studies": 10, "faults": ("occlusion",)}
    twice = [robustness(Encodings(load(run)), part, [SET], **options)[0] for _ in range(2)]
    assert [repr(s) for s in twice[0]] == [repr(s) for s in twice[1]]


def test_other_pseudonyms_change_nothing(run: Path, part: Dataset) -> None:
    names = {name: f"{k % 7}{k}" for k, name in enumerate(sorted(set(part.studies["group"])))}
    studies = part.studies.assign(
        **{column: part.studies[column].map(names) for column in ("patient", "group")}
    )
    options = OPTIONS | {"studies": 10, "faults": ("occlusion",)}
    one, other = (
        robustness(Encodings(load(run)), data, [SET], **options)[0]
        for data in (part, replace(part, studies=studies))
    )
    assert [repr(s) for s in one] == [repr(s) for s in other]


def test_views_are_left_out_one_after_the_other(run: Path, data: Path) -> None:
    """A second picture that shows nothing takes half of the score, and the first all of it."""
    every = Dataset.open(data)
    grey = np.full((1, *every.pixels.shape[1:]), 90, np.uint8)
    extra = every.images.assign(slot=len(every.pixels), view="LATERAL")
    images = np.repeat(every.images.assign(view="PA").to_dict("records"), 1).tolist()
    rows = [row for pair in zip(images, extra.to_dict("records"), strict=True) for row in pair]
    import pandas as pd

    both = replace(
        every,
        images=pd.DataFrame(rows).astype(every.images.dtypes.to_dict()),
        pixels=np.concatenate([every.pixels, grey]),
    )
    scores, _ = robustness(Encodings(load(run)), both, [SET], **OPTIONS | {"faults": ()})
    drops = of(scores, "missing", "relative_drop")
    assert set(drops) == {"without PA", "without LATERAL"}
    assert drops["without PA"].value > 0.1
    assert drops["without LATERAL"].value < 0.05
    assert {s.n for s in drops.values()} == {24}


def test_a_question_that_studies_with_two_views_do_not_answer_is_left_out(
    run: Path, data: Path
) -> None:
    """Half of the studies have one view, half have both, which are asked for no view."""
    import pandas as pd

    every = Dataset.open(data)
    first = every.images.assign(
        view=["PA", "LATERAL"] * (len(every) // 2) + ["PA"] * (len(every) % 2)
    )
    second = first.iloc[len(first) // 2 :].assign(view="LATERAL")
    first.loc[first.index[len(first) // 2 :], "view"] = "PA"
    images = pd.concat([first, second]).sort_values("study", kind="stable").reset_index(drop=True)
    both = replace(every, images=images)
    views = PromptSet(
        "view", "1", "single-label",
        {"PA": ClassPrompts(("A frontal film.",)), "LATERAL": ClassPrompts(("A lateral film.",))},
        column="view",
    )  # fmt: skip
    heard: list[str] = []
    options = OPTIONS | {"faults": (), "say": heard.append}
    scores, _ = robustness(Encodings(load(run)), both, [SET, views], **options)
    drops = of(scores, "missing", "relative_drop")
    assert set(drops) == {"without PA", "without LATERAL"}
    assert any("left out" in line and "view" in line for line in heard)


def test_a_supervised_run_is_asked_without_prompts(bound: Path, part: Dataset) -> None:
    scores, _ = robustness(Encodings(load(bound)), part, [], **OPTIONS)
    tasks = {s.task for s in scores}
    assert tasks == {"robustness-images", "robustness-attack", "robustness-site"}
    attack = of(scores, "attack", "relative_drop")
    assert attack["fgsm-4"].value > attack["random-4"].value


def test_an_absent_text_costs_what_it_alone_says(data: Path) -> None:
    """The report tells the studies apart, the title does not."""
    part = Dataset.open(data)
    titles = part.studies.assign(**{"text:title": "Chest", "placeholder:title": False})
    part = replace(part, studies=titles)

    class Told:
        """Embeds a study by its number, its report by the same, a title by nothing of use."""

        preprocessing, scorer = part.preprocessing, None

        def encode_images(self, data: Dataset) -> object:
            import torch

            from asclip.types import Encoded

            return Encoded(torch.eye(len(data)) + 0.01)

        def encode_texts(self, texts: list[str]) -> object:
            import torch

            from asclip.types import Encoded

            if texts[0] == "Chest":
                return Encoded(torch.ones(len(texts), len(part)))
            return Encoded(torch.eye(len(part)))

    scores = list(absent_texts(Told(), part, {"seed": 0, "resamples": 20}))
    found = {(s.metric, s.label): s.value for s in scores}
    assert found["recall@10", "all texts"] == 1
    assert found["relative_drop", "without title"] == 0
    assert found["relative_drop", "without text"] == 0  # ... and was, by the same rule
    chance = {(s.metric, s.label): s.chance for s in scores}
    assert chance["recall@10", "without text"] == 1
    assert 10 / len(part) < chance["recall@10", "all texts"] < 1  # some reports read the same
    assert found["recall@10", "without text"] == 1  # all titles are the same, so each is right
