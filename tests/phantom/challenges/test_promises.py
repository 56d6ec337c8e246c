from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from asclip.files.report import sentences
from asclip.phantom.challenges import (
    CHALLENGES,
    NAMES,
    composition,
    definition,
    negation,
    shortcut,
    subgroup,
    unpaired,
)
from asclip.phantom.challenges.case import Case

STUDIES = 600


@pytest.fixture(scope="module")
def all_cases() -> dict[str, list[Case]]:
    return {name: CHALLENGES[name].cases(3, STUDIES) for name in NAMES}


def part(cases: list[Case], split: str) -> list[Case]:
    return [c for c in cases if c.split == split]


@pytest.mark.parametrize("name", NAMES)
def test_cases_follow_the_seed(all_cases: dict[str, list[Case]], name: str) -> None:
    cases = CHALLENGES[name].cases
    assert cases(3, 40) == all_cases[name][:40]
    assert cases(3, 40) != cases(4, 40)


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_by_patient(all_cases: dict[str, list[Case]], name: str) -> None:
    cases = all_cases[name]
    assert len(cases) == len({c.visit.study for c in cases}) == STUDIES
    sides = defaultdict(set)
    for case in cases:
        sides[case.visit.patient].add(case.split)
    assert all(len(found) == 1 for found in sides.values())
    share = Counter(c.split for c in cases)
    assert share["train"] / STUDIES == pytest.approx(0.6, abs=0.03)
    assert share["test"] / STUDIES == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_well_formed(all_cases: dict[str, list[Case]], name: str) -> None:
    for case in all_cases[name]:
        if case.text:
            heads = re.findall(r"^([A-Z]+): \S", case.text, re.M)
            assert heads == ["INDICATION", "COMPARISON", "FINDINGS", "IMPRESSION"]
        for sentence in sentences(" ".join(case.text.split("FINDINGS: ")[1:])):
            assert not re.search(r"  |[{}]|\b[Aa] (8|11|18)\b|\ban? an?\b", sentence), sentence


def test_side_zone_says_where(all_cases: dict[str, list[Case]]) -> None:
    for case in all_cases["side_zone"]:
        (finding,) = case.visit.findings
        assert case.meta["truth:lesion"] == f"{finding.name} {finding.side} {finding.zone}"
        assert {finding.side, finding.zone} <= set(re.findall(r"[a-z]+", case.text.lower()))
    told = Counter(str(c.meta["truth:lesion"]) for c in part(all_cases["side_zone"], "test"))
    assert len(told) == 12


def test_normals_are_many_and_alike(all_cases: dict[str, list[Case]]) -> None:
    train, test = (part(all_cases["normals"], side) for side in ("train", "test"))
    assert np.mean([not c.visit.findings for c in train]) == pytest.approx(0.8, abs=0.06)
    assert np.mean([not c.visit.findings for c in test]) == pytest.approx(0.5, abs=0.1)
    told = {c.text.split("FINDINGS: ")[1] for c in train if not c.visit.findings}
    assert len(told) <= 54


def test_unpaired_texts_are_of_no_image(all_cases: dict[str, list[Case]]) -> None:
    train = part(all_cases["unpaired"], "train")
    assert np.mean([bool(c.text) for c in train]) == pytest.approx(0.1, abs=0.05)
    assert all(bool(c.text) != bool(c.further["unpaired"]) for c in all_cases["unpaired"])
    assert all(c.text for c in all_cases["unpaired"] if c.split != "train")
    shown = {c.visit.seed for c in all_cases["unpaired"]}
    agrees = []
    for case in train:
        if case.text:
            continue
        other = unpaired._visit(3, unpaired.IMAGELESS + case.visit.seed[1])
        assert other.seed not in shown
        assert other.patient != case.visit.patient
        told = case.further["unpaired"]
        assert all(s in unpaired._text(other) for s in sentences(told))
        assert "IMPRESSION" not in told
        agrees.append({f.name for f in other.findings} == {f.name for f in case.visit.findings})
    assert np.mean(agrees) < 0.25


