from __future__ import annotations

import numpy as np
import pytest

from asclip.phantom.findings import KINDS, NAMES, SEVERITIES, Finding, draw
from asclip.phantom.layout import SIDES, Person, Pose
from asclip.phantom.shapes import unit
from asclip.phantom.structures import PLACE, PREPARE, ill
from asclip.phantom.truth import regions
from asclip.phantom.xray import Device, aim, attenuation

SIZE = 128


def test_catalogue() -> None:
    assert len(NAMES) >= 12
    assert set(PLACE) == set(NAMES)
    assert set(PREPARE) <= set(NAMES)
    nodule = Finding("nodule", "left", "mid", 0.5, 1)
    assert nodule.size == 18.0
    assert nodule.severity == SEVERITIES[1]
    assert np.isnan(Finding("pneumothorax", "left", "", 0.5, 1).size)
    assert nodule.graded(1.7, "larger").grade == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_draw_respects_the_kind(name: str) -> None:
    kind = KINDS[name]
    for seed in range(20):
        finding = draw(name, np.random.default_rng(seed))
        assert finding.side in [s for s, _ in kind.sides]
        assert finding.zone in [z for z, _ in kind.zones]
        assert 0 <= finding.grade <= 1


@pytest.mark.parametrize("name", NAMES)
def test_finding_changes_the_film_where_its_box_says(name: str, person: Person) -> None:
    """Denser or lighter inside the boxes, and clearly more than outside."""
    shifts = []
    for seed in range(3):
        finding = draw(name, np.random.default_rng(seed), grade=0.3 + 0.3 * seed)
        body, plain = ill(person, Pose(), [finding]), ill(person, Pose(), [])
        beam = aim("PA", SIZE, body=body, device=Device())
        found = regions(body, beam, [finding])
        assert len(found) == max(len(finding.sides), 1)
        change = attenuation(body, beam) - attenuation(plain, beam)
        inside = np.zeros((SIZE, SIZE), bool)
        for region in found:
            x_min, y_min, x_max, y_max = region.box
            assert 0 <= x_min < x_max <= SIZE
            assert 0 <= y_min < y_max <= SIZE
            assert region.mask[y_min:y_max, x_min:x_max].sum() == region.mask.sum() > 0
            inside |= region.mask
        assert np.abs(change[inside]).mean() > 5 * np.abs(change[~inside]).mean()
        shifts.append(change[inside].mean())
    if name == "hiatal hernia":  # fluid denser, gas lighter
        return
    sign = 1 if KINDS[name].denser else -1
    assert sign * np.mean(shifts) > 0.02


@pytest.mark.parametrize("side", ["right", "left"])
def test_box_lies_on_its_side(side: str, person: Person) -> None:
    for name in ("nodule", "mass", "consolidation", "pleural effusion", "pneumothorax"):
        finding = draw(name, np.random.default_rng(5), side=side, grade=0.5)
        body = ill(person, Pose(), [finding])
        (region,) = regions(body, aim("PA", SIZE, body=body, device=Device()), [finding])
        middle = (region.box[0] + region.box[2]) / 2
        assert region.side == side
        assert (middle < SIZE / 2) == (side == "right")


@pytest.mark.parametrize("zone", ["upper", "mid", "lower"])
def test_lesion_lies_in_its_zone(zone: str, person: Person) -> None:
    for name in ("nodule", "mass", "consolidation"):
        for seed in range(6):
            side = "left" if seed % 2 else "right"
            finding = Finding(name, side, zone, 0.4, seed)
            body = ill(person, Pose(), [finding])
            own = body.solids.take(body.solids.owner == 0)
            assert body.layout.zone(SIDES[side], float(own.centre[0, 2])) == zone or (
                body.layout.zone(SIDES[side], float(np.median(own.centre[:, 2]))) == zone
            )


def test_same_lesion_at_another_time(person: Person) -> None:
    """A grown nodule is at the same place, and larger."""
    early = Finding("nodule", "right", "mid", 0.2, 9)
    centres, sizes = [], []
    for finding in (early, early.graded(0.8, "larger")):
        body = ill(person, Pose(), [finding])
        (region,) = regions(body, aim("PA", 256, body=body, device=Device()), [finding])
        rows, columns = np.nonzero(region.mask)
        centres.append([rows.mean(), columns.mean()])
        sizes.append(region.mask.sum())
    assert np.linalg.norm(np.subtract(*centres)) < 4
    assert sizes[1] > 3 * sizes[0]


def test_box_has_the_size_of_the_nodule(person: Person) -> None:
    finding = Finding("nodule", "right", "upper", 1.0, 3)
    body = ill(person, Pose(), [finding])
    beam = aim("PA", 256, body=body, device=Device())
    (region,) = regions(body, beam, [finding])
    extent = np.subtract(region.box[2:], region.box[:2]) * beam.pitch
    assert np.all(extent > 0.8 * finding.size)
    assert np.all(extent < 1.6 * finding.size)


def test_two_findings_keep_their_own_regions(person: Person) -> None:
    findings = [
        Finding("pleural effusion", "left", "", 0.5, 1),
        Finding("nodule", "right", "upper", 0.9, 2),
    ]
    body = ill(person, Pose(), findings)
    found = regions(body, aim("PA", SIZE, body=body, device=Device()), findings)
    assert [r.finding.name for r in found] == ["pleural effusion", "nodule"]
    assert not np.any(found[0].mask & found[1].mask)


def test_unit() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 0, 4.0]])), [[0.6, 0, 0.8]])
