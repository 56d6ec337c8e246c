"""How an image was made, as far as its text says so: modality and plane.

Words that belong to one technique name it ("T2", "FLAIR", "gadolinium" of magnetic resonance,
"Hounsfield", "hypodense" of computed tomography). A text that names two modalities, or two planes,
says neither: its image is one of them, and the text does not tell which.
"""

from __future__ import annotations

import re

# DICOM modality code (PS3.3, C.7.3.1.1.1) -> words that only texts of this modality use.
_MODALITIES = {
    "CT": r"ct|cta|ctv|nect|cect|ncct|hrct|computed tomograph\w+|hounsfield|hu|attenuation|"
    r"hypoattenuat\w+|hyperattenuat\w+|hypodens\w+|hyperdens\w+|isodens\w+|"
    r"(?:bone|lung|soft tissue) windows?",
    "MR": r"f?mri|mra|mrv|mrcp|(?-i:MR)|magnetic resonance|t[12](?:w|wi|w?-?weighted)?"
    r"(?! (?:level|vertebra|body|nerve|root|stage))|flair|stir|dwi|adc|swi|gre|mprage|fiesta|"
    r"spgr|ciss|diffusion[- ]weighted|gradient[- ]echo|"
    r"proton[- ]density|gadolinium|signal intensity|hyperintens\w+|hypointens\w+|"
    r"fat[- ](?:sat\w*|supp?ress\w*)",
    "US": r"ultrasound|ultrasonograph\w+|sonogra\w+|doppler|hypoechoic|hyperechoic|anechoic|"
    r"echogenic\w*",
    "DX": r"radiographs?|x-?rays?|cxr|plain films?",
    "MG": r"mammogra\w+",
    "PT": r"pet|fdg|positron emission tomograph\w+",
    "NM": r"scintigra\w+|spect|bone scans?|technetium",
    "XA": r"angiograms?|angiograph\w+|arteriogra\w+|dsa",
}
# What bears such a word in its name is no plane: "extra-axial", "transverse colon".
_NAME = r"(?! (?:skeleton|spondylo\w+|process(?:es)?|colon|sinus(?:es)?|sutures?|myelitis)\b)"
_PLANES = {
    "axial": rf"(?<![a-z]-)(?<!extra )(?<!intra )(?:(?:trans-?)?axial|transverse){_NAME}",
    "sagittal": rf"(?:para)?sagittal{_NAME}",
    "coronal": rf"coronal{_NAME}",
}
_NAMES = {
    "CT": ("CT image", "CT scan", "Computed tomography"),
    "MR": ("MR image", "MRI", "Magnetic resonance imaging"),
    "US": ("Ultrasound image", "Sonogram", "Ultrasound"),
    "DX": ("Radiograph", "X-ray image", "Plain film"),
    "MG": ("Mammogram", "Mammography"),
    "PT": ("PET scan", "PET image"),
    "NM": ("Scintigraphy", "Nuclear medicine study"),
    "XA": ("Angiogram", "Angiography"),
}


def _words(table: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {key: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for key, words in table.items()}


_MODALITY, _PLANE = _words(_MODALITIES), _words(_PLANES)


def modality(text: str) -> str:
    """The DICOM code of the one modality that a text names, "" where it names none or several.

    >>> modality("Axial T2 with a hyperintense lesion"), modality("MRI after CT")
    ('MR', '')
    """
    return _only(_MODALITY, text)


def plane(text: str) -> str:
    """The one plane that a text names (axial, sagittal, coronal), "" where none or several.

    >>> plane("Parasagittal T1 image")
    'sagittal'
    """
    return _only(_PLANE, text)


def wordings(text: str) -> tuple[str, ...]:
    """Sentences that say how the image of a text was made, () where it does not tell.

    >>> wordings("Coronal noncontrast CT")[:2]
    ('Coronal CT image.', 'Coronal CT scan.')
    """
    how, through = modality(text), plane(text)
    if not how:
        return (f"{through.capitalize()} image.", f"{through.capitalize()} plane.") * bool(through)
    names = _NAMES[how]
    if through:
        return tuple(f"{through.capitalize()} {_inside(name)}." for name in names)
    return tuple(f"{name}." for name in names)


def _only(table: dict[str, re.Pattern[str]], text: str) -> str:
    found = [key for key, words in table.items() if words.search(text)]
    return found[0] if len(found) == 1 else ""


def _inside(name: str) -> str:
    """A name as it stands inside a sentence: acronyms keep their capitals."""
    return name if name[:2].isupper() or name[:2] == "X-" else name[:1].lower() + name[1:]
