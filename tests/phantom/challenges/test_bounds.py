from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asclip.phantom import studio
from asclip.phantom.challenges import CHALLENGES, NAMES
from asclip.phantom.challenges.bounds import bounds, counting, precision, recall
from asclip.phantom.challenges.case import Case, Measure, came, truth
from asclip.phantom.challenges.coronal import coronal
from asclip.phantom.findings import Finding


@pytest.mark.parametrize("name", NAMES)
def test_ceiling_is_not_below_chance(name: str) -> None:
    cases = CHALLENGES[name].cases(0, 400)
    places = ("0.1 0.1 0.3 0.3", "0.6 0.1 0.8 0.3", "0.1 0.7 0.3 0.9")

    def boxed(c: Case, number: int) -> dict[str, object]:
        box = places[number % 3] if c.boxed else ""
        return dict(c.meta) | ({f"truth:box {n}": box for n in c.labels} if c.boxed else {})

    cases = [replace(c, meta=boxed(c, number)) for number, c in enumerate(cases)]
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


def test_pointing_counts_above_what_the_same_point_hits_elsewhere() -> None:
    def boxed(*boxes: str) -> list[Case]:
        return [
            replace(case(n, ("mass",)), meta={"truth:box mass": box}) for n, box in enumerate(boxes)
        ]

    one = Measure("p", "pointing", "hits above others", columns=("meta:truth:box mass",))
    left, right, across = "0.1 0.4 0.3 0.6", "0.7 0.4 0.9 0.6", "0.1 0.4 0.9 0.6"
    assert bounds(one, boxed(left, right, "")) == (1.0, 0.0)
    # The middles of left and right lie in "across", its middle in neither.
    assert bounds(one, boxed(left, right, across)) == (pytest.approx(1 - (0.5 + 0.5) / 3), 0.0)
    assert bounds(one, boxed(left, left)) == (0.0, 0.0)
    assert bounds(one, boxed(left, "")) == (None, None)


def test_who_counts_findings_is_above_chance_where_findings_come_alone_or_not() -> None:
    one = Measure("a", "zero-shot", "macro auroc", columns=("label:mass",), of=("mass",))
    plan = [case(0, ("mass",)), case(1, ("mass", "nodule")), case(2, ("nodule",)), case(3, ())]
    assert counting(one, plan) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert counting(replace(one, metric="recall@5"), plan) is None
    assert counting(one, plan[:2]) is None


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
