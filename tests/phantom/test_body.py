from __future__ import annotations

import numpy as np
import pytest

from asclip.phantom.body import Body
from asclip.phantom.layout import (
    AIR,
    LEFT,
    LUNG,
    ORGAN,
    RIGHT,
    SOFT,
    Layout,
    Person,
    Pose,
)
from asclip.phantom.rays import visible
from asclip.phantom.solids import level_at
from asclip.phantom.structures import ill
from asclip.phantom.xray import Device, aim


@pytest.mark.parametrize(
    ("point", "level"),
    [
        ([80, 0, -40], LUNG),
        ([-85, 0, 0], LUNG),
        ([-35, 26, -90], ORGAN),  # left ventricle
        ([70, 0, -150], ORGAN),  # liver
        ([2, -9, 70], AIR),  # trachea
        ([0, 104, -60], SOFT),  # in front of the sternum
    ],
)
def test_organs_are_where_they_belong(healthy: Body, point: list[float], level: int) -> None:
    assert level_at(healthy.paint, np.array([point], float))[0] == level


def test_right_lung_is_bigger_and_right_dome_higher(healthy: Body) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([-150, -110, -200], [150, 110, 100], (40000, 3))
    lung = level_at(healthy.paint, points) == LUNG
    right = lung[points[:, 0] > 0].sum()
    left = lung[points[:, 0] < 0].sum()
    assert 1.03 < right / left < 1.6
    volume = lung.mean() * 300 * 220 * 300 / 1e6
    assert 3.0 < volume < 8.0  # litres
    assert healthy.layout.dome[RIGHT] > healthy.layout.dome[LEFT]


def test_cardiothoracic_ratio(person: Person, healthy: Body) -> None:
    """Below one half in health, above it with a big heart."""

    def ratio(body: Body) -> float:
        beam = aim("PA", 256, body=body, device=Device())
        z = round(float(beam.project(np.array([0, 0, -100.0]))[0]))
        shown = visible(body.paint, beam)
        lung = np.flatnonzero(shown[LUNG, z] > 5)
        heart = np.flatnonzero((shown[ORGAN, z] > 20) & (np.arange(256) > lung[0]))
        heart = heart[heart < lung[-1]]
        return (heart[-1] - heart[0]) / (lung[-1] - lung[0])

    from asclip.phantom.findings import draw

    big = ill(person, Pose(), [draw("cardiomegaly", np.random.default_rng(0), grade=0.5)])
    assert 0.3 < ratio(healthy) < 0.5 < ratio(big)


def test_gas_bubble_and_apex_are_at_the_left(healthy: Body) -> None:
    gas = healthy.paint.take((healthy.paint.level == AIR) & (healthy.paint.centre[:, 2] < -110))
    assert len(gas) > 0
    assert np.all(gas.centre[:, 0] < -20)
    assert healthy.layout.heart_centre[0] < -15


def test_ribs_descend_to_the_front_and_come_in_pairs(person: Person) -> None:
    layout = Layout(person, Pose())
    for number in range(1, 13):
        right, left = layout.rib(RIGHT, number), layout.rib(LEFT, number)
        np.testing.assert_allclose(right * [-1, 1, 1], left, atol=1e-9)
        assert right[0, 2] > right[-1, 2]
        assert right[:, 0].max() > 50
    assert layout.rib(RIGHT, 7)[-1, 1] > 40 > layout.rib(RIGHT, 12)[-1, 1]


def test_body_varies_with_person_and_pose(person: Person, healthy: Body) -> None:
    same = ill(person, Pose(), [])
    np.testing.assert_array_equal(same.solids.centre, healthy.solids.centre)
    deep = ill(person, Pose(inspiration=10), [])
    assert deep.layout.dome[RIGHT] == healthy.layout.dome[RIGHT] - 10
    woman = ill(Person(50, "F", seed=3), Pose(), [])
    front = [b.paint.high[:, 1].max() for b in (woman, healthy)]
    assert front[0] > front[1]  # breasts
    other = ill(Person(50, "M", seed=4), Pose(), [])
    assert len(other.details) != len(healthy.details)
