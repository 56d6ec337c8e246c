"""`data.mining` and `data.label_prompts`: the text changes, what it says does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from asclip.clinical.extract import mentions, report_findings
from asclip.data.batches import Batches, Sampling
from asclip.data.dataset import Dataset
from asclip.data.eda import reworded
from asclip.data.label_prompts import labelled, prompts, stated, wordings
from asclip.data.mining import corpus, mine, rewritten, shuffled
from asclip.data.texts import Pieces, pieces, told
from asclip.errors import DataError
from asclip.files.report import sections, sentences
from asclip.phantom.patients import studies
from asclip.phantom.report import write
from asclip.towers.tokenizer import Tokenizer
from asclip.types import Batch
from clinic import clinic

PROTECTED = re.compile(
    r"\b(?:no|not|without|never|nor|neither|free of|left|right|bilateral|both|possible|possibly"
    r"|questionable|may|cannot|likely|suspected|\d[\d.]*|mm|cm)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def reports() -> list[str]:
    """Three hundred reports of the drawn hospital, whole ones with their headings."""
    visits = [visit for found in studies(11, 300) for visit in found]
    return [write(visit, np.random.default_rng([*visit.seed, 1])).text for visit in visits]


def same_findings(one: str, other: str) -> bool:
    return np.array_equal(report_findings(one), report_findings(other), equal_nan=True)


def protected(text: str) -> list[str]:
    return sorted(word.lower() for word in PROTECTED.findall(text))


def test_shuffled_sentences_are_the_same_in_another_order(reports: list[str]) -> None:
    rng = np.random.default_rng(0)
    for report in reports:
        for text in (report, told(report)):
            new = shuffled(text, rng)
            before, after = sections(text), sections(new)
            assert list(before) == list(after)
            for name, body in before.items():
                one, other = sentences(body), sentences(after[name])
                closed = [s if s[-1] in ".!?" else f"{s}." for s in one]
                assert sorted(closed) == sorted(other)
                assert (closed != other) == (len(set(closed)) > 1)
            assert same_findings(text, new)


def test_other_words_keep_every_finding_side_number_and_negation(reports: list[str]) -> None:
    rng, changed = np.random.default_rng(0), 0
    for report in reports:
        text = told(report)
        new = reworded(text, rng)
        changed += new != text
        assert same_findings(text, new)
        assert protected(text) == protected(new)
    assert changed > 0.95 * len(reports)


def test_each_sentence_says_the_same_at_the_same_places(reports: list[str]) -> None:
    rng, changed = np.random.default_rng(1), 0
    lines = list(dict.fromkeys(s for report in reports for s in sentences(told(report))))
    for line in lines:
        new = reworded(line, rng)
        changed += new != line
        said, again = (
            sorted(
                (m.finding, m.assertion, m.side, m.assertion != "absent" and sorted(m.anatomy))
                for m in mentions(text)
            )
            for text in (line, new)
        )
        assert said == again, (line, new)
        assert not new[0].islower() or line[0].islower()
        assert new[-1] == line[-1]
    assert changed > 0.6 * len(lines)


def test_a_rewriter_is_used_where_it_keeps_the_findings() -> None:
    assert rewritten("No effusion.", lambda t: "Effusion is not seen.") == "Effusion is not seen."
    assert rewritten("No effusion.", lambda t: "Large effusion.") == "No effusion."
    assert rewritten("No effusion.", lambda t: " ") == "No effusion."
    left = "Small left effusion."
    assert rewritten(left, lambda t: "Small right effusion.") == left


def test_prompts_of_a_report_say_what_it_says(reports: list[str]) -> None:
    rng, seen = np.random.default_rng(0), set()
    for report in reports:
        text = told(report)
        found = stated(text)
        made = prompts(found, rng)
        seen.update(made)
        said = {m.finding: m.assertion for line in made for m in mentions(line)}
        for name, (present, _) in found.items():
            if wordings(name, present):
                assert said[name] == ("present" if present else "absent"), (text, made)
        values = report_findings(text)
        again = report_findings(" ".join(made))
        both = ~np.isnan(values) & ~np.isnan(again)
        np.testing.assert_equal(values[both], again[both])
    assert len(seen) > 100


def test_prompts_name_the_place_and_leave_out_doubt() -> None:
    found = stated("Small nodule in the left upper lobe. No effusion. Possible pneumonia.")
    assert found["nodule"] == (True, "in the left upper lobe")
    assert found["pleural effusion"] == (False, "")
    assert "pneumonia" not in found
    assert wordings("nodule", *found["nodule"])[0] == "There is nodule in the left upper lobe."
    assert "No pleural effusion." in wordings("pleural effusion", False)
    assert len(wordings("pleural effusion", True)) >= 3


def test_prompts_of_labels(reports: list[str]) -> None:
    names = ["Effusion", "Edema", "Mass", "Frobnication", "No Finding"]
    found = labelled(names, np.array([1, 0, np.nan, 1, 0]))
    assert found == {
        "pleural effusion": (True, ""),
        "pulmonary oedema": (False, ""),
        "frobnication": (True, ""),
        "no finding": (False, ""),
    }
    rng = np.random.default_rng(0)
    made = {tuple(prompts(found, rng)) for _ in range(20)}
    assert len(made) > 5
    for lines in made:
        assert len(lines) == 3  # "abnormal" is not read as the contrary of a finding
        text = " ".join(lines)
        values = report_findings(text, ["Effusion", "Edema", "Mass"])
        np.testing.assert_equal(values, [1, 0, np.nan])
        assert "frobnication" in text.lower()
        assert lines.index(next(s for s in lines if "oedema" in s)) == 2


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Reports, and studies with labels alone."""
    told = ["There is a left effusion. The heart is large.", "No effusion. There is a mass."]
    rows = [{"text": told[k % 2], "label:mass": None, "label:edema": None} for k in range(8)]
    rows += [{"label:mass": k % 2, "label:edema": (k // 2) % 2} for k in range(8)]
    rows += [{"label:mass": None, "label:edema": None} for _ in range(2)]
    return clinic(tmp_path, rows)


def mined(data: Dataset, *ways: str) -> tuple[Pieces, Pieces]:
    before = pieces(data.texts())
    return before, mine(before, data, ways, seed=1)


def test_mining_adds_variants_and_leaves_the_texts_where_they_are(data: Dataset) -> None:
    before, after = mined(data, "shuffle", "eda")
    count = len(before.texts)
    assert after.texts[:count] == before.texts
    assert after.made == len(after.texts) - count > 0
    assert np.array_equal(after.whole, before.whole)
    assert set(after.variants) <= set(range(count))
    for number, others in after.variants.items():
        assert number not in others
        for other in others:
            assert after.texts[other] != after.texts[number]
            assert same_findings(after.texts[number], after.texts[other])
    whole = after.whole[0]
    assert "The heart is large. There is a left effusion." in [
        after.texts[k] for k in after.variants[int(whole)]
    ]
    again = mined(data, "shuffle", "eda")[1]
    assert again.texts == after.texts


def test_prompts_join_the_sentences_and_are_the_text_of_studies_without_any(data: Dataset) -> None:
    before, after = mined(data, "prompts")
    assert before.usable.tolist() == list(range(8))
    assert after.usable.tolist() == list(range(16))
    for row in range(16):
        said = {after.texts[k] for k in after.parts[row]} - set(before.texts[: len(before.texts)])
        assert said
        if row >= 8:
            values = data.label_matrix()[row]
            text = after.texts[after.whole[row]]
            read = report_findings(text, data.labels)
            np.testing.assert_equal(read[~np.isnan(values)], values[~np.isnan(values)])
    assert {"There is pleural effusion on the left."} <= {after.texts[k] for k in after.parts[0]}
    assert after.whole[16:].tolist() == [-1, -1]


def test_a_text_that_names_the_modality_brings_a_sentence_that_says_it() -> None:
    found = pieces(["Axial T2: mass in the liver. No ascites.", "Mass in the liver."])
    after = mine(found, Unlabelled(), ["acquisition"])
    made = [after.texts[n] for n in np.setdiff1d(after.parts[0], found.parts[0])]
    assert made == ["Axial MR image."]
    number = after.texts.index("Axial MR image.")
    others = [after.texts[n] for n in after.variants[number]]
    assert others == ["Axial MRI.", "Axial magnetic resonance imaging."]
    np.testing.assert_array_equal(after.parts[1], found.parts[1])
    assert after.made == 3
    with pytest.raises(DataError, match="found nothing"):
        mine(pieces(["Mass in the liver."]), Unlabelled(), ["acquisition"])


class Unlabelled:
    """Stands for a data set of which nothing is asked."""


def test_mining_that_finds_nothing_and_an_unknown_way_are_said(tmp_path: Path) -> None:
    data = clinic(tmp_path, [{"text": f"Film{k}"} for k in range(3)])
    with pytest.raises(DataError, match="found nothing; leave it out"):
        mined(data, "shuffle")
    with pytest.raises(DataError, match="prompts, acquisition; got 'magic'"):
        mined(data, "magic")


def test_a_rewriter_gives_variants_too(data: Dataset) -> None:
    found = mine(pieces(data.texts()), data, (), rewrite=lambda text: f"As seen, {text}")
    number = found.texts.index("There is a mass.")
    assert [found.texts[k] for k in found.variants[number]] == ["As seen, There is a mass."]


def test_a_name_in_one_report_is_not_learned_from_its_variants(data: Dataset) -> None:
    before = pieces(["Mr Quuxley has a lung mass.", *data.texts()])
    padded = data.take(np.arange(len(data)))
    after = mine(before, padded, ("shuffle", "eda"))
    assert sum("quuxley" in text.lower() for text in after.texts) > 1
    patient = data.patient_codes()
    told, words = corpus(after, patient)
    assert sum("quuxley" in text.lower() for text in told) == 1
    assert 2 <= len(told) <= len(set(patient.tolist()))
    assert set(words) & {"pulmonary"}  # the catalogue's
    assert corpus(before, patient) == (told, [])
    ids = Tokenizer.train(told, known=words).core.get_vocab()
    assert "quuxley" not in ids
    assert set(words) & set(ids)


def test_a_patients_name_in_many_reports_stays_out_of_the_vocabulary() -> None:
    reports = ["Mr Quuxley. Clear lungs.", "Seen again: Quuxley. Clear lungs.", "Clear lungs. Ok."]
    found = pieces(reports, {"title": ["quuxley one", "quuxley two", ""]})
    told, _ = corpus(found, np.array([7, 7, 8]))
    vocabulary = Tokenizer.train(told).core.get_vocab()
    assert "clear" in vocabulary
    assert "quuxley" not in vocabulary


def batches(data: Dataset, found: Pieces, share: tuple[int, int] = (0, 1), **how: Any) -> Batches:
    tokenizer = Tokenizer.train(found.texts)
    sampling = Sampling(**how)
    return Batches(data, found, tokenizer.encode, size=8, seed=3, sampling=sampling, share=share)


def image(batch: Batch) -> torch.Tensor:
    found = batch.images["image"]
    assert isinstance(found, torch.Tensor)
    return found


def said(made: Batches, step: int) -> dict[int, list[str]]:
    targets = made.at(step).facts.targets
    found: dict[int, list[str]] = {}
    for owner, text in zip(targets["owner"].tolist(), targets["text"].tolist(), strict=True):
        found.setdefault(owner, []).append(made.pieces.texts[text])
    return found


@pytest.mark.parametrize("texts", ["report", "sentence", "mixed", "sentences"])
def test_a_batch_brings_variants_and_equal_texts_stay_equal(data: Dataset, texts: str) -> None:
    before, after = mined(data, "shuffle", "eda")
    made = batches(data, after, texts=texts)
    written, seen = set(before.texts), set()
    for step in range(20):
        by_study = said(made, step)
        seen.update(text for said in by_study.values() for text in said)
        if texts == "report":  # two reports are in the data set, so at most two are in a batch
            assert len({text for said in by_study.values() for text in said}) <= 2
    assert seen - written
    assert seen & written
    two = [batches(data, after, (rank, 2), texts=texts) for rank in (0, 1)]
    parts = [one.at(4).facts.targets["text"].tolist() for one in two]
    assert parts[0] + parts[1] == made.at(4).facts.targets["text"].tolist()


def test_without_mining_nothing_is_drawn(data: Dataset) -> None:
    before = pieces(data.texts())
    one, two = batches(data, before), batches(data, mined(data, "shuffle")[1])
    for step in range(3):
        a, b = one.at(step), two.at(step)
        assert torch.equal(image(a), image(b))
        assert a.facts.targets["study"].tolist() == b.facts.targets["study"].tolist()


@pytest.mark.parametrize("texts", ["report", "sentence", "mixed", "sentences"])
def test_prompts_come_in_a_batch_however_texts_are_chosen(data: Dataset, texts: str) -> None:
    _, after = mined(data, "prompts")
    made = batches(data, after, texts=texts)
    assert len(made.rows) == 16
    found = [said(made, step) for step in range(8)]
    assert {study for one in found for study in one} == set(range(16))
    of_labels = {
        text for one in found for study, told in one.items() if study >= 8 for text in told
    }
    assert len(of_labels) > 4
