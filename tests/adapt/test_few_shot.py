"""The runner: the same shots for all, choices from validation alone, clear refusals."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from asclip.adapt import adapters, few_shot
from asclip.adapt.draws import Amounts
from asclip.adapt.few_shot import fits
from asclip.adapt.question import Question, Seen
from asclip.adapt.rows import Row
from asclip.adapt.sides import sides_of
from asclip.adapt.tip_adapter import TipAdapter
from asclip.adapt.tuning import Tuned
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
    "coop:vectors=3,steps=4,cocoop:vectors=3,steps=4,kgcoop:vectors=3,steps=4,"
    "prograd:vectors=3,steps=4,biomedcoop:vectors=3,steps=4,lora:steps=2,layer-wise:steps=2,"
    "fine-tuning:steps=2"
)


class Spy:
    """An adapter that remembers what it has fitted."""

    def __init__(self, inner) -> None:
        self.inner, self.made = inner, []

    def fit(self, support, validation, texts, *, seed: int):
        self.made.append(self.inner.fit(support, validation, texts, seed=seed))
        return self.made[-1]


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
    found = [(r.method, r.drawn.shots, r.drawn.seed) for r in rows]
    assert list(dict.fromkeys(found)) == expected
    assert {r.score.metric for r in rows} == {"auroc", "average_precision"}
    assert all(r.score.low <= r.score.value <= r.score.high for r in rows)
    assert len(heard) == len(expected)
    assert heard[1].startswith(f"2 of {len(expected)}: linear-probe, 1 shot, seed 0: auroc ")
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
            [r.score.value for r in rows if (r.method, r.score.metric) == (method, "auroc")]
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
    spies = [{name: Spy(one) for name, one in adapters(QUICK).items()} for _ in range(2)]
    options = {"shots": (1, 4), "seeds": (0,), "resamples": 20}
    rows, others = (
        few_shot(model, data, DRAWN, some, **options)
        for data, some in zip((drawn_data, bad), spies, strict=True)
    )
    assert [(r.method, r.chosen) for r in rows] == [(r.method, r.chosen) for r in others]
    assert [r.score.value for r in rows] != [r.score.value for r in others]
    features = torch.nn.functional.normalize(torch.randn(20, 16), dim=1)
    for name, spy in spies[0].items():
        assert len(spy.made) == (1 if name == "zero-shot" else 2)
        for one, two in zip(spy.made, spies[1][name].made, strict=True):
            assert torch.equal(one.scores(features), two.scores(features))
            if isinstance(one, Tuned):
                weights = [x.model.encoder.image.state_dict() for x in (one, two)]
                assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_fits_see_two_splits_only(drawn_data, make_model) -> None:
    model, spy = make_model(), Spy(TipAdapter())
    train, validation = drawn_data.split("train"), drawn_data.split("val")
    question = Question.of(train, validation, DRAWN, print)
    (side,) = sides_of(model, question, None)
    learned = [Seen(model, part, question) for part in (train, validation)]
    (one,) = fits(learned, side, adapters("tip-adapter"), Amounts((2,)), seeds=(0,))
    few_shot(model, drawn_data, DRAWN, {"tip-adapter": spy}, shots=(2,), seeds=(0,), resamples=20)
    assert torch.equal(one.adapted.keys, spy.made[0].keys)


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
    (row, *_) = [r for r in first if r.drawn.seed == 1]
    assert row.drawn.studies == len({s[0] for one in content["orders"].values()
                                     for s in one.values()})  # fmt: skip
    assert without_time(run(model, drawn_data, "tip-adapter", folder=tmp_path)) == without_time(
        first
    )
    for sides in content["orders"].values():
        sides["has"], sides["has not"] = sides["has"][::-1], sides["has not"][::-1]
    path.write_text(json.dumps(content))
    turned = run(model, drawn_data, "tip-adapter", folder=tmp_path)
    digests = [
        {r.drawn.digest for r in rows if r.drawn.shots == r.drawn.seed == 1}
        for rows in (first, turned)
    ]
    assert len(digests[0]) == len(digests[1]) == 1
    assert digests[0] != digests[1]
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
    heard: list[str] = []
    rows = few_shot(make_model(), data, asked, adapters(QUICK), shots=(2,), seeds=(0,),
                    resamples=20, say=heard.append)  # fmt: skip
    assert heard[0] == "left out, as the training data do not have them: bone"
    metrics = {r.score.metric for r in rows}
    assert metrics == {"auroc", "average_precision", "accuracy", "balanced_accuracy"}
    accuracy = {r.method: r.score for r in rows if r.score.metric == "accuracy"}
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


def test_what_is_known_is_not_fitted_again(drawn_data, make_model) -> None:
    model = make_model()
    first = run(model, drawn_data, "zero-shot,tip-adapter", shots=(1,))
    known = [Row.from_json(json.loads(json.dumps(row.to_json()))) for row in first]
    assert [row.to_json() for row in known] == [row.to_json() for row in first]
    spy, kept = Spy(TipAdapter()), []
    some = {"zero-shot": adapters("zero-shot")["zero-shot"], "tip-adapter": spy}
    rows = few_shot(
        model, drawn_data, DRAWN, some, shots=(1, 2), seeds=(0, 1), resamples=20, known=known,
        keep=kept.extend,
    )  # fmt: skip
    assert len(spy.made) == 2
    assert {(r.drawn.shots, r.drawn.seed) for r in kept} == {(2, 0), (2, 1)}
    fresh = run(model, drawn_data, "zero-shot,tip-adapter", shots=(1, 2))
    assert without_time(rows) == without_time(fresh)


def test_other_studies_are_fitted_again(drawn_data, make_model) -> None:
    model = make_model()
    known = run(model, drawn_data, "tip-adapter", shots=(1,), seeds=(0,))
    other = [replace(row, drawn=replace(row.drawn, digest="of others")) for row in known]
    kept: list[Row] = []
    run(model, drawn_data, "tip-adapter", shots=(1,), seeds=(0,), known=other, keep=kept.extend)
    assert without_time(kept) == without_time(known)


def test_fractions_take_the_place_of_shots(drawn_data, make_model, tmp_path) -> None:
    rows = run(
        make_model(), drawn_data, "zero-shot,linear-probe", shots=(), fractions=(0.5, 1.0),
        folder=tmp_path,
    )  # fmt: skip
    train = drawn_data.split("train")
    probe = {(r.drawn.share, r.drawn.seed): r for r in rows if r.method == "linear-probe"}
    assert {r.drawn.amount for r in rows} == {"none", "50 %", "100 %"}
    assert probe[1.0, 0].drawn.studies == probe[1.0, 1].drawn.studies == len(train)
    assert probe[0.5, 0].score.value > 0.5
    assert {path.name for path in tmp_path.iterdir()} == {"fractions-0.json", "fractions-1.json"}


def test_a_fraction_without_a_class_has_no_score_and_says_why(drawn_data, make_model) -> None:
    """One patient, whose studies agree, has one side of each label."""
    first = drawn_data.studies.groupby("patient")[["label:mass", "label:effusion"]]
    data = replace(drawn_data, studies=drawn_data.studies.assign(**first.transform("first")))
    rows = run(make_model(), data, "zero-shot,linear-probe", shots=(), fractions=(0.01,))
    lone = [r.score for r in rows if r.method == "linear-probe"]
    assert len(lone) == 2 * 2
    for one in lone:
        assert np.isnan(one.value)
        assert re.fullmatch("of .* no study (has it|is known not to) in these 1 % of the patients",
                            one.why_nan)  # fmt: skip


def kinds(data):
    """One of five kinds a study, and a prompt set that asks for them."""
    effusion, mass = (data.studies[f"label:{n}"] == 1 for n in ("effusion", "mass"))
    number = 2 * effusion.to_numpy() + mass.to_numpy()
    number = np.where((number == 0) & (np.arange(len(number)) % 3 == 0), 4, number)
    names = np.array(["clear", "lump", "fluid", "both", "faint"])
    said = {"clear": "no", "lump": "a mass", "fluid": "left effusion", "both": "effusion mass",
            "faint": "normal"}  # fmt: skip
    classes = {name: ClassPrompts((text,)) for name, text in said.items()}
    studies = data.studies.assign(**{"meta:kind": names[number]})
    return replace(data, studies=studies), PromptSet(
        "kinds", "1", "single-label", classes, column="kind"
    )


def test_base_and_new_classes(drawn_data, make_model) -> None:
    data, asked = kinds(drawn_data)
    model, heard = make_model(), []
    base = ("clear", "both", "lump")
    rows = few_shot(
        model, data, asked, adapters(QUICK), shots=(2,), seeds=(0,), resamples=20, base=base,
        say=heard.append,
    )  # fmt: skip
    found = {(r.method, r.side, r.score.metric): r.score for r in rows}
    assert {side for _, side, _ in found} == {"base", "new", "harmonic"}
    blind = {method for (method, side, _), s in found.items() if side == "new" and s.why_nan}
    assert blind == {"linear-probe", "lp++:steps=40", "tip-adapter", "tip-adapter-f:steps=10"}
    for method in adapters(QUICK):
        b, n, h = (found[method, side, "accuracy"] for side in ("base", "new", "harmonic"))
        assert b.n + n.n == h.n
        assert n.n == 0 if method in blind else h.n == len(data.split("test"))
        assert (b.chance, n.chance) == (pytest.approx(1 / 3), pytest.approx(1 / 2))
        if method in blind:
            assert "none for others" in n.why_nan
            assert h.why_nan == n.why_nan
            assert np.isnan(h.value)
        else:
            assert h.value == pytest.approx(2 * b.value * n.value / (b.value + n.value))
    floor = few_shot(model, data, asked.only("fluid", "faint"), adapters("zero-shot"), shots=(2,),
                     seeds=(0,), resamples=20)  # fmt: skip
    alone = {r.score.metric: r.score.value for r in floor}
    assert found["zero-shot", "new", "accuracy"].value == pytest.approx(alone["accuracy"])


def test_labels_have_base_and_new_ones_too(drawn_data, make_model) -> None:
    rows = run(make_model(), drawn_data, "zero-shot,coop:vectors=3,steps=4,tip-adapter",
               shots=(2,), seeds=(0,), base=())  # fmt: skip
    auroc = {(r.method, r.side): r.score for r in rows if r.score.metric == "auroc"}
    assert auroc["coop:vectors=3,steps=4", "new"].value > 0
    assert np.isnan(auroc["tip-adapter", "harmonic"].value)
    with pytest.raises(DataError, match="base classes must be of the question, got bone; it has"):
        run(make_model(), drawn_data, "tip-adapter", base=("bone",))
    data, asked = kinds(drawn_data)
    with pytest.raises(DataError, match="must be 2 or more each, got 2 and 1 of clear, lump, both"):
        few_shot(make_model(), data, asked.only("clear", "lump", "both"), adapters("zero-shot"),
                 base=())  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": (0,)}, "shots must be 1 or more, got 0"),
        ({"shots": ()}, "over shots or over fractions"),
        ({"fractions": (0.0,)}, "above 0 and not above 1"),
        ({"fractions": (2.0,)}, "above 0 and not above 1"),
    ],
)
def test_wrong_amounts_are_refused(options: dict, message: str, drawn_data, make_model) -> None:
    with pytest.raises(DataError, match=message):
        run(make_model(), drawn_data, "tip-adapter", **options)
