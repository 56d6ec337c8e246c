from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from asclip.phantom.findings import KINDS, NAMES, Finding, draw
from asclip.phantom.patients import Visit, studies
from asclip.phantom.report import Report, write
from asclip.phantom.wording import comparison, fill, phrases


@pytest.fixture(scope="module")
def reported() -> list[tuple[Visit, Report]]:
    visits = [v for found in studies(11, 500) for v in found]
    return [(v, write(v, np.random.default_rng([*v.seed, 1]))) for v in visits]


def test_no_statement_contradicts_the_truth(reported: list[tuple[Visit, Report]]) -> None:
    for visit, report in reported:
        truth = {f.name: f for f in visit.findings}
        for s in report.statements:
            if s.assertion == "absent":
                assert s.finding not in truth, s
                continue
            finding = truth[s.finding]
            assert (s.laterality, s.zone) == (finding.side, finding.zone)
            words = re.findall(r"[a-z]+", s.sentence.lower())
            other = {"right": "left", "left": "right"}.get(finding.side)
            assert other not in words or s.finding in ("pacemaker",), s
            zones = {"upper", "mid", "lower"} & set(words)
            assert zones <= {finding.zone}, s


def test_text_is_made_of_the_statements_sentences(reported: list[tuple[Visit, Report]]) -> None:
    for visit, report in reported:
        heads = re.findall(r"^([A-Z]+): ", report.text, re.M)
        assert heads == ["INDICATION", "COMPARISON", "FINDINGS", "IMPRESSION"]
        body = {
            name.lower(): text for name, text in re.findall(r"^([A-Z]+): (.*)$", report.text, re.M)
        }
        for section in ("findings", "impression"):
            sentences = [s.sentence for s in report.statements if s.section == section]
            assert body[section] == " ".join(dict.fromkeys(sentences))
        assert ("Previous" in body["comparison"]) == bool(visit.prior)


def test_sentences_are_well_formed(reported: list[tuple[Visit, Report]]) -> None:
    for _, report in reported:
        for s in report.statements:
            assert re.fullmatch(r"[A-Z0-9].*\.", s.sentence), s.sentence
            assert not re.search(r"  |\.\.|[{}]| [.,]|\b[Aa] (8|11|18)\b|\ban? an?\b", s.sentence)
            assert not re.search(r"(?<!\d)\.(?=\s|\w)", s.sentence[:-1]), s.sentence


def test_absent_findings_are_denied_in_part_and_mild_ones_doubted(
    reported: list[tuple[Visit, Report]],
) -> None:
    denied, absent, doubted, mild = Counter(), Counter(), 0, 0
    for visit, report in reported:
        present = {f.name: f for f in visit.findings}
        said = {s.finding for s in report.statements if s.assertion == "absent"}
        for name in NAMES:
            absent[name] += name not in present
            denied[name] += name in said
        unsure = {s.finding for s in report.statements if s.assertion == "possible"}
        for name, finding in present.items():
            low = finding.severity == "mild" and not finding.kind.device
            assert low or name not in unsure
            mild += low
            doubted += name in unsure
    assert 0.5 < denied["pleural effusion"] / absent["pleural effusion"] < 0.97
    assert denied["endotracheal tube"] / absent["endotracheal tube"] < 0.3
    assert 0.15 < doubted / mild < 0.45


def test_nearly_every_finding_is_mentioned(reported: list[tuple[Visit, Report]]) -> None:
    told = [f.name in r.mentioned for v, r in reported for f in v.findings]
    assert 0.95 < np.mean(told) < 1.0


def test_wording_has_variety(reported: list[tuple[Visit, Report]]) -> None:
    variants: dict[str, set[str]] = defaultdict(set)
    for _, report in reported:
        for s in report.statements:
            if s.section == "findings":
                variants[s.finding].add(s.sentence)
    for name in NAMES:
        entry = phrases()[name]
        assert len(set(entry["present"])) >= 6
        assert len(set(entry["absent"])) >= 6
        assert entry["possible"] or KINDS[name].device
        assert len(variants[name]) > 8
    assert len({r.text for _, r in reported}) > 490


CHANGES = {
    "larger": "has increased|more pronounced|Progression",
    "smaller": "has decreased|less pronounced|regression",
    "new": "is new|New ",
    "unchanged": "is unchanged|No change|Stable",
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_comparison_says_the_change(change: str) -> None:
    for seed in range(12):
        for name in NAMES:
            finding = replace(draw(name, np.random.default_rng(seed)), change=change)
            text = comparison(finding, np.random.default_rng(seed))
            assert [key for key, words in CHANGES.items() if re.search(words, text)] == [change]
    first = draw("mass", np.random.default_rng(0))
    assert comparison(first, np.random.default_rng(0)) == ""


def test_only_studies_with_a_prior_are_compared(reported: list[tuple[Visit, Report]]) -> None:
    words = re.compile("|".join(CHANGES.values()) + "|previously seen")
    compared = {True: 0, False: 0}
    for visit, report in reported:
        compared[bool(visit.prior)] += bool(words.search(report.text))
    assert compared[False] == 0
    assert compared[True] > 100


def test_templates_fill_for_every_side_zone_and_grade() -> None:
    for name in NAMES:
        for seed in range(12):
            finding = draw(name, np.random.default_rng(seed))
            for key in ("present", "possible", "impression"):
                for template in phrases()[name][key]:
                    text = fill(template, finding, np.random.default_rng(seed))
                    assert text.endswith(".")
                    assert text[0] == text[0].upper()


def test_article_before_eight() -> None:
    finding = Finding("nodule", "left", "mid", 0.5, 0)  # 18 mm
    text = fill("There is a {size} nodule.", finding, np.random.default_rng(1))
    assert text in ("There is an 18 mm nodule.", "There is a 1.8 cm nodule.")
