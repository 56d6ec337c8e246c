"""`clinical.acquisition`: modality and plane that a text names."""

from __future__ import annotations

import pytest

from asclip.clinical.acquisition import modality, plane, wordings


@pytest.mark.parametrize(
    ("text", "code", "through"),
    [
        ("Axial CT with IV contrast", "CT", "axial"),
        ("Hyperdense clot; soft tissue window", "CT", ""),
        ("sagittal T2-weighted image", "MR", "sagittal"),
        ("T1WI after gadolinium", "MR", ""),
        ("Cor FLAIR, fat-suppressed", "MR", ""),
        ("transverse sonogram with a hypoechoic mass", "US", "axial"),
        ("PA chest x-ray", "DX", ""),
        ("MRI and CT of the brain", "", ""),  # two: which one this image is is not told
        ("axial and coronal MRI", "MR", ""),
        ("CTLA-4 blockade at T12", "", ""),  # words inside other words are not the words
        ("Mass at the T1 level of the spine", "", ""),  # a vertebra, not a sequence
        # a plane's word within a name
        ("Extra-axial collection", "", ""),
        ("An extra axial mass on trans-axial T2", "MR", "axial"),
        ("Metastases of the axial skeleton on a sagittal CT", "CT", "sagittal"),
        ("Transverse process fracture of L3", "", ""),
        ("Wall of the transverse colon", "", ""),
        ("Thrombus in the transverse sinus, coronal MRV", "MR", "coronal"),
        ("Fracture along the coronal suture, axial CT", "CT", "axial"),
        ("Transverse myelitis", "", ""),
        ("Mr. Smith came for an ultrasound", "US", ""),
        ("MR of the knee", "MR", ""),
        ("", "", ""),
    ],
)
def test_modality_and_plane(text: str, code: str, through: str) -> None:
    assert (modality(text), plane(text)) == (code, through)


@pytest.mark.parametrize("text", ["CT", "axial MRI", "coronal CT", "sonogram", "CXR", "FDG PET"])
def test_wordings_say_what_the_text_says(text: str) -> None:
    said = wordings(text)
    assert said
    assert all((modality(one), plane(one)) == (modality(text), plane(text)) for one in said)


def test_a_plane_alone_is_said_alone() -> None:
    assert wordings("Sagittal view") == ("Sagittal image.", "Sagittal plane.")
    assert wordings("A mass in the liver") == ()
