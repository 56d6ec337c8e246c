"""The runner: the same shots for all, choices from validation alone, clear refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from asclip.adapt import ClassTexts, adapters, few_shot
from asclip.adapt.few_shot import fits
from asclip.adapt.question import Question
from asclip.data.prompts import ClassPrompts, PromptSet
from asclip.errors import DataError, LeakageError, ModelError
from asclip.tasks.classification.zero_shot import ZeroShot
from drawn import SAID

DRAWN = PromptSet(
    "drawn",
    "1",
    "multi-label",
    {name: ClassPrompts((here,), (absent,)) for name, (here, absent) in SAID.items()},
)
QUICK = (
    "zero-shot,linear-probe,lp++:steps=40,clip-adapter:steps=10,tip-adapter,tip-adapter-f:steps=10,"
    "coop:vectors=3,steps=4,cocoop:vectors=3,steps=4,kgcoop:vectors=3,steps=4,prograd:vectors=3,steps=4"
)


def run(model, data, methods: str = QUICK, **options):
    options = {"shots": (1, 4), "seeds": (0, 1), "resamples": 20} | options
    return few_shot(model, data, DRAWN, adapters(methods), **options)


def without_time(rows) -> list[dict]:
    return [{k: v for k, v in row.to_json().items() if k != "seconds"} for row in rows]


def test_rows_have_every_fit_and_the_floor_once(drawn_data, make_model) -> None:
    heard: list[str] = []
    rows = run(make_model(), drawn_data, say=heard.append)
    methods = list(adapters(QUICK))
    expected = [("zero-shot", 0, 0)]
    expected += [(m, k, s) for s in (0, 1) for k in (1, 4) for m in methods if m != "zero-shot"]
    found = [(r.fit.method, r.fit.drawn.shots, r.fit.drawn.seed) for r in rows]
    assert list(dict.fromkeys(found)) == expected
    assert {r.score.metric for r in rows} == {"auroc", "average_precision"}
    assert all(r.score.low <= r.score.value <= r.score.high for r in rows)
    assert len(heard) == len(expected)
    record = rows[2].to_json()
    assert json.loads(json.dumps(record))["chosen"]["C"]
    assert {"studies", "short", "seconds", "metric", "value", "low", "high"} <= set(record)


def test_the_floor_is_the_zero_shot_task(drawn_data, make_model) -> None:
    model = make_model()
    (floor,) = [r for r in run(model, drawn_data, "zero-shot") if r.score.metric == "auroc"]
    task = ZeroShot(DRAWN, resamples=20)
    predicted = task.predict(model, drawn_data.split("test"))
    scores = {(s.metric, s.label): s for s in task.evaluate(predicted)}
    assert floor.score.value == pytest.approx(scores["auroc", "macro"].value)


def test_few_examples_help(drawn_data, make_model) -> None:
    """Towers with random weights see bright squares, and understand nothing."""
    methods = ("zero-shot", "linear-probe", "tip-adapter")
    rows = run(make_model(), drawn_data, ",".join(methods), shots=(16,), seeds=(0, 1, 2))
    found = {
        method: np.mean(
            [r.score.value for r in rows if (r.fit.method, r.score.metric) == (method, "auroc")]
        )
        for method in methods
    }
    assert found["linear-probe"] > max(0.75, found["zero-shot"]), found
    assert found["tip-adapter"] > found["zero-shot"], found


def poisoned(data, rng: np.random.Generator):
    """Other pixels and other labels for the test split, and those alone."""
    test = (data.studies["split"] == "test").to_numpy()
    slots = np.concatenate([s for s, bad in zip(data.image_rows(), test, strict=True) if bad])
    pixels = np.array(data.pixels)
    pixels[slots] = rng.integers(0, 256, pixels[slots].shape, dtype=np.uint8)
    studies = data.studies.copy()
    for name in data.labels:
        values = rng.choice([0.0, 1.0, np.nan], len(studies))
        studies[f"label:{name}"] = np.where(test, values, studies[f"label:{name}"])
    return replace(data, pixels=pixels, studies=studies)


def test_the_test_split_changes_no_choice_and_no_weight(drawn_data, make_model) -> None:
    model, bad = make_model(), poisoned(drawn_data, np.random.default_rng(5))
    rows, others = run(model, drawn_data), run(model, bad)
    assert [(r.fit.method, r.fit.adapted.chosen) for r in rows] == [
        (r.fit.method, r.fit.adapted.chosen) for r in others
    ]
    assert [r.score.value for r in rows] != [r.score.value for r in others]
    features = torch.nn.functional.normalize(torch.randn(20, 16), dim=1)
    for one, two in zip(rows, others, strict=True):
        assert torch.equal(one.fit.adapted.scores(features), two.fit.adapted.scores(features))


def test_fits_see_two_splits_only(drawn_data, make_model) -> None:
    model = make_model()
    train, validation = drawn_data.split("train"), drawn_data.split("val")
    question = Question.of(train, validation, DRAWN, print)
    texts = ClassTexts.of(model, question.prompts)
    some = fits(model, train, validation, question, texts, adapters("tip-adapter"), shots=(2,),
                seeds=(0,))  # fmt: skip
    (one,) = some
    (row, _) = run(model, drawn_data, "tip-adapter", shots=(2,), seeds=(0,))
    assert torch.equal(one.adapted.keys, row.fit.adapted.keys)


def test_the_model_stays_as_it_was(drawn_data, make_model) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    run(model, drawn_data, shots=(2,), seeds=(0,))
    after = model.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_drawn_studies_are_written_and_read_again(drawn_data, make_model, tmp_path) -> None:
    model = make_model()
    first = run(model, drawn_data, "tip-adapter", folder=tmp_path)
    path = tmp_path / "shots-1.json"
    content = json.loads(path.read_text())
    (row, *_) = [r for r in first if r.fit.drawn.seed == 1]
    assert row.fit.drawn.studies == len({s[0] for one in content["orders"].values()
                                         for s in one.values()})  # fmt: skip
    assert without_time(run(model, drawn_data, "tip-adapter", folder=tmp_path)) == without_time(
        first
    )
    for sides in content["orders"].values():
        sides["has"], sides["has not"] = sides["has"][::-1], sides["has not"][::-1]
    path.write_text(json.dumps(content))
    turned = run(model, drawn_data, "tip-adapter", folder=tmp_path)
    keys = [
        next(r.fit.adapted.keys for r in rows if r.fit.drawn.shots == r.fit.drawn.seed == 1)
        for rows in (first, turned)
    ]
    assert keys[0].shape != keys[1].shape or not torch.equal(*keys)
    bigger = run(model, drawn_data, "tip-adapter", shots=(1, 6), folder=tmp_path)
    assert json.loads(path.read_text())["most"] == 6
    assert bigger[0].to_json()["chosen"] == first[0].to_json()["chosen"]


def test_more_shots_than_patients_says_how_many_there_are(drawn_data, make_model) -> None:
    rows = run(make_model(), drawn_data, "tip-adapter", shots=(64,), seeds=(0,))
    short = rows[0].to_json()["short"]
    assert set(short) <= {f"{a}: {b}" for a in ("effusion", "mass") for b in ("has", "has not")}
    assert all(0 < number < 64 for number in short.values())
    assert short


def labelled(data, **columns):
    studies = data.studies.assign(**{f"label:{name}": value for name, value in columns.items()})
    return replace(data, studies=studies)


def test_a_label_of_one_side_is_left_out_and_said(drawn_data, make_model) -> None:
    heard: list[str] = []
    rows = run(make_model(), labelled(drawn_data, mass=1.0), "linear-probe", say=heard.append)
    assert heard[0] == "left out, as training has one side only: mass"
    assert rows[0].score.n > 0


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_labels_that_teach_nothing_are_refused(value: float, drawn_data, make_model) -> None:
    data = labelled(drawn_data, mass=value, effusion=value)
    with pytest.raises(DataError, match=r"must have a label .* got none of effusion, mass"):
        run(make_model(), data, "linear-probe")


def test_validation_without_labels_is_refused(drawn_data, make_model) -> None:
    inside = (drawn_data.studies["split"] == "val").to_numpy()
    columns = {n: drawn_data.studies[f"label:{n}"].where(~inside) for n in drawn_data.labels}
    with pytest.raises(DataError, match="validation must have at least one known label"):
        run(make_model(), labelled(drawn_data, **columns), "linear-probe")


def test_one_class_of_several(drawn_data, make_model) -> None:
    """One of three kinds a study, from a meta column; a kind of nobody plays no part."""
    effusion, mass = (drawn_data.studies[f"label:{n}"] == 1 for n in ("effusion", "mass"))
    kind = np.select([effusion, mass], ["fluid", "lump"], "clear")
    data = replace(drawn_data, studies=drawn_data.studies.assign(**{"meta:kind": kind}))
    classes = {"fluid": "left effusion", "lump": "a mass", "clear": "no", "bone": "normal"}
    asked = PromptSet(
        "kinds", "1", "single-label", {k: ClassPrompts((v,)) for k, v in classes.items()},
        column="kind",
    )  # fmt: skip
    rows = few_shot(make_model(), data, asked, adapters(QUICK), shots=(2,), seeds=(0,),
                    resamples=20)  # fmt: skip
    metrics = {r.score.metric for r in rows}
    assert metrics == {"auroc", "average_precision", "accuracy", "balanced_accuracy"}
    accuracy = {r.fit.method: r.score for r in rows if r.score.metric == "accuracy"}
    assert accuracy["linear-probe"].chance == pytest.approx(1 / 3)
    assert len(accuracy) == len(adapters(QUICK))
    alone = replace(data, studies=data.studies.assign(**{"meta:kind": "lump"}))
    with pytest.raises(DataError, match=r"got none of fluid \(has\), clear \(has\), bone \(has\)"):
        few_shot(make_model(), alone, asked, adapters("tip-adapter"), shots=(2,), seeds=(0,))


def test_patients_on_both_sides_are_refused(drawn_data, make_model) -> None:
    with pytest.raises(LeakageError, match="are in train or val; score the test split"):
        run(make_model(), drawn_data, "tip-adapter", split="val")


def test_names_and_parameters() -> None:
    some = adapters("tip-adapter, coop:vectors=4,steps=50,kgcoop:weight=2")
    assert list(some) == ["tip-adapter", "coop:vectors=4,steps=50", "kgcoop:weight=2"]
    assert some["kgcoop:weight=2"].weight == 2.0
    assert len(adapters()) >= 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("tip-adaptr", r"no adapter is called 'tip-adaptr'; did you mean 'tip-adapter'"),
        ("coop:vector=3", r"adapter 'coop' has no parameter 'vector'; did you mean 'vectors'"),
        ("zero-shot:a=1", r"'zero-shot' has no parameter 'a'; it has none"),
        ("coop:vectors=some", r"vectors of 'coop' must be int, got 'some'; the default is 8"),
        ("coop:steps=-1", r"steps of 'coop' must not be below 0, got -1"),
    ],
)
def test_a_wrong_word_is_said(words: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        adapters(words)
