"""Where the organs of one person lie: the numbers from which solids and findings are placed.

Everything is in mm, RAS+: x to the patient's right, y to the front, z to the head, z = 0 at the
carina. `side` is +1 for right and -1 for left, as x.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from asclip.phantom.shapes import ellipsoids, turn
from asclip.phantom.solids import Solids, join

AIR, ORGAN, LESION, AFLOAT, FLUID, SHRUNK, PLEURAL_AIR, LUNG, SOFT, FAT = range(10)
"""Levels of painted tissue, the one on top first; AFLOAT is lung that lies on fluid."""
AERATED = (AFLOAT, SHRUNK, LUNG)
TISSUE_HU = {
    AIR: -1000.0,
    ORGAN: 45.0,
    LESION: 40.0,
    AFLOAT: -790.0,
    FLUID: 12.0,
    SHRUNK: -720.0,
    PLEURAL_AIR: -995.0,
    LUNG: -800.0,
    SOFT: 35.0,
    FAT: -95.0,
}
"""CT number of each level."""
BONE, MARROW, METAL = 1500.0, 520.0, 16000.0
RIGHT, LEFT = 1, -1
SIDES = {"right": RIGHT, "left": LEFT}


@dataclass(frozen=True, slots=True)
class Person:
    """Who is imaged; `seed` fixes the branching of the vessels and other small anatomy."""

    age: int
    sex: str
    size: float = 1.0
    fat: float = 14.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pose:
    """How: `inspiration` is mm of descent of the diaphragm, `rotation` degrees around z.

    `upright` decides where fluid and gas lie; `arms_up` are beside the head (lateral films, CT).
    """

    inspiration: float = 0.0
    rotation: float = 0.0
    upright: bool = True
    arms_up: bool = False


@dataclass(slots=True)
class Layout:
    """Organ positions of a person in a pose; findings change some before the body is built.

    `dome` is the height of the diaphragm by side, `heart` the factor on the heart's width,
    `collapse` the factor of a lung shrunk by air in the pleura (1 = none), `flow` the width of
    upper-zone vessels.
    """

    person: Person
    pose: Pose
    dome: dict[int, float] = field(default_factory=dict)
    heart: float = 1.0
    collapse: dict[int, float] = field(default_factory=lambda: {RIGHT: 1.0, LEFT: 1.0})
    flow: float = 1.0
    _lungs: dict[int, Solids] = field(default_factory=dict)

    def __post_init__(self) -> None:
        base = -117.0 * self.size - self.pose.inspiration
        if not self.dome:
            self.dome = {RIGHT: base, LEFT: base - 14.0}
        self._lungs = {side: self._lung(side) for side in (RIGHT, LEFT)}

    @property
    def size(self) -> float:
        """Scale of the skeleton."""
        return self.person.size

    def lung(self, side: int) -> Solids:
        """The lung's outer shape: a tilted ellipsoid cut at its base, and a rounded apex."""
        return self._lungs[side]

    def _lung(self, side: int) -> Solids:
        s = self.size
        narrow = 1.0 if side == RIGHT else 0.97
        wide = 0.98 if self.person.sex == "F" else 1.02
        shape = ellipsoids(
            np.array([side * 64.0, -2.0, -88.0]) * s,
            np.array([78.0 * narrow * wide, 92.0, 182.0]) * s,
            hu=TISSUE_HU[LUNG],
            level=LUNG,
            rotation=turn(y=-7.5 * side),
        )
        crown = ellipsoids(
            np.array([side * 48.0, -10.0, 28.0]) * s,
            np.array([46.0 * wide, 56.0, 66.0]) * s,
            hu=TISSUE_HU[LUNG],
            level=LUNG,
        )
        return join([shape.cut([0.0, 0.24, -1.0], -self.floor), crown])

    @property
    def floor(self) -> float:
        """Height of the lungs' lower edge at y = 0; deeper behind, higher in front."""
        return -170.0 * self.size - 0.6 * self.pose.inspiration

    @property
    def apex(self) -> float:
        """Height of the lungs' tops."""
        return 92.0 * self.size

    def zone_edges(self, side: int) -> tuple[float, float]:
        """Heights between upper and mid, and mid and lower zone: thirds of apex to dome."""
        base = -117.0 * self.size - self.pose.inspiration - (14.0 if side == LEFT else 0.0)
        third = (self.apex - base) / 3
        return self.apex - third, self.apex - 2 * third

    def zone(self, side: int, z: float) -> str:
        """Zone ("upper", "mid", "lower") of the height `z`."""
        first, second = self.zone_edges(side)
        return "upper" if z > first else "mid" if z > second else "lower"

    def cage(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half width and half depth (mm) of the rib cage's inside at heights `z`."""
        s = self.size
        lung = self.lung(RIGHT)
        form = lung.matrix[0].T @ lung.matrix[0]
        dz = np.clip(z, -150.0 * self.size, self.apex - 6.0) - lung.centre[0, 2]
        root = (form[0, 2] * dz) ** 2 - form[0, 0] * (form[2, 2] * dz**2 - 1)
        reach = (-form[0, 2] * dz + np.sqrt(np.maximum(root, 0))) / form[0, 0]
        inner = np.maximum(1 - (dz / (182.0 * self.size)) ** 2, 0.02)
        crown = np.sqrt(np.maximum(1 - ((np.maximum(z, 28 * s) / s - 28.0) / 66.0) ** 2, 0.04))
        width = np.maximum(lung.centre[0, 0] + reach, (48.0 + 46.0 * crown) * s)
        return width, np.maximum(92.0 * s * np.sqrt(inner), 56.0 * s * crown)

    def rib(self, side: int, number: int) -> np.ndarray:
        """Centre line [m, 3] of rib `number` (1-12) from the spine around to the front."""
        s = self.size
        drop = s * (22, 40, 54, 64, 72, 78, 82, 84, 82, 72, 44, 24)[number - 1]
        end = (148, 152, 152, 152, 150, 148, 146, 136, 124, 112, 86, 58)[number - 1]
        start = self.vertebra(number)[2] + 8.0 * s
        angle = np.deg2rad(np.linspace(20.0, end, 13 if number < 11 else 8))
        z = start + 4.0 * s - drop * (1 - np.cos(angle)) / 2
        width, depth = self.cage(z)
        c = np.cos(angle)
        x = side * (width + 5.0) * np.sin(angle) ** 0.65
        y = -2.0 * s - (depth + 5.0) * np.sign(c) * np.abs(c) ** 0.65
        head = np.array([[side * 17 * s, -70 * s, start], [side * 33 * s, -84 * s, start + 2 * s]])
        head[:, 1] = np.maximum(head[:, 1], y[0] + 6)
        return np.concatenate([head, np.stack([x, y, z], 1)])

    def vertebra(self, number: int) -> np.ndarray:
        """Centre [3] of thoracic vertebra `number`; 0 and below are cervical, 13 on lumbar."""
        s, k = self.size, number - 1
        z = 94.0 - 21.0 * k - 0.26 * k * abs(k)
        bow = -66.0 + 12.0 * ((z + 60.0) / 150.0) ** 2  # kyphosis: the middle lies furthest back
        return np.array([0.0, bow * s, z * s])

    def hilum(self, side: int) -> np.ndarray:
        """Root of the lung [3]; the left one is the higher."""
        return np.array([side * 33.0, -12.0, -26.0 if side == RIGHT else -16.0]) * self.size

    @property
    def heart_centre(self) -> np.ndarray:
        """Centre [3] of the left ventricle; it sinks and moves left as the heart grows."""
        rest = self.dome[LEFT] * 0.25 + 0.75 * (-131.0 * self.size)
        shift = 26.0 * (self.heart - 1)
        return np.array([-24.0 * self.size - shift, 26.0 * self.size, rest + 42.0 * self.size])

    @property
    def heart_semi(self) -> np.ndarray:
        """Semi-axes [3] of the left ventricle."""
        h = 1 + 1.0 * (self.heart - 1)
        return np.array([60.0 * h, 44.0 * h**0.5, 41.0 * h**0.5]) * self.size