def test_definition_never_names_what_it_describes(all_cases: dict[str, list[Case]]) -> None:
    for case in all_cases["definition"]:
        assert not re.search(r"pneumothora|effusion|pleura|hydro", case.text, re.I), case.text
    described = [c for c in all_cases["definition"] if c.labels["pneumothorax"]]
    stems = ("away from the chest wall", "outside the", "rim without vessels", "darkness and no")
    assert described
    assert all(any(stem in c.text for stem in stems) for c in described)
    named = [c for c in all_cases["definition"] if c.labels["mass"]]
    assert all("mass" in c.text.lower() for c in named)
    texts = CHALLENGES["definition"].prompts["names"]["classes"]
    assert set(texts) == set(definition.SECRET)


def test_composition_leaves_combinations_out(all_cases: dict[str, list[Case]]) -> None:
    seen = defaultdict(Counter)
    for case in all_cases["composition"]:
        (finding,) = case.visit.findings
        combination = (finding.name, finding.side, finding.zone)
        assert [k for k, v in case.labels.items() if v] == [composition.label(combination)]
        seen[case.split][combination] += 1
    left_out = set(composition.LEFT_OUT)
    assert not left_out & (set(seen["train"]) | set(seen["val"]))
    assert set(seen["train"]) == set(composition.SEEN)
    assert all(seen["test"][c] >= 10 for c in left_out)
    for kind, side, zone in left_out:
        others = set(seen["train"])
        assert any(c[0] == kind for c in others)
        assert any(c[1:] == (side, zone) for c in others)
    test = part(all_cases["composition"], "test")
    asked = [m for m in composition.CHALLENGE.measures if m.primary]
    assert len(asked) == len(left_out)
    for one in asked:  # the place is the same in all that are asked: it tells nothing
        meant = one.meant(test)
        assert len({c.meta["truth:place"] for c in meant}) == 1
        kinds = Counter(c.value(one.columns[0]) for c in meant)
        assert set(kinds) == {"0", "1"}
        assert min(kinds.values()) >= 3


def test_hyperedges_tell_a_part(all_cases: dict[str, list[Case]]) -> None:
    per_patient = Counter(c.visit.patient for c in all_cases["hyperedges"][:-3])
    assert set(per_patient.values()) <= {2, 3}
    silent = []
    for case in all_cases["hyperedges"]:
        told = set(str(case.meta["truth:mentioned"]).split(";")) - {""}
        present = {f.name for f in case.visit.findings}
        assert told <= present
        assert len(told) <= 2
        assert bool(told) == bool(present)
        silent.append(len(present) - len(told))
    assert np.mean(silent) > 0.5


def test_metadata_rises_with_severity_and_is_missing(all_cases: dict[str, list[Case]]) -> None:
    cases = all_cases["metadata"]
    for name in ("age", "bnp", "crp"):
        assert np.mean([c.meta[name] == "" for c in cases]) == pytest.approx(0.3, abs=0.06)
    known = [c for c in cases if c.meta["bnp"] != ""]
    grade = [
        max([f.grade for f in c.visit.findings if f.name == "pulmonary oedema"], default=-0.5)
        for c in known
    ]
    bnp = np.log([float(str(c.meta["bnp"])) for c in known])
    assert np.corrcoef(grade, bnp)[0, 1] > 0.7
    told = [f.name in str(c.meta["truth:mentioned"]) for c in cases for f in c.visit.findings]
    assert np.mean(told) == pytest.approx(0.5, abs=0.06)


