"""What the catalogue claims of a word: kinds, sorts of denial, places, other organs' words."""

from __future__ import annotations

import pytest

from asclip.clinical.bank import canonical, findings, lineage
from asclip.clinical.extract import mentions, report_findings, states

P, A = "present", "absent"


def _states(text: str) -> dict[str, str]:
    return states(mentions(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "No evidence of pneumonia. Traces of old tuberculosis at the right apex.",
            {"pneumonia": A, "tuberculosis": P, "lung opacity": None},
        ),
        (
            "Anterior mediastinal mass. Lungs are clear.",
            {"mediastinal mass": P, "mass": A, "lung lesion": A, "lung opacity": A},
        ),
        ("Aspiration pneumonia.", {"aspiration": P, "pneumonia": P, "consolidation": P}),
        ("Aspiration pneumonitis.", {"aspiration": P, "pneumonia": P}),
        ("Aspiration is likely chronic.", {"aspiration": P, "pneumonia": None}),
        # A kind makes its parent present; a denial beside it meant the others.
        ("Lungs are clear. Small nodule.", {"lung opacity": P, "lung lesion": P}),
        ("No acute fracture. Old healed rib fracture.", {"fracture": P, "rib fracture": P}),
        ("No acute bony abnormality. Scoliosis.", {"bone abnormality": P, "scoliosis": P}),
        ("Left empyema.", {"empyema": P, "pleural effusion": P}),
    ],
)
def test_what_a_kind_brings_along(text: str, expected: dict[str, str | None]) -> None:
    said = _states(text)
    assert {name: said.get(name) for name in expected} == expected


CHRONIC = ("degenerative changes", "scoliosis", "osteopenia", "bone lesion", "kyphosis")
OTHER = ("nodule", "granuloma", "fibrosis", "interstitial opacity", "pulmonary oedema", "scar")


@pytest.mark.parametrize(
    ("text", "denied", "left_open"),
    [
        ("No acute osseous abnormality.", ("fracture", "rib fracture", "dislocation"), CHRONIC),
        ("The bones are without acute abnormality.", ("fracture",), CHRONIC),
        ("No acute infiltrate, effusion or bony abnormality.", ("fracture",), CHRONIC),
        ("Bones are intact.", ("fracture", "clavicle fracture"), CHRONIC),
        ("No bony abnormality.", ("fracture", *CHRONIC), ()),
        ("The bones are unremarkable.", ("fracture", *CHRONIC), ()),
        ("No focal airspace disease.", ("consolidation", "pneumonia", "infiltrate"), OTHER),
        ("Airspace opacity is not seen.", ("consolidation", "pneumonia"), OTHER),
        ("No focal consolidation.", ("consolidation", "pneumonia"), OTHER),
        ("No lung opacity.", ("pneumonia", *OTHER), ()),
        ("No focal airspace disease, the lungs are clear.", ("pneumonia", *OTHER), ()),
        ("No suspicious lung lesion.", (), ("granuloma", "cavity")),
        (
            "No acute intracranial haemorrhage.",
            ("subarachnoid haemorrhage",),
            ("subdural haematoma",),
        ),
    ],
)
def test_a_denial_of_one_sort_denies_no_more(
    text: str, denied: tuple[str, ...], left_open: tuple[str, ...]
) -> None:
    said = _states(text)
    assert {name: said.get(name) for name in denied} == dict.fromkeys(denied, A)
    assert {name: said.get(name) for name in left_open} == dict.fromkeys(left_open)


