"""Where each finding is: its mask and box on a film, its mask in a CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asclip.phantom.body import Body
from asclip.phantom.findings import Finding
from asclip.phantom.layout import SHRUNK, SIDES
from asclip.phantom.rays import Beam, added, visible
from asclip.phantom.solids import ADDED, Solids


@dataclass(frozen=True, slots=True)
class Region:
    """One finding on one film, a bilateral one once per side.

    `mask` [H, W] bool; `box` (x_min, y_min, x_max, y_max) in pixels, x to the right, y down, the
    far ends exclusive; `side` is "right", "left" or "" for the midline.
    """

    finding: Finding
    side: str
    mask: np.ndarray
    box: tuple[int, int, int, int]


def regions(body: Body, beam: Beam, findings: Sequence[Finding]) -> list[Region]:
    """All findings that show on the film of `beam`, in order."""
    found = []
    for owner, finding in enumerate(findings):
        for side in finding.sides or ("",):
            own = body.solids.owner == owner
            if finding.side == "bilateral":
                own &= np.sign(body.solids.centre[:, 0]) == SIDES[side]
            mask = _shadow(body.solids, own, beam)
            if finding.name == "pneumothorax":
                mask &= _clear(body, beam)
            if mask.any():
                found.append(Region(finding, side, mask, box(mask)))
    return found


def box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Smallest box around the true pixels: x_min, y_min, x_max, y_max, far ends exclusive.

    >>> box(np.eye(4, dtype=bool)[:, :3])
    (0, 0, 3, 3)
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _shadow(solids: Solids, own: np.ndarray, beam: Beam) -> np.ndarray:
    """Pixels whose ray crosses more than a little of the `own` solids where they show."""
    mask = np.zeros(beam.shape, bool)
    details = solids.take(own & (solids.level == ADDED))
    if len(details):
        mass = np.abs(added(details, beam)) / 1000.0
        mask |= mass > np.clip(0.22 * mass.max(), 0.6, 4.0)
    for level in np.unique(solids.level[own & (solids.level != ADDED)]):
        mine = own & (solids.level == level)
        above = (solids.level != ADDED) & (solids.level < level)
        length = visible(solids.take(mine | above), beam, only=int(level))[level]
        mask |= length > max(1.0, 0.12 * length.max())
    return mask


def _clear(body: Body, beam: Beam) -> np.ndarray:
    """Pixels whose ray meets no shrunk lung: the rim in which a pneumothorax is seen."""
    paint = body.paint
    return visible(paint.take(paint.level <= SHRUNK), beam)[SHRUNK] < 2.0
