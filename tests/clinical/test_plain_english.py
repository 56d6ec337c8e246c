"""Plain and careless English: contractions, marks, heads, lists; sentences invented."""

from __future__ import annotations

import pytest

from asclip.clinical.assertions import cues
from asclip.clinical.extract import mentions
from asclip.clinical.sentence import of_sentence

P, A, U = "present", "absent", "uncertain"
EFFUSION, PTX, HEART = "pleural effusion", "pneumothorax", "cardiomegaly"
SAID = {
    "what is over is absent": [
        ("Pneumothorax resolved.", {PTX: A}),
        ("Chest tube removed.", {"chest tube": A}),
        ("Effusion resolved, heart enlarged.", {EFFUSION: A, HEART: P}),
        ("Right effusion (resolved).", {EFFUSION: A}),
        ("Right effusion (now resolved).", {EFFUSION: A}),
        ("Pneumothorax, resolved.", {PTX: A}),
        ("Pneumothorax resolved since the last film.", {PTX: A}),
        ("Effusion resolved with a residual scar.", {EFFUSION: A, "scar": P}),
        ("The pneumothorax has disappeared.", {PTX: A}),
        ("A pneumothorax has not developed.", {PTX: A}),
    ],
    "what is nearly over, or to be, is there": [
        ("The effusion has almost entirely resolved.", {EFFUSION: P}),
        ("The effusion hasn't resolved.", {EFFUSION: P}),
        ("The effusion has not yet fully resolved.", {EFFUSION: P}),
        ("The chest tube should be removed.", {"chest tube": P}),
        ("Resolved pneumonia.", {"pneumonia": A}),
    ],
    "devices": [
        ("The endotracheal tube has been withdrawn.", {"endotracheal tube": A}),
        ("The endotracheal tube has been withdrawn by 2 cm.", {"endotracheal tube": P}),
        ("The chest tube was taken out.", {"chest tube": A}),
        ("The chest tube has been pulled.", {"chest tube": A}),
        ("The chest tube has been pulled back slightly.", {"chest tube": P}),
        ("The central line has been discontinued.", {"central line": A}),
    ],
    "question marks": [
        ("Left lower lobe pneumonia?", {"pneumonia": U}),
        ("? pneumonia", {"pneumonia": U}),
        ("? PNEUMONIA.", {"pneumonia": U}),
        ("(?) Pneumonia.", {"pneumonia": U}),
        ("1. ? Pneumonia.", {"pneumonia": U}),
        ("Left opacity ? pneumonia.", {"lung opacity": P, "pneumonia": U}),
        ("Left opacity (? pneumonia).", {"lung opacity": P, "pneumonia": U}),
        ("Pneumonia (?).", {"pneumonia": U}),
        ("Effusion? The heart is enlarged.", {EFFUSION: U, HEART: P}),
    ],
    "contractions": [
        ("Effusion isn't seen.", {EFFUSION: A}),
        ("An effusion isn’t seen.", {EFFUSION: A}),
        ("There aren't any effusions.", {EFFUSION: A}),
        ("I don't see an effusion.", {EFFUSION: A}),
        ("The film doesn't show a pneumothorax.", {PTX: A}),
        ("A pneumothorax wasn't identified.", {PTX: A}),
        ("The heart isn't enlarged.", {HEART: A}),
        ("The mediastinum isn't widened.", {"enlarged cardiomediastinum": A}),
        ("Pneumonia can’t be excluded.", {"pneumonia": U}),
        ("Pneumonia isn't excluded.", {"pneumonia": U}),
        ("The film doesn't exclude pneumonia.", {"pneumonia": U}),
        ("The effusion hasn't changed.", {EFFUSION: P}),
        ("Emphysema w/o effusion.", {"emphysema": P, EFFUSION: A}),
        ("CT w/o contrast of a mass.", {"mass": P}),
        ("CT without IV contrast, mass.", {"mass": P}),
        ("The bones are w/o acute abnormality.", {"bone abnormality": A}),
        ("There isn't any acute cardiopulmonary disease.", {"no finding": P}),
        ("There isn't any change in the scar.", {"scar": P}),
        ("There isn't any visible free air.", {"pneumoperitoneum": A}),
        ("No effusion w/ stable cardiomegaly.", {EFFUSION: A, HEART: P}),
        ("W/o acute cardiopulmonary disease.", {"no finding": P}),
    ],
    "denial": [
        ("An effusion is not visible.", {EFFUSION: A}),
        ("The appearance argues against pneumonia.", {"pneumonia": A}),
        ("Clear bases argue against pneumonia.", {"pneumonia": A}),
    ],
    "a head rules the state behind its colon": [
        ("Lungs: Clear.", {"lung opacity": A}),
        ("Lungs and pleura: Clear.", {"lung opacity": A, EFFUSION: A, PTX: A}),
        ("Heart: mildly enlarged.", {HEART: P}),
        ("Heart: not enlarged.", {HEART: A}),
        ("Cardiac silhouette: Enlarged.", {HEART: P}),
        ("Bones: Unremarkable.", {"bone abnormality": A}),
        ("Bones and soft tissues: Unremarkable.", {"bone abnormality": A}),
        ("Trachea: midline.", {"tracheal deviation": A}),
        ("Aorta: Tortuous and calcified.", {
            "tortuous aorta": P, "aortic atherosclerosis": P,
        }),
        ("Heart: normal, lungs: clear.", {HEART: A, "lung opacity": A}),
        ("Lungs – clear.", {"lung opacity": A}),
        ("Clear lungs – heart normal.", {"lung opacity": A, HEART: A}),
        ("Lungs are clear and expanded – heart normal", {
            "lung opacity": A, "low lung volumes": A, HEART: A,
        }),
        ("Normal heart size, mediastinal contours – normal vascularity.", {
            HEART: A, "enlarged cardiomediastinum": A, "vascular congestion": A,
        }),
        ("Normal heart size – prominent aorta.", {HEART: A}),
        ("Mediastinum: Normal heart size.", {HEART: A}),
        ("Mediastinum: The heart is enlarged.", {HEART: P}),
        ("Heart: No effusion, enlarged nodes.", {EFFUSION: A, "lymphadenopathy": A}),
        ("Pleural effusion – none.", {EFFUSION: A}),
        ("Pleural effusion – unlikely.", {EFFUSION: U}),
        ("Heart enlarged, pleural effusion – not seen.", {HEART: P, EFFUSION: A}),
        ("Lungs: Clear to auscultation.", {}),
        ("Heart: Normal S1.", {}),
        ("Pleural effusion: none, pneumothorax: none.", {EFFUSION: A, PTX: A}),
    ],
    "a negation ends at a dash": [
        ("No pneumothorax – small effusion remains.", {PTX: A, EFFUSION: P}),
        ("No effusion—heart enlarged.", {EFFUSION: A, HEART: P}),
        ("No right–sided effusion.", {EFFUSION: A}),
        ("Heart enlarged – effusion not seen.", {HEART: P, EFFUSION: A}),
        ("Changes consistent with emphysema – mass or nodule.", {
            "emphysema": P, "mass": U, "nodule": U,
        }),
        ("– No pneumothorax\n– Stable cardiomegaly", {PTX: A, HEART: P}),
        ("– No pneumothorax – Stable cardiomegaly", {PTX: A, HEART: P}),
        ("1) No pneumothorax 2) Cardiomegaly 3) Small left effusion", {
            PTX: A, HEART: P, EFFUSION: P,
        }),
        ("1) No effusion 2) 6 mm nodule", {EFFUSION: A, "nodule": P}),
    ],
    "a negation ends at a comma before a statement of its own": [
        ("No pneumothorax in the right lung, pleural effusion on the left.", {
            PTX: A, EFFUSION: P,
        }),
        ("No consolidation, cardiomegaly present.", {"consolidation": A, HEART: P}),
        ("No mass on the left, scar on the right, or effusion.", {
            "mass": A, "scar": A, EFFUSION: A,
        }),
        ("No effusion, pneumothorax or mass present.", {EFFUSION: A, PTX: A, "mass": A}),
        ("No pneumothorax, effusion in either lung.", {PTX: A, EFFUSION: A}),
    ],
    "wrapped capitals": [
        ("THERE IS NO PNEUMOTHORAX OR\nPLEURAL EFFUSION.", {PTX: A, EFFUSION: A}),
        ("1. SMALL HEART. 2. LOW LUNG\nVOLUMES AND NO PLEURAL\nEFFUSION.", {
            "low lung volumes": P, EFFUSION: A,
        }),
        ("THE LUNGS ARE WELL-\nINFLATED.", {"low lung volumes": A}),
        ("LUNGS CLEAR\nEFFUSION ON THE LEFT\nNO PNEUMOTHORAX\nCARDIOMEGALY", {
            "lung opacity": A, EFFUSION: P, PTX: A, HEART: P,
        }),
    ],
    "bodies without a heading": [
        ("INDICATION: Mass.\n\nThe heart is enlarged. There is a left effusion.", {
            HEART: P, EFFUSION: P,
        }),
        ("COMPARISON: None.\n\nThere is a left pleural effusion.", {EFFUSION: P}),
        ("HISTORY: Mass.\n\nNo scar.\n\nFINDINGS: Effusion.", {EFFUSION: P}),
        ("INDICATION: Mass.\nRESULT: Left effusion.", {EFFUSION: P}),
    ],
}  # fmt: skip
CASES = [(text, expected) for rule in SAID.values() for text, expected in rule]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_rule(text: str, expected: dict[str, str]) -> None:
    order = (A, U, P)
    said: dict[str, str] = {}
    for mention in mentions(text):
        before = said.get(mention.finding, A)
        said[mention.finding] = max(before, mention.assertion, key=order.index)
    assert said == expected


@pytest.mark.parametrize("dash", [" - ", " -- ", " – ", "—"])
def test_a_dash_within_a_sentence_parts_statements(dash: str) -> None:
    told = of_sentence(f"No pneumothorax{dash}small effusion remains.")
    assert [(m.finding, m.assertion) for m in told] == [(PTX, A), (EFFUSION, P)]
    assert of_sentence(f"Pleural effusion{dash}none.")[0].assertion == A


def test_the_span_of_what_follows_a_short_form_holds_its_words() -> None:
    (mention,) = of_sentence("It isn't clear, w/o a Small Effusion there.")
    assert (mention.words, mention.assertion) == ("Effusion", A)


def test_a_cue_stands_where_the_short_form_stood() -> None:
    text = "w/o change, i can’t see it"
    (cue,) = cues(text)
    assert (cue.place, cue.low, cue.high) == (text.index("can"), text.index("can"), len(text))
