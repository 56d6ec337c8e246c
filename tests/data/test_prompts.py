from __future__ import annotations

import json
from pathlib import Path

import pytest

from asclip.data.prompts import ClassPrompts, PromptSet, list_prompt_sets, load_prompt_set
from asclip.errors import DataError

SHARED = Path(__file__).parents[2] / "../shared/data"
OURS = ("body-part", "busi", "covid-findings", "cxr-findings", "modality", "plane", "view")


def write(folder: Path, **changes: object) -> Path:
    content = {
        "name": "own",
        "version": 2,
        "source": "a test",
        "kind": "multi-label",
        "classes": {"Mass": {"positive": ["a mass"], "negative": ["no mass"]}},
    }
    content |= changes
    path = folder / "own.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def test_every_shipped_set_loads_and_has_a_source() -> None:
    assert set(OURS) <= set(list_prompt_sets())
    for name in list_prompt_sets():
        prompts = load_prompt_set(name)
        assert prompts.name == name
        assert prompts.source
        assert prompts.version
        assert len(prompts.digest) == 12
        assert not prompts.single_label or len(prompts.labels) > 1


def test_findings_have_both_sides_of_the_question() -> None:
    for name in ("cxr-findings", "covid-findings"):
        assert all(part.negative for part in load_prompt_set(name).classes.values())


def test_own_file(tmp_path: Path) -> None:
    prompts = load_prompt_set(write(tmp_path, aliases={"tumour": "Mass"}))
    assert prompts.labels == ("Mass",)
    assert prompts.classes["Mass"].negative == ("no mass",)
    assert prompts.id == f"own@2:{prompts.digest}"
    assert [prompts.resolve(name) for name in ("MASS", "Tumour", "cyst")] == ["Mass", "Mass", None]


def test_names_ignore_case_and_separators() -> None:
    prompts = load_prompt_set("cxr-findings")
    assert prompts.resolve("pleural thickening") == "Pleural_Thickening"
    assert prompts.resolve("Pleural-Effusion ") == "Effusion"


def test_digest_sees_what_changes_a_score_and_nothing_else(tmp_path: Path) -> None:
    digest = load_prompt_set(write(tmp_path)).digest
    assert load_prompt_set(write(tmp_path, source="another", name="x")).digest == digest
    for change in (
        {"classes": {"Mass": {"positive": ["a mass."], "negative": ["no mass"]}}},
        {"classes": {"Mass": {"positive": ["a mass"]}}},
        {"kind": "single-label"},
        {"aliases": {"tumour": "Mass"}},
    ):
        assert load_prompt_set(write(tmp_path, **change)).digest != digest


def test_a_question_beside_the_prior_is_another_one(tmp_path: Path) -> None:
    plain, beside = (
        load_prompt_set(write(tmp_path)),
        load_prompt_set(write(tmp_path, beside="prior")),
    )
    assert (plain.beside, beside.beside) == ("", "prior")
    assert plain.digest != beside.digest
    assert "beside" not in plain.to_json()
    assert beside.to_json()["beside"] == "prior"
    assert beside.only("Mass").beside == "prior"


def test_only_keeps_the_named_classes() -> None:
    prompts = load_prompt_set("modality").only("CT", "MR")
    assert prompts.labels == ("CT", "MR")
    assert prompts.resolve("ultrasound") is None
    assert prompts.digest != load_prompt_set("modality").digest
    with pytest.raises(DataError, match="no class 'MRI'; did you mean 'MR'"):
        prompts.only("MRI")


def test_a_typo_is_answered_with_near_names() -> None:
    with pytest.raises(DataError, match="'modalities'; did you mean 'modality'"):
        load_prompt_set("modalities")
    with pytest.raises(DataError, match=r"absent\.json does not exist"):
        load_prompt_set("absent.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "both"}, "kind must be 'multi-label' or 'single-label', got 'both'"),
        ({"beside": "next"}, "beside must be 'prior' or left out, got 'next'"),
        ({"kind": None}, "must have the keys kind"),
        ({"classes": {}}, "at least one class"),
        ({"classes": ["Mass"]}, "must be JSON objects"),
        ({"classes": {"Mass": {"positive": []}}}, "'Mass': must have at least one positive"),
        ({"classes": {"Mass": {"positive": ["  "]}}}, "a prompt is empty"),
        ({"classes": {"Mass": {"positive": "a mass"}}}, "must be a list of sentences"),
        ({"classes": {"Mass": {"positve": ["a mass"]}}}, "a class must be"),
        ({"classes": {"Mass": {"positive": ["x", "x"]}}}, "the same prompt stands twice"),
        ({"classes": {"Mass": {"positive": ["x"], "negative": ["x"]}}}, "positive and negative"),
        ({"aliases": {"tumour": "Mas"}}, "no class; did you mean 'Mass'"),
        (
            {"classes": {"A b": {"positive": ["x"]}, "a_B": {"positive": ["y"]}}},
            "must mean one class",
        ),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_prompt_set(write(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_file_that_is_no_set_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"own\.json"):
        load_prompt_set(path)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a" * 65, ["a"]])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(DataError, match="name must be"):
        load_prompt_set(write(tmp_path, name=name))


def test_a_set_survives_its_own_json(tmp_path: Path) -> None:
    for name in list_prompt_sets():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(load_prompt_set(name).to_json()))
        assert load_prompt_set(path) == load_prompt_set(name)


def test_a_set_made_in_python_is_checked_too() -> None:
    with pytest.raises(DataError, match="kind"):
        PromptSet("x", "1", "other", {"Mass": ClassPrompts(("a mass",))})


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "data", "column", "separator", "share"),
    [
        ("modality", "medpix2", "modality", None, 1.0),
        ("body-part", "medpix2", "body_part", None, 1.0),
        ("plane", "medpix2", "view", None, 0.94),
        ("modality", "covid_chestxray", "modality", None, 1.0),
        ("view", "covid_chestxray", "view", None, 0.89),
        ("covid-findings", "covid_chestxray", "labels", ", ", 1.0),
        ("cxr-findings", "nih_cxr14_sample", "labels", "|", 0.99),
        ("busi", "busi_breast_ultrasound", "labels", None, 1.0),
    ],
)
def test_values_of_real_tables_have_a_class(
    name: str, data: str, column: str, separator: str | None, share: float
) -> None:
    table = SHARED / data / "manifest.csv"
    if not table.exists():
        pytest.skip(f"shared/data/{data} not beside the project")
    import pandas as pd

    values = pd.read_csv(table)[column].dropna().astype(str)
    if separator:
        values = values.str.split(separator, regex=False).explode()
    prompts = load_prompt_set(name)
    known = [prompts.resolve(value) is not None for value in values]
    assert sum(known) / len(known) >= share


def test_a_class_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.json"
    path.write_text(
        '{"name": "t", "version": "1", "kind": "multi-label", "classes": '
        '{"Mass": {"positive": ["A mass."]}, "Mass": {"positive": ["A tumour."]}}}'
    )
    with pytest.raises(DataError, match="'Mass' stands twice; remove or rename one"):
        load_prompt_set(path)