@pytest.mark.parametrize(
    ("text", "places", "side"),
    [
        # a zone, which may lie in two lobes
        ("Right lower zone opacity.", ["lower lung zone"], "right"),
        ("Opacity in the left upper zone.", ["upper lung zone"], "left"),
        ("Opacity in the right lower lung.", ["lower lung zone"], "right"),
        (
            "Nodules in the left mid and lower lung zones.",
            ["mid lung zone", "lower lung zone"],
            "left",
        ),
        ("Scar in the right mid to lower zone.", ["mid lung zone", "lower lung zone"], "right"),
        # joined lobes
        (
            "Opacity of left and right lower lobes.",
            ["left lower lobe", "right lower lobe"],
            "bilateral",
        ),
        (
            "Right middle and lower lobe opacities.",
            ["right middle lobe", "right lower lobe"],
            "right",
        ),
        ("Left upper and lower lobe opacity.", ["left upper lobe", "left lower lobe"], "left"),
        (
            "Opacity in the right upper, middle, and lower lobes.",
            ["right upper lobe", "right middle lobe", "right lower lobe"],
            "right",
        ),
        (
            "Right upper and left lower lobe opacities.",
            ["right upper lobe", "left lower lobe"],
            "bilateral",
        ),
        ("Opacity in both lower lobes.", ["right lower lobe", "left lower lobe"], "bilateral"),
        ("Upper lobe opacities bilaterally.", ["right upper lobe", "left upper lobe"], "bilateral"),
        (
            "Opacity in the upper and lower lobe on the left.",
            ["left upper lobe", "left lower lobe"],
            "left",
        ),
        ("Lower lobe opacity.", ["lower lung zone"], ""),
        # an abbreviation has a side
        ("Opacity in the RUL and LLL.", ["right upper lobe", "left lower lobe"], "bilateral"),
        ("Opacity in the RML.", ["right middle lobe"], "right"),
        # other organs
        ("Pacemaker lead at the right ventricular apex.", ["heart"], "right"),
        ("Fracture at the base of the skull.", ["skull"], ""),
        ("Effusion in the costophrenic sinuses.", ["costophrenic angle"], ""),
        ("Clips in the right upper quadrant.", ["abdomen"], "right"),
    ],
)
def test_places(text: str, places: list[str], side: str) -> None:
    first = mentions(text)[0]
    assert (list(first.anatomy), first.side) == (places, side)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Enlarged ventricles.", {"hydrocephalus"}),
        ("Mild ventricular dilatation.", {"hydrocephalus"}),
        ("Left ventricular dilatation.", {"cardiomegaly"}),
        ("Biatrial enlargement.", {"cardiomegaly"}),
        ("Pulmonary infarct at the right base.", set()),
        ("Old myocardial infarction.", set()),
        ("Acute infarct of the left middle cerebral artery.", {"cerebral infarct"}),
        ("Parenchymal volume loss of the right upper lobe.", {"atelectasis"}),
        ("Left lower lobe parenchymal volume loss.", {"atelectasis"}),
        ("Mild parenchymal volume loss.", {"brain atrophy"}),
        ("Free fluid in the pleural space.", {"pleural effusion"}),
        ("Free fluid in the left pleural space.", {"pleural effusion"}),
        ("Free fluid in the pelvis.", {"ascites"}),
        ("No pleural effusion or free fluid.", {"pleural effusion", "ascites"}),
        ("No acute infarct, the heart is normal.", {"cerebral infarct", "cardiomegaly"}),
        ("Acute haemorrhage into the lung.", set()),
        ("Acute hemorrhage in the left thalamus.", {"intracranial haemorrhage"}),
        ("Mucosal thickening of the bronchi.", set()),
        ("Mucosal thickening of the maxillary sinus.", {"sinusitis"}),
        ("Splenic artery aneurysm.", set()),
        ("Aneurysm of the ascending aorta.", {"aortic aneurysm"}),
        ("Left inguinal hernia.", set()),
        ("Hernia in the left chest.", {"diaphragmatic hernia"}),
        ("Subdural empyema.", set()),
        # what one word is not
        ("Postoperative ileus.", {"ileus"}),
        ("Retinal tear.", {"retinal tear"}),
        ("Vitreous hemorrhage.", {"vitreous haemorrhage"}),
        ("Disk bulge at L4.", {"disc bulge"}),
        ("Foraminal stenosis.", {"foraminal stenosis"}),
        ("Shoulder subluxation.", {"subluxation"}),
        ("Bowen disease.", {"carcinoma in situ"}),
        ("Brain lesion.", set()),
        ("Brain metastasis.", {"brain tumour", "metastasis"}),
        ("Hepatosplenomegaly.", {"hepatomegaly", "splenomegaly"}),
        ("Pulmonary hypertension.", {"pulmonary hypertension"}),
        # common words
        ("Small PTX.", {"pneumothorax"}),
        ("PNA.", {"pneumonia"}),
        ("NGT.", {"nasogastric tube"}),
        ("Kerley B lines.", {"interstitial opacity"}),
        ("Right internal jugular line.", {"central line"}),
        ("The right lung has collapsed.", {"atelectasis"}),
        ("Collapsed left lower lobe.", {"atelectasis"}),
        ("The lung is collapsed by a pneumothorax.", {"pneumothorax"}),
        ("The left lower lobe is consolidated.", {"consolidation"}),
        ("Consolidated rib fracture.", {"rib fracture"}),
        ("Fractured left clavicle.", {"clavicle fracture"}),
        ("A screw of the clavicular plate is fractured.", {"orthopaedic hardware"}),
    ],
)
def test_a_word_is_claimed_by_its_own_organ(text: str, expected: set[str]) -> None:
    assert {m.finding for m in mentions(text)} == expected


def test_what_is_not_always_malignant_is_no_kind_of_malignancy() -> None:
    assert lineage("brain tumour") == ()
    assert report_findings("Meningioma.", ["malignancy"])[0] != 1
    assert report_findings("Brain metastasis.", ["malignancy"])[0] == 1


def test_a_bleb_is_a_small_bulla() -> None:
    # The Fleischner glossary has one word for both, since their size makes no difference.
    assert canonical("bleb") == "bulla"
    assert "mostly" in findings()["bulla"].definition
