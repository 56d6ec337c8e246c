"""`data.eda`: words change for words that mean the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

from asclip.clinical.extract import mentions
from asclip.data.eda import GROUPS, keeps_findings, reworded


def variants(text: str, count: int = 60) -> set[str]:
    rng = np.random.default_rng(0)
    return {reworded(text, rng) for _ in range(count)}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_every_kind_of_change_takes_effect() -> None:
    assert "There is a lung nodule." in variants("There is a pulmonary nodule.")
    assert "Nodule." not in variants("No nodule.")
    assert "No mass." in variants("There is no mass.")
    assert "No pleural fluid or pleural air." in variants("No pleural effusion or pneumothorax.")
    assert "An ET tube is seen." in variants("An endotracheal tube is seen.")
    assert "A nasogastric tube is seen." in variants("An NG tube is seen.")


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("Soft tissue edema", "oedema"),
        ("A hiatal hernia is present.", "hiatus"),
        ("No evidence for active TB.", "tuberculosis"),
        ("Mitral valve replacement seen.", ""),
        *(
            (text, "")
            for text in (
                "High grade dysplasia",
                "ACL tear",
                "Wet AMD",
                "Proliferative diabetic retinopathy",
                "Pectus excavatum",
                "Glioblastoma",
                "Hepatocellular carcinoma in the liver",
                "Lytic lesion",
                "Mechanical valve",
                "Hepatomegaly",
                "Inguinal hernia",
                "Renal infarct",
                "Knee joint effusion",
                "calcified XXXX opacity",
            )
        ),
    ],
)
def test_no_word_comes_in_that_says_more(text: str, new: str) -> None:
    found = {word for variant in variants(text, 300) for word in words(variant)}
    assert found == set(words(text)) | set(words(new))


@pytest.mark.parametrize(
    "text",
    [
        "Glioblastoma",
        "Vascular and cardiac enlargement.",
        "Left cardiac enlargement.",
        "Pericardial or pleural effusion.",
        "No pleural air or fluid.",
        "Small right pneumothorax.",
        "No hemo- or pneumothorax.",
        "Pneumothorax/effusion.",
    ],
)
def test_what_has_no_other_name_that_fits_is_left_as_it_is(text: str) -> None:
    assert variants(text, 300) == {text}


@pytest.mark.parametrize("group", GROUPS)
def test_the_names_of_a_group_are_read_as_one_finding(group: tuple[str, ...]) -> None:
    found = [{m.finding for m in mentions(f"There is {word}.")} for word in group]
    assert all(len(names) == 1 and names == found[0] for names in found)


def test_a_word_has_one_group() -> None:
    every = [word for group in GROUPS for word in group]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    "text",
    [
        "No frobnication, zorkitis or snarkosis.",
        "No effusion, snarkosis.",
        "Likely zorkitis, snarkosis of the foo.",
        "Possible blurb, a fluff.",
    ],
)
def test_what_the_catalogue_does_not_know_stays_where_it_is(text: str) -> None:
    known = re.findall(
        r"no\b|likely|possible|or\b|frob\w+|zork\w+|snark\w+|blurb|fluff", text, re.I
    )
    order = [word.lower() for word in known]
    for new in variants(text):
        assert [word for word in words(new) if word in order] == order, new


def test_a_cue_keeps_its_verb() -> None:
    assert all("is not seen" in text for text in variants("The frobnication is not seen."))
    assert all("is excluded" in text for text in variants("The frobnication is excluded."))


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("A mass.", "There is a mass.", True),
        ("1. No effusion. 2. Nodule of 5 mm.", "Nodule of 5 mm. No effusion.", True),
        ("A mass.", "Possible mass.", False),
        ("Possible mass. No effusion.", "No effusion.", False),
        ("Small left effusion.", "Small right effusion.", False),
        ("Nodule in the upper lobe.", "Nodule in the lower lobe.", False),
        ("Nodule of 5 mm.", "Nodule of 15 mm.", False),
        ("Nodule of 1.5 cm.", "Nodule of 1.2 cm.", False),
    ],
)
def test_findings_are_kept_with_their_doubts_sides_and_numbers(
    before: str, after: str, same: bool
) -> None:
    assert keeps_findings(before, after) is same
