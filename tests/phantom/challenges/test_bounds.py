from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asclip.phantom import studio
from asclip.phantom.challenges import CHALLENGES, NAMES
from asclip.phantom.challenges.bounds import bounds, precision, recall
from asclip.phantom.challenges.case import Case, Measure, came, truth
from asclip.phantom.challenges.coronal import coronal
from asclip.phantom.findings import Finding


@pytest.mark.parametrize("name", NAMES)
def test_ceiling_is_not_below_chance(name: str) -> None:
    cases = CHALLENGES[name].cases(0, 400)
    boxes = {f"truth:box {n}": "0.2 0.2 0.4 0.4" for n in ("mass", "consolidation")}
    cases = [replace(c, meta=dict(c.meta) | (boxes if c.boxed else {})) for c in cases]
    for measure in CHALLENGES[name].measures:
        ceiling, chance = bounds(measure, cases)
        assert ceiling is not None
        assert chance is not None
        if measure.better == "higher":
            assert 0 <= chance < ceiling <= 1
        if measure.primary:
            assert ceiling > chance + 0.3


def case(patient: int, names: tuple[str, ...]) -> Case:
    found = [Finding(name, "right", "mid", 0.5, 1) for name in names]
    return Case(came(0, patient, found), "test", "", truth(("mass", "nodule"), found))


def test_recall_of_equal_findings_is_shared() -> None:
    cases = [case(p, ("mass",)) for p in range(10)] + [case(p, ("nodule",)) for p in range(10, 12)]
    best, chance = recall(cases, of_bodies=False)
    assert best == pytest.approx((10 * 0.5 + 2 * 1.0) / 12)
    assert chance == pytest.approx(5 / 12)
    both = [replace(c, views=("PA", "CT")) for c in cases]
    assert recall(both, of_bodies=True)[0] == 1.0


def test_precision_counts_other_patients_alone() -> None:
    cases = [case(p, ("mass",)) for p in range(6)] + [case(p, ("nodule",)) for p in range(6, 14)]
    best, chance = precision(cases, ("label:mass", "label:nodule"))
    assert best == pytest.approx((6 * 0.5 + 8 * 0.7) / 14)
    assert chance == pytest.approx((6 * 5 / 13 + 8 * 7 / 13) / 14)


def test_pointing_at_random_hits_the_share_of_the_widened_box() -> None:
    found = replace(case(0, ("mass",)), meta={"truth:box mass": "0.5 0.25 0.75 1.0000"})
    other = replace(case(1, ()), meta={"truth:box mass": ""})
    one = Measure("p", "pointing", "share of films", columns=("meta:truth:box mass",))
    ceiling, chance = bounds(one, [found, other])
    assert ceiling == 1.0
    assert chance == pytest.approx(0.5 * 0.875)
    assert bounds(one, [other]) == (None, None)


def test_coronal_shows_the_body_as_a_film_is_hung() -> None:
    """Dark lungs, a bright spine between them, effusion at the patient's right: image left."""
    visit = came(0, 3, [Finding("pleural effusion", "right", "", 0.8, 1)])
    picture = coronal(studio.body_of(visit, False), 64, noise=0.0, rng=np.random.default_rng(0))
    assert picture.shape == (64, 64)
    assert picture.dtype == np.uint8
    assert picture[2, 2] == 0
    low = picture[36:44].astype(float)
    assert low[:, 12:26].mean() > 1.3 * low[:, 44:54].mean()
    upper = picture[16:26].astype(float)
    assert upper[:, 30:34].mean() > 1.5 * upper[:, 16:24].mean()
