"""The data files and the texts made of them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from asclip.clinical import bank, descriptions
from asclip.clinical.extract import mentions
from asclip.errors import DataError
from asclip.phantom.findings import NAMES

CHEXPERT = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
NIH = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)


def test_sizes_and_families() -> None:
    assert len(bank.findings()) >= 60
    assert len(bank.anatomies()) >= 50
    families = {entry.family for entry in bank.findings().values()}
    wanted = {"chest", "head", "abdomen", "breast", "musculoskeletal", "eye", "skin", "histology"}
    assert wanted <= families
    assert bank.version()
    assert "not reviewed by a physician" in bank.reviewed()


def test_public_labels_and_phantom_are_known() -> None:
    assert set(NAMES) <= set(bank.findings())
    for name in (*CHEXPERT, *NIH):
        assert bank.canonical(name) in bank.findings()
    assert len({bank.canonical(name) for name in CHEXPERT}) == 14
    assert len({bank.canonical(name) for name in NIH}) == 14


def test_entries_are_whole() -> None:
    owner: dict[str, str] = {}
    for entry in bank.findings().values():
        assert entry.anatomy in bank.anatomies()
        assert entry.parent is None or entry.parent in bank.findings()
        assert entry.name not in bank.lineage(entry.name)
        assert len(entry.definition) > 30
        assert entry.definition.endswith(".")
        for word in (entry.name, *entry.synonyms):
            assert owner.setdefault(word, entry.name) == entry.name, word
        for rule in entry.patterns:
            re.compile(rule)
    for place in bank.anatomies().values():
        assert place.parent is None or place.parent in bank.anatomies()
        assert place.laterality in (None, "left", "right")


def test_a_definition_never_holds_its_name() -> None:
    for entry in bank.findings().values():
        words = {entry.name, *(word for word in entry.synonyms if " " not in word)}
        for word in words:
            assert not re.search(rf"\b{re.escape(word)}(?:s|es)?\b", entry.definition, re.I), entry


def test_definitions_and_places() -> None:
    named = descriptions.definitions(["Edema", "nodule"])
    assert named[0].startswith("Pulmonary oedema: water has leaked")
    masked = descriptions.definitions(["Edema", "nodule"], masked=True)
    assert masked[0].startswith("Water has leaked")
    assert descriptions.places(["hila"])[0].startswith("Hilum: the root")
    assert len(set(descriptions.definitions(list(bank.findings()), masked=True))) == len(
        bank.findings()
    )
    with pytest.raises(DataError, match="got 'unicorn'"):
        descriptions.definitions(["unicorn"])


def test_sentences_say_what_they_should() -> None:
    for name in bank.findings():
        if name == "no finding":
            continue
        for present, want in ((True, "present"), (False, "absent")):
            for text in descriptions.sentences(name, present=present):
                said = {m.finding: m.assertion for m in mentions(text)}
                assert said.get(name) == want, text
    assert descriptions.sentences("No Finding")[0] == "Normal study."
    with pytest.raises(DataError, match="the bank must be"):
        descriptions.sentences("nodule", bank="0")
    assert "findings-" in descriptions.bank_version()


def test_importing_stays_light() -> None:
    code = (
        "import sys, asclip.clinical.extract, asclip.clinical.vectors, asclip.clinical.ontology,"
        "asclip.clinical.descriptions, asclip.clinical.external;"
        "print([name for name in ('torch', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