def test_shortcut_is_reversed_in_the_test(all_cases: dict[str, list[Case]]) -> None:
    for split, share in (("train", 0.9), ("val", 0.9), ("test", 0.1)):
        cases = part(all_cases["shortcut"], split)
        agree = [(c.meta["site"] == shortcut.MARKED) == bool(c.labels[shortcut.BOUND])
                 for c in cases]  # fmt: skip
        assert np.mean(agree) == pytest.approx(share, abs=0.14 if split == "val" else 0.06)
        free = [[c.marked, c.labels["consolidation"]] for c in cases]
        assert abs(np.corrcoef(np.array(free, float).T)[0, 1]) < 0.4
    assert all(c.marked == (c.visit.site == shortcut.MARKED) for c in all_cases["shortcut"])
    assert not any(shortcut.MARKED in c.text for c in all_cases["shortcut"])
    assert 10 < shortcut.mark(64).sum() == shortcut.mark(128).sum() / 4 < 20


def test_subgroup_has_the_mark_the_other_way_round_in_few() -> None:
    cases = subgroup.cases(3, 3 * STUDIES)
    for split in ("train", "test"):
        here = part(cases, split)
        few = np.array([c.meta["insurance"] == subgroup.FEW for c in here])
        agree = np.array([c.marked == bool(c.labels[subgroup.BOUND]) for c in here])
        ill = np.array([c.labels[subgroup.BOUND] for c in here])
        assert few.mean() == pytest.approx(subgroup.SHARE, abs=0.03)
        assert agree[few].mean() == pytest.approx(1 - subgroup.AGREE, abs=0.08)
        assert agree[~few].mean() == pytest.approx(subgroup.AGREE, abs=0.03)
        assert ill[few].mean() == pytest.approx(ill[~few].mean(), abs=0.15)
    assert all(c.marked == (c.visit.site == subgroup.MARKED) == (c.meta["site"] == subgroup.MARKED)
               for c in cases)  # fmt: skip
    words = (subgroup.MARKED, subgroup.FEW, "insurance")
    assert not any(word in c.text for c in cases for word in words)


def test_temporal_says_the_change_that_happened(all_cases: dict[str, list[Case]]) -> None:
    cases = {c.visit.study: c for c in all_cases["temporal"]}
    seen = Counter()
    for case in cases.values():
        changes = {k[7:]: v for k, v in case.meta.items() if k.startswith("change:") and v}
        assert bool(changes) == bool(case.visit.prior)
        if not case.visit.prior:
            continue
        before = {f.name: f for f in cases[case.visit.prior].visit.findings}
        for finding in case.visit.findings:
            moved = finding.grade - before[finding.name].grade
            expected = "worse" if moved > 0.3 else "better" if moved < -0.3 else "unchanged"
            assert changes[finding.name] == expected
            assert f"{finding.name}, {expected}" in case.text.lower()
            assert replace(finding, grade=0, change="") == replace(before[finding.name], grade=0)
            seen[expected] += 1
    assert min(seen.values()) > 0.25 * sum(seen.values())


def test_modalities_lack_one_in_three_of_ten(all_cases: dict[str, list[Case]]) -> None:
    views = Counter(c.views for c in all_cases["modalities"])
    assert views["PA", "CT"] / STUDIES == pytest.approx(0.7, abs=0.06)
    assert views["PA",] / STUDIES == pytest.approx(0.15, abs=0.05)
    assert views["CT",] / STUDIES == pytest.approx(0.15, abs=0.05)


def test_negation_twin_differs_in_one_finding(all_cases: dict[str, list[Case]]) -> None:
    for case in all_cases["negation"]:
        told = sentences(case.text.split("FINDINGS: ")[1].split("\n")[0])
        assert len(told) == len(negation.FINDINGS)
        denied = [s for s in told if re.search(r"\b(no|not|cannot)\b", s)]
        assert len(denied) == len(told) - sum(case.labels.values())
        twin = case.further["twin"]
        assert bool(twin) == (case.split == "test")
        if twin:
            others = sentences(twin.split("FINDINGS: ")[1].split("\n")[0])
            changed = [pair for pair in zip(told, others, strict=True) if len(set(pair)) > 1]
            assert len(changed) == 1
            assert str(case.meta["truth:flipped"]) in changed[0][0].lower()
