"""`data.facts` on studies written down here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asclip.data.change import changed
from asclip.data.dataset import Dataset
from asclip.data.facts import Knowledge
from asclip.data.queries import SELDOM
from asclip.data.texts import pieces
from asclip.errors import DataError
from clinic import clinic

EFFUSION = "There is a left pleural effusion."
NEEDS = frozenset({"facts.findings", "facts.stated"})


def many(count: int = SELDOM, **study: object) -> list[dict[str, object]]:
    return [dict(study) for _ in range(count)]


def facts(
    data: Dataset, *needs: str, source: str = "report", part: str = "train"
) -> tuple[Knowledge, dict[str, Any], dict[str, Any]]:
    train, asked = data.split("train"), data.split(part)
    known = Knowledge.learn(
        train, pieces(train.texts()), frozenset(f"facts.{n}" for n in needs), source=source
    )
    return known, *known.of(asked, pieces(asked.texts()))


def column(known: Knowledge, table: np.ndarray, name: str) -> list[float]:
    return table[:, known.findings.index(name)].tolist()


def test_findings_are_those_of_the_training_studies(tmp_path: Path) -> None:
    data = clinic(
        tmp_path,
        [
            *many(text=EFFUSION),
            *many(SELDOM - 1, text="There is a right pneumothorax."),
            *many(text="There is a rib fracture.", split="val"),
            {"text": "A mass and a left pleural effusion.", "split": "val"},
        ],
    )
    known, studies, _ = facts(data, "findings", part="val")
    # What is present makes its parents present.
    assert set(known.findings) == {"pleural effusion", "pleural abnormality"}
    assert studies["findings"].shape == (SELDOM + 1, 2)
    assert studies["findings"].dtype == np.float32
    assert np.isnan(studies["findings"][:SELDOM]).all()
    assert studies["findings"][SELDOM].tolist() == [1, 1]


def test_absent_is_zero_and_unsure_or_not_stated_is_nan(tmp_path: Path) -> None:
    said = ["No pleural effusion.", "Possible pleural effusion.", "Stable aorta.", ""]
    data = clinic(tmp_path, [*many(text=EFFUSION), *({"text": text} for text in said)])
    known, studies, texts = facts(data, "findings", "stated")
    values = column(known, studies["findings"], "pleural effusion")
    assert values[: SELDOM + 1] == [1.0] * SELDOM + [0.0]
    assert np.isnan(values[SELDOM + 1 :]).all()
    found = pieces(data.split("train").texts())
    of_texts = column(known, texts["stated"], "pleural effusion")
    assert len(of_texts) == len(found.texts)
    assert [of_texts[found.texts.index(t)] for t in (EFFUSION, said[0])] == [1.0, 0.0]
    assert np.isnan([of_texts[found.texts.index(t)] for t in said[1:3]]).all()


def test_a_study_is_normal_where_its_report_or_label_says_so(tmp_path: Path) -> None:
    label = "label:No Finding"
    data = clinic(
        tmp_path,
        [
            *many(text=EFFUSION, **{label: 0}),
            {"text": "Normal chest radiograph.", label: None},
            {"text": "No acute abnormality.", label: None},
            {"text": "Stable aorta.", label: 1},
            {"text": "", label: None},
        ],
    )
    for source, expected in (
        ("report", [True, True, False, False]),
        ("labels", [False, False, True, False]),
        ("both", [True, True, True, False]),
    ):
        needs = ("normal",) if source == "labels" else ("findings", "normal")
        _, studies, _ = facts(data, *needs, source=source)
        assert studies["normal"].tolist() == [False] * SELDOM + expected


def test_labels_alone_and_labels_before_the_report(tmp_path: Path) -> None:
    known_one, unknown = {"label:Effusion": 0}, {"label:Effusion": None}
    data = clinic(
        tmp_path,
        [
            *many(text="Nothing to see.", **{"label:Effusion": 1}),
            {"text": EFFUSION, **known_one},
            {"text": EFFUSION, **unknown},
        ],
    )
    for source, expected in (("labels", np.nan), ("both", 1.0)):
        known, studies, _ = facts(data, "findings", source=source)
        values = column(known, studies["findings"], "pleural effusion")
        np.testing.assert_equal(values, [1.0] * SELDOM + [0.0, expected])


def test_a_label_that_the_catalogue_does_not_know_is_a_finding_too(tmp_path: Path) -> None:
    data = clinic(tmp_path, many(text=EFFUSION, **{"label:Frobnication": 1}))
    known, studies, texts = facts(data, "findings", "stated", "location", source="both")
    assert {"pleural effusion", "Frobnication"} <= set(known.findings)
    assert column(known, studies["findings"], "Frobnication") == [1.0] * SELDOM
    assert np.isnan(column(known, texts["stated"], "Frobnication")).all()
    assert not studies["location"][:, known.findings.index("Frobnication")].any()


def test_no_finding_and_no_such_source_are_said(tmp_path: Path) -> None:
    data = clinic(tmp_path, many(text="A picture of a cat."))
    with pytest.raises(DataError, match="5 training studies or more have; of 5"):
        facts(data, "findings")
    with pytest.raises(DataError, match="facts must be one of report, labels, both; got 'guess'"):
        facts(data, "findings", source="guess")


def test_location_is_where_the_report_puts_a_present_finding(tmp_path: Path) -> None:
    right, left = "Consolidation in the right upper lobe.", "A mass in the left lower lobe."
    absent = "No consolidation in the right upper lobe."
    data = clinic(tmp_path, [*many(text=right), *many(text=left), {"text": absent}, {"text": ""}])
    known, studies, _ = facts(data, "location")
    assert {"right upper lobe", "left lower lobe"} <= set(known.places)
    where = studies["location"]
    assert where.shape == (2 * SELDOM + 2, len(known.findings), len(known.places))
    f, g = known.findings.index("consolidation"), known.findings.index("mass")
    a, b = known.places.index("right upper lobe"), known.places.index("left lower lobe")
    assert where[0, f, a] == where[SELDOM, g, b] == 1
    assert where[0, f, b] == where[0, g, a] == where[SELDOM, g, a] == 0
    assert not where[-2:].any()


def test_knowledge_texts_come_with_what_is_learned(tmp_path: Path) -> None:
    data = clinic(tmp_path, many(text="Consolidation in the right upper lobe."))
    train = data.split("train")
    for needs in (
        {"definitions.pooled"},
        {"places.pooled"},
        {"definitions.pooled", "places.local"},
    ):
        known = Knowledge.learn(train, pieces(train.texts()), frozenset(needs))
        assert set(known.texts) == {need.partition(".")[0] for need in needs}
        for name, texts in known.texts.items():
            assert len(texts) == len(known.findings if name == "definitions" else known.places)
            assert all(texts)
    assert Knowledge.learn(train, pieces(train.texts()), frozenset({"image.pooled"})).names == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The pleural effusion has increased.", 1),
        ("New pleural effusion.", 1),
        ("The pleural effusion is smaller.", -1),
        ("The previously seen pleural effusion has resolved.", -1),
        ("Stable pleural effusion.", 0),
        ("No change in the pleural effusion.", 0),
        ("The pleural effusion has not increased.", 0),
        ("No improvement of the pleural effusion.", 0),
        ("No new pleural effusion.", np.nan),
        ("Left pleural effusion.", np.nan),
        ("Possibly increased pleural effusion.", np.nan),
        ("The cardiomegaly has increased.", np.nan),
        ("", np.nan),
        ("Stable cardiomegaly and increased pleural effusion.", 1),
        ("Increased cardiomegaly and stable pleural effusion.", 0),
        ("Decrease of the pleural effusion, no new consolidation.", -1),
        ("No pleural effusion, new consolidation.", np.nan),
        ("Small pleural effusion, stable pacemaker.", np.nan),
        ("Pleural effusion and improved aeration.", np.nan),
        ("Pleural effusion, unchanged.", 0),
        ("Pleural effusion, unchanged since yesterday.", 0),
        ("Pleural effusion and cardiomegaly are unchanged.", 0),
    ],
)
def test_change_is_what_stands_nearest_to_the_finding(text: str, value: float) -> None:
    np.testing.assert_equal(changed(text, "pleural effusion"), float(value))


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Decreased lung volumes.", "low lung volumes", np.nan),
        ("Increased interstitial markings.", "interstitial opacity", np.nan),
        ("The increased interstitial markings are unchanged.", "interstitial opacity", 0),
    ],
)
def test_a_word_in_the_name_of_a_finding_is_no_change(text: str, name: str, value: float) -> None:
    np.testing.assert_equal(changed(text, name), value)


@pytest.mark.parametrize("values", [(1, 0, -1), ("worse", "unchanged", "better")])
def test_change_columns_win_over_the_report(tmp_path: Path, values: tuple[object, ...]) -> None:
    told = [*values, None, None]
    data = clinic(
        tmp_path,
        [{"text": "The pleural effusion has increased.", "meta:change:Effusion": v} for v in told],
    )
    known, studies, _ = facts(data, "change")
    given = column(known, studies["change"], "pleural effusion")
    np.testing.assert_equal(given, [1.0, 0.0, -1.0, np.nan, np.nan])


@pytest.mark.parametrize("wrong", ["improved", 2, 0.5])
def test_another_word_or_number_of_change_is_refused(tmp_path: Path, wrong: object) -> None:
    told = ["worse" if isinstance(wrong, str) else 1, wrong, None]
    data = clinic(tmp_path, [*many(text=EFFUSION), *({"meta:change:Effusion": v} for v in told)])
    with pytest.raises(DataError, match=rf"must hold worse, unchanged, better .* got '?{wrong}"):
        facts(data, "change")


def test_change_of_the_report_where_no_column_tells(tmp_path: Path) -> None:
    worse = "The pleural effusion has increased."
    data = clinic(tmp_path, [*many(text=worse), {"text": EFFUSION}])
    known, studies, _ = facts(data, "change")
    np.testing.assert_equal(
        column(known, studies["change"], "pleural effusion"), [1.0] * SELDOM + [np.nan]
    )


def people() -> list[dict[str, object]]:
    ages = [20, 30, 40, 50, 60, 70, None]
    sexes = ["F", "M", "F", "M", "F", "M", None]
    train = [
        {"meta:age": a, "meta:sex": s, "meta:name": f"N{k}", "meta:site": "A", "meta:day": 20200101}
        for k, (a, s) in enumerate(zip(ages, sexes, strict=True))
    ]
    known = {"meta:age": 45, "meta:sex": "F", "meta:site": "A", "meta:name": ""}
    train += [dict(known) for _ in range(SELDOM)]
    later = {"split": "val", "meta:age": 900, "meta:sex": "X", "meta:name": "N0", "meta:site": "B"}
    return [*train, later, {"split": "val"}]


def test_meta_has_standardised_numbers_and_categories(tmp_path: Path) -> None:
    studies = [{"text": f"Report {k}.", **study} for k, study in enumerate(people())]
    data = clinic(tmp_path, studies)
    known, table, _ = facts(data, "meta")
    assert known.names["meta"] == ["age", "sex=F"] or known.names["meta"] == ["sex=F", "age"]
    values = table["meta"]
    age, female = (known.names["meta"].index(name) for name in ("age", "sex=F"))
    seen = values[~np.isnan(values[:, age]), age]
    assert seen.mean() == pytest.approx(0, abs=1e-6)
    assert seen.std() == pytest.approx(1, abs=1e-6)
    assert np.isnan(values[6]).all()
    assert values[:6, female].tolist() == [1, 0, 1, 0, 1, 0]
    # The scale is that of the training studies, and a value that they lack is none of theirs.
    _, other, _ = facts(data, "meta", part="val")
    middle, spread = known.scale["age"]
    assert other["meta"][0, age] == pytest.approx((900 - middle) / spread)
    assert other["meta"][0, female] == 0
    assert np.isnan(other["meta"][1]).all()


def test_meta_of_a_large_number_keeps_its_small_differences(tmp_path: Path) -> None:
    days = [20_200_101 + k for k in range(8)]
    data = clinic(tmp_path, [{"text": "A report.", "meta:day": day} for day in days])
    _, table, _ = facts(data, "meta")
    assert np.diff(table["meta"][:, 0]) == pytest.approx(np.full(7, 1 / np.std(days)), abs=1e-6)


def test_a_patients_name_is_not_recorded_however_many_studies_have_it(tmp_path: Path) -> None:
    rows = [
        {"text": "A report.", "patient": f"P{k}", "meta:who": f"N{k}", "meta:sex": "FM"[k % 2]}
        for k in range(12)
        for _ in range(6)
    ]
    rows = [row | {"study": f"S{number}"} for number, row in enumerate(rows)]
    known, _, _ = facts(clinic(tmp_path, rows), "meta")
    assert sorted(known.names["meta"]) == ["sex=F", "sex=M"]


def test_no_metadata_is_said_in_one_sentence(tmp_path: Path) -> None:
    data = clinic(tmp_path, many(text=EFFUSION, **{"meta:site": "A"}))
    with pytest.raises(DataError, match="no fact with two known values; ingest the table with"):
        facts(data, "meta")


def test_meaning_vectors_have_unit_length_and_come_from_training_texts(tmp_path: Path) -> None:
    said = [EFFUSION, "No pleural effusion.", "A mass on the right.", "The heart is large."] * 3
    data = clinic(
        tmp_path,
        [
            *({"text": text} for text in said),
            {"text": "No pleural effusion.", "split": "val"},
            {"text": "Quux frobnicates.", "split": "val"},
            {"text": "", "split": "val"},
        ],
    )
    _, studies, texts = facts(data, "meaning", "report")
    assert texts["meaning"].shape[1] == studies["report"].shape[1]
    np.testing.assert_allclose(np.linalg.norm(texts["meaning"], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(studies["report"], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(studies["report"][0], studies["report"][4])
    assert studies["report"][0] @ studies["report"][1] > studies["report"][0] @ studies["report"][3]
    _, val, _ = facts(data, "report", part="val")
    np.testing.assert_allclose(val["report"][0], studies["report"][1], atol=1e-6)
    assert not val["report"][1:].any()


def test_texts_without_a_shared_word_have_no_meaning(tmp_path: Path) -> None:
    data = clinic(tmp_path, [{"text": text} for text in ("alpha", "beta", "gamma")])
    with pytest.raises(DataError, match="no word occurs in two training texts"):
        facts(data, "meaning")
