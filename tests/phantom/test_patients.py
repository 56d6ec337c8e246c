from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

from asclip.phantom.findings import NAMES
from asclip.phantom.patients import SITES, studies, visits


def test_a_patient_depends_on_seed_and_number_alone() -> None:
    few = [v for found in studies(3, 40) for v in found]
    many = [v for found in studies(3, 90) for v in found]
    assert many[:40] == few
    assert visits(3, 5) == visits(3, 5)
    assert visits(3, 5) != visits(4, 5)


def test_prevalences_are_sensible() -> None:
    found = [v for patient in studies(0, 3000) for v in patient]
    count = Counter(f.name for v in found for f in v.findings)
    for name in NAMES:
        assert 0.07 < count[name] / len(found) < 0.25, name
    normal = np.mean([not v.findings for v in found])
    assert 0.23 < normal < 0.35
    both = np.mean(
        [{"cardiomegaly", "pulmonary oedema"} <= {f.name for f in v.findings} for v in found]
    )
    alone = count["cardiomegaly"] * count["pulmonary oedema"] / len(found) ** 2
    assert both > 3 * alone  # failing hearts congest


def test_studies_of_a_patient_follow_each_other() -> None:
    for patient in range(150):
        found = visits(1, patient)
        assert 1 <= len(found) <= 4
        assert len({v.site for v in found}) == 1
        for before, after in pairwise(found):
            assert after.prior == before.study
            assert after.day > before.day
            assert after.person.seed == before.person.seed
            assert 0 <= after.person.age - before.person.age <= 3
            earlier = {f.name: f for f in before.findings}
            for finding in after.findings:
                if finding.change == "new":
                    assert finding.name not in earlier
                    continue
                old = earlier[finding.name]
                assert (old.seed, old.side, old.zone) == (finding.seed, finding.side, finding.zone)
                move = np.sign(finding.grade - old.grade)
                assert move == {"larger": 1, "smaller": -1, "unchanged": 0}[finding.change]
            kept = {f.name for f in after.findings}
            assert set(after.resolved) == set(earlier) - kept
        assert found[0].prior == ""
        assert all(f.change == "" for f in found[0].findings)


def test_sites_differ() -> None:
    devices = [d for site in SITES.values() for d in site]
    assert len({d.name for d in devices}) == len(devices) >= 3
    assert {d.inverted for d in devices} == {True, False}
    assert {d.bits for d in devices} == {12, 14}
