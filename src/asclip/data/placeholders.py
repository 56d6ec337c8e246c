"""Captions that say nothing: 'CT Image', 'n/a', a template's own words.

A text that many patients share is not yet a placeholder: half of all chest reports are one of a
few normal ones. It is one if it only names the kind of picture, or is a known filler.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

MANY_PATIENTS = 20

FILLERS = frozenset(
    "none,nil,na,n/a,nan,null,unknown,missing,empty,blank,test,todo,tbd,xxx,pending,untitled,"
    "no report,no caption,no text,no description,no findings available,not available,"
    "not provided,not applicable,report not available,see above,see below,see report,see image,"
    "as above,dictated".split(",")
)
TEMPLATE = re.compile(
    r"replace this|insert (text|report|findings|caption) here|description of the image or findings"
    r"|enter (text|report|findings|caption) here|lorem ipsum",
)
# Words that only name the kind of picture; a caption made of nothing else describes no patient.
FORM = frozenset(
    "a an the of and or with without for from in on at by to is this that it one two "
    "image images img picture pictures photo photograph figure fig scan scans film films series "
    "slice slices view views study studies exam examination case patient report caption "
    "description medical clinical radiology radiograph radiographs radiography radiological "
    "x xray xrays ray rays cxr ct cat mr mri us ultrasound sonography pet spect dx cr "
    "tomography computed magnetic resonance imaging "
    "axial coronal sagittal oblique frontal lateral ap pa portable "
    "chest thorax thoracic head brain abdomen abdominal pelvis spine neck".split()
)


def normal(text: str) -> str:
    """A text's words in lower case, for comparison.

    >>> normal("CT  Image.")
    'ct image'
    """
    return " ".join(text.lower().split()).strip(" .,:;-_*()[]<>!\"'")


def is_filler(text: str) -> bool:
    """True for a text that stands where a report should be.

    >>> is_filler("N/A"), is_filler("No pneumonia."), is_filler("Insert findings here")
    (True, False, True)
    """
    word = normal(text)
    return bool(text.strip()) and (
        word in FILLERS or not re.search(r"\w", word) or bool(TEMPLATE.search(word))
    )


def names_only_the_picture(text: str) -> bool:
    """True if every word names the kind of picture.

    >>> names_only_the_picture("Axial CT image"), names_only_the_picture("CT with pneumonia")
    (True, False)
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    return all(word in FORM for word in words)


def find(texts: Sequence[str], patients: Sequence[str]) -> tuple[list[bool], list[str]]:
    """(is a placeholder, for each text; notes). An empty text is not one: it is absent.

    Flagged: a known filler; a text that only names the picture and is shared by at least
    20 patients. Other texts shared by as many patients are counted in the notes and kept.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    for text, patient in zip(texts, patients, strict=True):
        owners[normal(text)].add(patient)
    flags = []
    repeated: set[str] = set()
    for text in texts:
        many = len(owners[normal(text)]) >= MANY_PATIENTS and bool(text.strip())
        flags.append(is_filler(text) or (many and names_only_the_picture(text)))
        if many and not flags[-1]:
            repeated.add(normal(text))
    notes = []
    if any(flags):
        shown = sorted({normal(text)[:40] for text, flag in zip(texts, flags, strict=True) if flag})
        listed = ", ".join(repr(word) for word in shown[:5])
        notes.append(f"{sum(flags)} texts are placeholders ({listed}) and are not used as texts")
    if repeated:
        notes.append(
            f"{len(repeated)} texts are shared word for word by {MANY_PATIENTS} or more patients "
            "each and are kept; an objective may treat equal texts as positives"
        )
    return flags, notes
