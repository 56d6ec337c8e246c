"""Rules of scope and of wording that came with the second round of labels; sentences invented."""

from __future__ import annotations

import pytest

from asclip.clinical.extract import mentions

P, A, U = "present", "absent", "uncertain"
SAID = {
    "what is likely is the reading, not the sign": [
        ("The opacity is likely scarring.", {"lung opacity": P, "scar": U}),
        ("The effusion is likely chronic.", {"pleural effusion": P}),
        ("A rib fracture is likely.", {"rib fracture": U}),
        ("A rib fracture is likely present.", {"rib fracture": U}),
    ],
    "what stands behind a comma looks over it": [
        ("Density at the left base, possibly artifact.", {"lung opacity": U}),
        ("Right effusion, now resolved.", {"pleural effusion": A}),
        ("Left pneumothorax, no longer seen.", {"pneumothorax": A}),
        ("Nodule, not seen previously.", {"nodule": P}),
    ],
    "what overlies may feign a finding": [
        ("A nodule may be related to overlying breast tissue.", {"nodule": U}),
        ("Increased opacity XXXX due to superimposed ribs.", {"lung opacity": U}),
    ],
    "a relative clause that only explains keeps its negation": [
        ("No consolidation that would suggest pneumonia.", {"consolidation": A, "pneumonia": A}),
        ("There is no evidence that the patient has tuberculosis.", {"tuberculosis": A}),
        ("No effusion, but an opacity that could be pneumonia.", {
            "pleural effusion": A, "lung opacity": P, "pneumonia": U,
        }),
    ],
    "words of doubt and of denial": [
        ("Edema may persist.", {"pulmonary oedema": U}),
        ("A small pneumothorax could easily be missed.", {"pneumothorax": U}),
        ("Suspicious appearance for a mass.", {"mass": U}),
        ("Doubtful nodule.", {"nodule": U}),
        ("There is no doubt about the fracture.", {"fracture": P}),
        ("There may or may not be an effusion.", {"pleural effusion": U}),
        ("Inconsistent with edema.", {"pulmonary oedema": A}),
        ("A pneumothorax cannot be seen.", {"pneumothorax": A}),
        ("No known history of emphysema.", {}),
        ("Non-enlarged heart.", {"cardiomegaly": A}),
    ],
    "a word that organs share is the chest's where no other is named": [
        ("Edema of the white matter around the mass.", {}),
        ("Opacity of the maxillary sinus.", {}),
        ("T2 weighted image of a mass.", {}),
        ("Liver mass and a nodule of the lung.", {"liver lesion": P, "nodule": P}),
        ("Mass with edema.", {"mass": P, "pulmonary oedema": P}),
    ],
    "names that stand apart": [
        ("Endotracheal and nasogastric tubes.", {"endotracheal tube": P, "nasogastric tube": P}),
        ("Hemodialysis catheter on the right.", {"central line": P}),
        ("Ground glass opacification.", {"ground-glass opacity": P}),
        ("Chest film normal.", {"no finding": P}),
    ],
    "a choice between findings doubts each of them": [
        ("Scarring or atelectasis in the lingula.", {"scar": U, "atelectasis": U}),
        ("Basal infiltrate and/or effusion.", {"infiltrate": U, "pleural effusion": U}),
        ("Atelectasis/pneumonia on the left.", {"atelectasis": U, "pneumonia": U}),
        ("Edema, effusion, or infection.", {
            "pulmonary oedema": U, "pleural effusion": U, "pneumonia": U,
        }),
        ("Atelectasis, less likely pneumonia.", {"atelectasis": U, "pneumonia": U}),
        ("Scar is favored over a nodule.", {"scar": U, "nodule": U}),
    ],
    "but not the sign, nor what stands beside it": [
        ("Hazy opacity or consolidation.", {"lung opacity": P, "consolidation": U}),
        ("Left opacity, atelectasis or scar.", {"lung opacity": P, "atelectasis": U, "scar": U}),
        ("Cardiomegaly and effusion versus thickened pleura.", {
            "cardiomegaly": P, "pleural effusion": U, "pleural thickening": U,
        }),
        ("No effusion or free air at all.", {"pleural effusion": A, "pneumoperitoneum": A}),
        ("No change in the nodule or the effusion.", {"nodule": P, "pleural effusion": P}),
        ("Hilar fullness may be vascular or reflect adenopathy.", {
            "hilar enlargement": P, "lymphadenopathy": U,
        }),
        ("Kyphosis, without effusion or edema.", {
            "kyphosis": P, "pleural effusion": A, "pulmonary oedema": A,
        }),
    ],
    "a doubt ends with its phrase": [
        ("Borderline heart size, tortuous aorta.", {"cardiomegaly": U, "tortuous aorta": P}),
        ("Possible nodule, emphysema.", {"nodule": U, "emphysema": P}),
        ("Possible nodule, scar or artifact.", {"nodule": U, "scar": U}),
        ("Shadow suggests a skin fold, rib fracture is again seen.", {"rib fracture": P}),
        ("Pneumonia superimposed on emphysema.", {"pneumonia": P, "emphysema": P}),
        ("Suspected pneumonia superimposed on emphysema.", {"pneumonia": U, "emphysema": P}),
    ],
    "and goes on over adjectives and lists": [
        ("Probable right and left basilar atelectasis.", {"atelectasis": U}),
        ("Density, differential includes a mass, small infiltrate, scarring.", {
            "mass": U, "infiltrate": U, "scar": U,
        }),
    ],
    "doubt that stands behind": [
        ("A small pneumothorax may be present.", {"pneumothorax": U}),
        ("Pneumonia would be a consideration.", {"pneumonia": U}),
        ("A nodule is questioned.", {"nodule": U}),
        ("The effusion is not well seen.", {"pleural effusion": U}),
        ("Rib fractures may not be seen.", {"rib fracture": U}),
        ("Cardiomegaly which may be due to technique.", {"cardiomegaly": U}),
        ("Nodule versus vessel.", {"nodule": U}),
    ],
    "other doubts": [
        ("This can represent edema.", {"pulmonary oedema": U}),
        ("If there is concern for pneumonia, repeat the film.", {"pneumonia": U}),
        ("Repeat the film and exclude a mass.", {"mass": U}),
        ("Thought to be a granuloma.", {"granuloma": U}),
        ("Favored to be a granuloma.", {"granuloma": U}),
        ("There is suspected edema.", {"pulmonary oedema": U}),
        ("Left opacity, XXXX pneumonia.", {"lung opacity": P, "pneumonia": U}),
        ("Left opacity most XXXX scar.", {"lung opacity": P, "scar": U}),
    ],
    "no doubt of the finding": [
        ("The tip of the PICC may be in the right atrium.", {"central line": P}),
        ("Consolidation, probably in the lingula.", {"consolidation": P}),
        ("Age-indeterminate rib fracture.", {"rib fracture": P}),
        ("A chest CT is suggested for the nodule.", {"nodule": P}),
    ],
    "no denial": [
        ("Film in a month to confirm clearing of the infiltrate.", {"infiltrate": P}),
        ("Largely resolved edema.", {"pulmonary oedema": P}),
        ("Nodule not seen on the prior film.", {"nodule": P}),
        ("In the absence of prior films the nodule is of unknown age.", {"nodule": P}),
        ("In a patient with cancer.", {}),
    ],
    "denial": [
        ("The mass seen on the left before is not identified.", {"mass": A}),
        ("Removal of the chest tube and right central line.", {
            "chest tube": A, "central line": A,
        }),
        ("Unable to identify a pneumothorax.", {"pneumothorax": A}),
        ("No fracture or compression deformity.", {
            "fracture": A, "vertebral compression fracture": A,
        }),
        ("No effusion.Heart is enlarged.", {"pleural effusion": A, "cardiomegaly": P}),
        ("No effusion (a small scar is seen).", {"pleural effusion": A, "scar": P}),
    ],
    "structures": [
        ("Both lungs look well expanded and clear.", {"low lung volumes": A, "lung opacity": A}),
        ("Her tortuous calcified aorta.", {"tortuous aorta": P, "aortic atherosclerosis": P}),
        ("Aortic tortuosity, heart size normal.", {"tortuous aorta": P, "cardiomegaly": A}),
        ("Enlarged heart, stable hilar contours.", {"cardiomegaly": P}),
        ("The heart is nonenlarged.", {"cardiomegaly": A}),
        ("The bones are without acute abnormality.", {"bone abnormality": A}),
        ("Prominent aortic knob.", {}),
    ],
    "all is well": [
        ("No acute abnormality in the chest.", {"no finding": P}),
        ("No significant change.", {}),
        ("Again no acute interval change.", {}),
        ("The chest radiograph is unremarkable.", {"no finding": P}),
    ],
    "one wording, two findings": [
        ("Right hydropneumothorax.", {"pneumothorax": P, "pleural effusion": P}),
        ("Kyphoscoliosis.", {"kyphosis": P, "scoliosis": P}),
        ("Calcified granulomas and hilar lymph nodes.", {
            "granuloma": P, "calcified lymph node": P,
        }),
    ],
    "wordings with a gap": [
        ("Calcified left upper lobe nodule.", {"granuloma": P}),
        ("Noncalcified left upper lobe nodule.", {"nodule": P}),
        ("Streaky density in the left base.", {"lung opacity": P}),
        ("Bone density is reduced.", {"osteopenia": P}),
        ("Prominent bronchovascular markings.", {"interstitial opacity": P}),
        ("Left atrial enlargement.", {"cardiomegaly": P}),
        ("Loss of height of two thoracic vertebrae.", {"vertebral compression fracture": P}),
        ("A fracture is seen in the lateral seventh rib.", {"rib fracture": P}),
        ("Fractured sternotomy wire.", {"sternotomy wires": P}),
        ("The tube projects over the thoracic cavity.", {"support device": P}),
        ("Cystic fibrosis.", {}),
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
