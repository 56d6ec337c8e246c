"""Texts that are empty, strange or very long, and names that nobody knows."""

from __future__ import annotations

import numpy as np
import pytest

from asclip.clinical.extract import location_matrix, mentions, report_findings
from asclip.errors import DataError


@pytest.mark.parametrize("text", ["", "   \n", "....", "Films 1 to 3 were read.", "ß İ \x00 ½"])
def test_texts_without_findings(text: str) -> None:
    assert mentions(text) == []
    assert np.isnan(report_findings(text)).all()


def test_letters_that_grow_when_small_keep_the_span() -> None:
    assert mentions("İİ Nodule.")[0].words == "Nodule"


@pytest.mark.parametrize(
    "unit",
    [
        "No effusion, ",
        "Small nodule. ",
        "a",
        "no ",
        "(",
        "possible effusion or ",
        "no or and ",
        ".",
        "e.g. ",
    ],
)
def test_a_megabyte_ends(unit: str) -> None:
    found = mentions(unit * (1_000_000 // len(unit)))
    assert {m.finding for m in found} <= {"pleural effusion", "nodule"}


@pytest.mark.slow
def test_ten_megabytes_end() -> None:
    found = mentions("Small nodule in the right upper lobe, no effusion, " * 200_000)
    assert {m.finding for m in found} == {"nodule", "pleural effusion"}


def test_unknown_names_are_refused() -> None:
    with pytest.raises(DataError, match="cardiomegaly"):
        report_findings("Clear.", ["cardiomegali"])
    with pytest.raises(DataError, match="uncertain must be"):
        report_findings("Clear.", uncertain="maybe")
    with pytest.raises(DataError, match="an anatomy must be"):
        location_matrix("Clear.", ["nodule"], ["elbow joint of the moon"])
