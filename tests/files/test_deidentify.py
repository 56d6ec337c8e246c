from __future__ import annotations

import pytest

from asclip.errors import AsclipError
from asclip.files.deidentify import IDENTIFIERS, is_identifier, pseudonym


def test_stable_keyed_and_without_collisions():
    assert pseudonym("A1", "key") == pseudonym(" A1 ", "key")
    assert pseudonym("A1", "key") != pseudonym("A1", "other")
    assert pseudonym("A1", "k" * 64) != pseudonym("A1", "k" * 65)
    assert len({pseudonym(str(number), "key") for number in range(20000)}) == 20000
    with pytest.raises(AsclipError, match="must not be empty"):
        pseudonym("A1", "")


def test_identifiers_are_dicom_keywords():
    from pydicom.datadict import tag_for_keyword

    assert all(tag_for_keyword(keyword) for keyword in IDENTIFIERS)
    assert {"PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"} <= IDENTIFIERS
    assert not is_identifier("PixelSpacing")
