"""What may be found in a chest: the catalogue of findings and what is known of each one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SIDES = ("right", "left")
ZONES = ("upper", "mid", "lower")
SEVERITIES = ("mild", "moderate", "severe")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding: where it can lie and how large it can be.

    `sides` are the choices with their weights (a midline finding has ("",)); `zones` likewise.
    `size` is the (smallest, largest) size in mm, `what` says of which dimension; None if a size
    makes no sense. `denser` tells whether the film gets denser (True) or lighter in its region.
    """

    name: str
    sides: tuple[tuple[str, float], ...] = (("right", 1.0), ("left", 1.0))
    zones: tuple[tuple[str, float], ...] = (("", 1.0),)
    size: tuple[float, float] | None = None
    what: str = ""
    device: bool = False
    denser: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one study; `grade` 0-1 is how large or severe it is within its kind.

    `seed` fixes its place and texture, so that it is the same lesion in a later study. `change`
    against the prior is "new", "larger", "smaller", "unchanged", or "" without a prior.
    """

    name: str
    side: str
    zone: str
    grade: float
    seed: int
    change: str = ""

    @property
    def kind(self) -> Kind:
        """The catalogue's entry."""
        return KINDS[self.name]

    @property
    def severity(self) -> str:
        """Thirds of `grade`."""
        return SEVERITIES[min(int(self.grade * 3), 2)]

    @property
    def size(self) -> float:
        """Size in mm, NaN where none makes sense."""
        if self.kind.size is None:
            return float("nan")
        low, high = self.kind.size
        return low + (high - low) * self.grade

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides on which it lies: both for a bilateral one, none for the midline."""
        return SIDES if self.side == "bilateral" else (self.side,) if self.side else ()

    def graded(self, grade: float, change: str) -> Finding:
        """The same finding at another time."""
        return replace(self, grade=float(np.clip(grade, 0.0, 1.0)), change=change)


_BOTH = (("right", 1.0), ("left", 1.0), ("bilateral", 1.0))
_ANY = (("upper", 1.0), ("mid", 1.0), ("lower", 1.0))
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("nodule", zones=_ANY, size=(6.0, 30.0), what="diameter"),
        Kind("mass", zones=_ANY, size=(36.0, 84.0), what="diameter"),
        Kind(
            "consolidation",
            sides=(("right", 2.0), ("left", 2.0), ("bilateral", 1.0)),
            zones=(("upper", 1.0), ("mid", 1.0), ("lower", 2.0)),
            size=(45.0, 100.0),
            what="extent",
        ),
        Kind("pleural effusion", sides=_BOTH),
        Kind("pneumothorax", denser=False),
        Kind("cardiomegaly", sides=(("", 1.0),)),
        Kind(
            "atelectasis",
            sides=(("right", 2.0), ("left", 2.0), ("bilateral", 1.0)),
            zones=(("mid", 1.0), ("lower", 3.0)),
        ),
        Kind("pulmonary oedema", sides=(("bilateral", 1.0),)),
        Kind("rib fracture", zones=(("upper", 1.0), ("mid", 2.0), ("lower", 2.0))),
        Kind("hiatal hernia", sides=(("", 1.0),), size=(48.0, 96.0), what="width"),
        Kind("elevated diaphragm", sides=(("right", 2.0), ("left", 1.0))),
        Kind("fibrosis", sides=(("bilateral", 1.0),), zones=(("upper", 1.0), ("lower", 3.0))),
        Kind("pacemaker", sides=(("left", 5.0), ("right", 1.0)), device=True),
        Kind("central line", sides=(("right", 3.0), ("left", 1.0)), device=True),
        Kind("endotracheal tube", sides=(("", 1.0),), device=True),
    )
}
"""Every kind of finding by name; the names are those of the `label:` columns."""
NAMES = tuple(KINDS)


def draw(name: str, rng: np.random.Generator, *, side: str = "", grade: float = -1.0) -> Finding:
    """A random finding of kind `name`, on `side` where it can be there."""
    kind = KINDS[name]
    sides = [s for s, _ in kind.sides]
    chosen = _choose(kind.sides, rng)
    if side in sides:
        chosen = side
    zone = _choose(kind.zones, rng)
    drawn = float(rng.uniform(0.0, 1.0))
    seed = int(rng.integers(2**31))
    return Finding(name, chosen, zone, grade if grade >= 0 else drawn, seed)


def _choose(options: tuple[tuple[str, float], ...], rng: np.random.Generator) -> str:
    weights = np.array([w for _, w in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][0]
