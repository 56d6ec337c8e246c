"""Every rule of the extractor, on sentences invented here."""

from __future__ import annotations

import numpy as np
import pytest

from asclip.clinical.bank import findings
from asclip.clinical.extract import location_matrix, mentions, report_findings, triplets

P, A, U = "present", "absent", "uncertain"
SAID = [
    # plain, plural, other spellings, gaps
    ("Large left pleural effusion.", {"pleural effusion": P}),
    ("Bilateral effusions and pneumothoraces.", {"pleural effusion": P, "pneumothorax": P}),
    ("Mild pulmonary edema.", {"pulmonary oedema": P}),
    ("Elevation of the right hemidiaphragm.", {"elevated diaphragm": P}),
    ("Fracture of the left fifth rib.", {"rib fracture": P}),
    ("Pericardial effusion.", {"pericardial effusion": P}),
    ("There is mass effect.", {}),
    # negation ahead, lists
    (
        "No effusion, pneumothorax or consolidation.",
        {"pleural effusion": A, "pneumothorax": A, "consolidation": A},
    ),
    ("No effusion and pneumothorax.", {"pleural effusion": A, "pneumothorax": A}),
    ("Lungs free of consolidation.", {"consolidation": A}),
    ("Negative for pneumonia.", {"pneumonia": A}),
    ("Chest without effusion or edema.", {"pleural effusion": A, "pulmonary oedema": A}),
    ("Neither effusion nor pneumothorax.", {"pleural effusion": A, "pneumothorax": A}),
    ("Absence of a pneumothorax.", {"pneumothorax": A}),
    ("No new infiltrate.", {"infiltrate": A}),
    # a negation ends where a new statement begins
    ("No effusion, but a nodule is seen.", {"pleural effusion": A, "nodule": P}),
    ("No effusion, mild cardiomegaly.", {"pleural effusion": A, "cardiomegaly": P}),
    ("No effusion and the heart is enlarged.", {"pleural effusion": A, "cardiomegaly": P}),
    ("No pneumothorax; left effusion.", {"pneumothorax": A, "pleural effusion": P}),
    ("No consolidation with stable cardiomegaly.", {"consolidation": A, "cardiomegaly": P}),
    ("Cardiomegaly without edema.", {"cardiomegaly": P, "pulmonary oedema": A}),
    ("No pneumothorax other than a small bulla.", {"pneumothorax": A, "bulla": P}),
    # negation behind
    ("Pneumothorax is not seen.", {"pneumothorax": A}),
    ("An effusion is no longer seen.", {"pleural effusion": A}),
    ("The left effusion has resolved.", {"pleural effusion": A}),
    ("Interval resolution of the edema.", {"pulmonary oedema": A}),
    ("Pneumothorax: none.", {"pneumothorax": A}),
    ("The chest tube has been removed.", {"chest tube": A}),
    ("Effusion or pneumothorax is not identified.", {"pleural effusion": A, "pneumothorax": A}),
    ("Cardiomegaly is seen, effusion is not seen.", {"cardiomegaly": P, "pleural effusion": A}),
    # no negation: as it was
    ("No change in the effusion.", {"pleural effusion": P}),
    ("No significant interval change in the right nodule.", {"nodule": P}),
    ("Effusion without change.", {"pleural effusion": P}),
    ("The consolidation has not changed.", {"consolidation": P}),
    ("Unchanged atelectasis.", {"atelectasis": P}),
    ("Stable cardiomegaly.", {"cardiomegaly": P}),
    ("Partially resolved pneumonia.", {"pneumonia": P}),
    # double negation is doubt
    ("Pneumonia cannot be excluded.", {"pneumonia": U}),
    ("Cannot exclude a small effusion.", {"pleural effusion": U}),
    ("A pneumothorax is not excluded.", {"pneumothorax": U}),
    ("Cannot rule out a rib fracture.", {"rib fracture": U}),
    ("Cardiomegaly, pneumonia cannot be excluded.", {"cardiomegaly": P, "pneumonia": U}),
    ("Effusion or pneumonia cannot be excluded.", {"pleural effusion": U, "pneumonia": U}),
    ("Effusion, pneumonia, or mass is not excluded.", dict.fromkeys(
        ("pleural effusion", "pneumonia", "mass"), U
    )),
    ("Opacity is less dense, but not entirely excluded.", {"lung opacity": U}),
    # doubt ahead
    ("Opacity which may represent pneumonia.", {"lung opacity": P, "pneumonia": U}),
    ("Possible nodule.", {"nodule": U}),
    ("Suspicious for malignancy.", {"malignancy": U}),
    ("Question of a small pneumothorax.", {"pneumothorax": U}),
    ("Probable scarring.", {"scar": U}),
    ("Findings suggesting emphysema.", {"emphysema": U}),
    ("Recommend CT to exclude a nodule.", {"nodule": U}),
    ("Borderline cardiomegaly.", {"cardiomegaly": U}),
    ("?pneumonia", {"pneumonia": U}),
    ("Nodular density, possibly a nodule.", {"nodule": U}),
    ("Left effusion, possibly right effusion.", {"pleural effusion": P}),
    ("Opacity consistent with scarring or atelectasis.", {
        "lung opacity": P, "scar": U, "atelectasis": U,
    }),
    ("Opacity consistent with atelectasis.", {"lung opacity": P, "atelectasis": P}),
    # doubt between and behind
    ("Atelectasis versus pneumonia.", {"atelectasis": U, "pneumonia": U}),
    ("Effusion, atelectasis vs. scar.", {"pleural effusion": P, "atelectasis": U, "scar": U}),
    ("A small effusion is suspected.", {"pleural effusion": U}),
    ("Pneumonia is unlikely.", {"pneumonia": U}),
    ("Pulmonary edema is difficult to exclude.", {"pulmonary oedema": U}),
    # negation beats doubt
    ("No findings suspicious for malignancy.", {"malignancy": A}),
    ("No pneumothorax, possible effusion.", {"pneumothorax": A, "pleural effusion": U}),
    # the past
    ("History of pneumonia.", {}),
    # normal structures
    ("The lungs are clear.", {"lung opacity": A}),
    ("Clear lungs.", {"lung opacity": A}),
    ("Heart size is normal.", {"cardiomegaly": A}),
    ("Normal heart size and mediastinal contours.", {
        "cardiomegaly": A, "enlarged cardiomediastinum": A,
    }),
    ("Heart, mediastinum and pulmonary vascularity are within normal limits.", {
        "cardiomegaly": A, "enlarged cardiomediastinum": A, "vascular congestion": A,
    }),
    ("The heart is normal and the lungs are clear.", {"cardiomegaly": A, "lung opacity": A}),
    ("The costophrenic angles are sharp.", {"pleural effusion": A}),
    ("The ribs are intact.", {"rib fracture": A}),
    ("The trachea is midline.", {"tracheal deviation": A}),
    ("The lungs are not clear.", {}),
    ("Mediastinal lymph nodes are unremarkable.", {}),
    # abnormal structures
    ("The heart is enlarged.", {"cardiomegaly": P}),
    ("The heart is not enlarged.", {"cardiomegaly": A}),
    ("The heart may be enlarged.", {"cardiomegaly": U}),
    ("The aorta is tortuous, the heart is normal.", {"tortuous aorta": P, "cardiomegaly": A}),
    ("Prominent hila.", {"hilar enlargement": P}),
    ("The left hemidiaphragm is elevated.", {"elevated diaphragm": P}),
    ("The right costophrenic angle is blunted.", {"blunted costophrenic angle": P}),
    ("The pleural spaces are free of fluid.", {"pleural effusion": A}),
    # all is well
    ("No acute cardiopulmonary disease.", {"no finding": P}),
    ("Normal chest radiograph.", {"no finding": P}),
    ("No evidence of active disease.", {"no finding": P}),
    # special before general
    ("Central venous catheter; this catheter ends in the SVC.", {"central line": P}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SAID, ids=[text for text, _ in SAID])
def test_rule(text: str, expected: dict[str, str]) -> None:
    said = dict.fromkeys((m.finding for m in mentions(text)), "")
    for name in said:
        told = {m.assertion for m in mentions(text) if m.finding == name}
        said[name] = next(what for what in (P, U, A) if what in told)
    assert said == expected


def test_every_plain_name_is_found() -> None:
    for name in findings():
        text = "Normal study." if name == "no finding" else f"There is a {name}."
        assert name in {m.finding for m in mentions(text)}, name


def test_sections_of_past_and_question_do_not_count() -> None:
    text = (
        "INDICATION: Pneumonia? HISTORY: Emphysema. COMPARISON: Prior film with effusion. "
        "FINDINGS: Small nodule. IMPRESSION: Nodule."
    )
    assert {m.finding for m in mentions(text)} == {"nodule"}


def test_the_span_holds_the_words() -> None:
    (first, second) = mentions("Normal study. Small RIGHT Pleural  effusion at the base.")
    assert first.finding == "no finding"
    assert second.words == "Pleural effusion"
    assert (second.side, second.number) == ("right", 1)
    assert second.anatomy == ("right lung base",)


@pytest.mark.parametrize(
    ("text", "anatomy", "side"),
    [
        ("Consolidation in the right lower lobe.", ("right lower lobe",), "right"),
        ("Left upper lobe nodule.", ("left upper lobe",), "left"),
        ("Bibasilar atelectasis.", ("lung base",), "bilateral"),
        ("Effusions on both sides.", (), "bilateral"),
        ("Opacity in the lingula.", ("lingula",), "left"),
        ("Pulmonary nodule.", (), ""),
        ("Nodule in the right apex, scar in the left base.", ("right lung apex",), "right"),
    ],
)
def test_place_and_side(text: str, anatomy: tuple[str, ...], side: str) -> None:
    first = mentions(text)[0]
    assert (first.anatomy, first.side) == (anatomy, side)


R, L, B = "right", "left", "bilateral"
SIDES = [
    ("Small right effusion and left basilar atelectasis.", [(R, ()), (L, ("left lung base",))]),
    ("Nodule on the left and effusion on the right.", [(L, ()), (R, ())]),
    ("Right apical scar, left basilar nodule and bilateral effusions.", [
        (R, ("right lung apex",)), (L, ("left lung base",)), (B, ()),
    ]),
    ("Left lingular consolidation and right pleural effusion.", [(L, ("lingula",)), (R, ())]),
    ("Right effusion and atelectasis on the left.", [(R, ()), (L, ())]),
    ("Scar and left and right effusions.", [("", ()), (B, ())]),
    ("Scar and atelectasis in the left base.", [(L, ("left lung base",))] * 2),
    ("Left basilar atelectasis or infiltrate.", [(L, ("left lung base",))] * 2),
    ("Cardiomegaly and left effusion.", [("", ()), (L, ())]),
    ("Opacity in the right base, left upper lobe and lingula.", [
        (B, ("right lung base", "left upper lobe", "lingula")),
    ]),
    ("Left effusion and cardiomegaly.", [(L, ()), ("", ())]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SIDES, ids=[text for text, _ in SIDES])
def test_each_finding_has_its_own_side_and_place(
    text: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert [(m.side, m.anatomy) for m in mentions(text)] == expected


def test_report_findings_combines_mentions() -> None:
    names = ["Edema", "NIH:Effusion", "nodule", "No Finding", "Fracture"]
    text = "No effusion. Small right effusion. Possible nodule. No pulmonary oedema."
    values = report_findings(text, names)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [0, 1, np.nan, 0, np.nan])
    assert report_findings(text, ["nodule"], uncertain="present")[0] == 1
    assert report_findings(text, ["nodule"], uncertain="absent")[0] == 0
    assert np.isnan(report_findings("Effusion. Possible effusion.", ["mass"])[0])


def test_kinds_are_inherited() -> None:
    names = ["lung opacity", "consolidation", "pneumonia", "nodule"]
    np.testing.assert_array_equal(report_findings("Pneumonia.", names), [1, 1, 1, np.nan])
    np.testing.assert_array_equal(report_findings("Clear lungs.", names), [0, 0, 0, 0])
    alone = report_findings("Pneumonia.", names, inherit=False)
    np.testing.assert_array_equal(alone, [np.nan, np.nan, 1, np.nan])
    mixed = report_findings("Clear lungs. Small nodule.", names)
    assert mixed[0] == 1
    assert mixed[3] == 1


def test_no_finding_follows_from_the_rest() -> None:
    def well(text: str) -> float:
        return float(report_findings(text, ["No Finding"])[0])

    assert well("No acute cardiopulmonary disease. Pacemaker.") == 1
    assert well("No acute cardiopulmonary disease. Small nodule.") == 0
    assert np.isnan(well("No acute cardiopulmonary disease. Possible nodule."))
    assert np.isnan(well("The lungs are clear."))


def test_triplets() -> None:
    told = triplets("Small opacity in the left lower lobe may represent pneumonia. No effusion.")
    assert ("lung opacity", "located_at", "left lower lobe") in told
    assert ("lung opacity", "suggestive_of", "pneumonia") in told
    assert ("small", "modify", "lung opacity") in told
    assert not [row for row in told if "pleural effusion" in row]
    assert triplets("") == []


def test_a_place_in_a_findings_own_words_is_its_own_and_not_the_next_ones() -> None:
    text = "Blunting of the costophrenic angle on the left by a moderate effusion."
    found = location_matrix(
        text, ["blunted costophrenic angle", "pleural effusion"], ["costophrenic angle"]
    )
    np.testing.assert_array_equal(found, [[1], [0]])


def test_location_matrix() -> None:
    names, places = ["nodule", "cardiomegaly", "Effusion"], ["right upper lobe", "heart", "pleura"]
    text = "Nodule in the right upper lobe. Cardiomegaly. No pleural effusion."
    np.testing.assert_array_equal(
        location_matrix(text, names, places), [[1, 0, 0], [0] * 3, [0] * 3]
    )
    usual = location_matrix(text, names, places, default=True)
    np.testing.assert_array_equal(usual, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_parents_are_where_the_finding_is() -> None:
    names = ["pneumonia", "consolidation", "lung opacity", "nodule"]
    found = location_matrix("Pneumonia in the left upper lobe.", names, ["left upper lobe"])
    assert found[:, 0].tolist() == [1, 1, 1, 0]
