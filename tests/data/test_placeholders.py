from __future__ import annotations

from asclip.data import placeholders


def find(text: str, num: int) -> bool:
    flags, _ = placeholders.find([text] * num, [str(number) for number in range(num)])
    return flags[0]


def test_known_fillers_at_once_and_picture_names_when_many_share_them():
    assert find("N/A", 1)
    assert find("Replace this - DESCRIPTION OF THE IMAGE OR FINDINGS.", 1)
    assert find("CT Image", 20)
    assert not find("CT Image", 19)
    assert not find("", 30)


def test_a_normal_report_of_many_patients_is_a_report():
    texts = ["No acute cardiopulmonary abnormality."] * 25
    flags, notes = placeholders.find(texts, [str(number) for number in range(25)])
    assert not any(flags)
    assert any("kept" in note for note in notes)


def test_many_studies_of_one_patient_are_not_many_patients():
    flags, _ = placeholders.find(["CT Image"] * 30, ["a"] * 30)
    assert not any(flags)
