"""The whole body: organs, bones and vessels of a person in a pose, and the solids of findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asclip.phantom import organs, skeleton, vessels
from asclip.phantom.layout import Layout, Person, Pose
from asclip.phantom.solids import ADDED, Solids, join


@dataclass(frozen=True, slots=True)
class Body:
    """Solids of one person in one pose with the layout that placed them."""

    layout: Layout
    solids: Solids

    @property
    def paint(self) -> Solids:
        """The painted solids: organs."""
        return self.solids.take(self.solids.level != ADDED)

    @property
    def details(self) -> Solids:
        """The additive solids: bones, vessels, textures."""
        return self.solids.take(self.solids.level == ADDED)


@dataclass(slots=True)
class Draft:
    """A body under construction, in the two moments at which findings may change it.

    `layout` may be changed by a finding's `prepare` before organs are built; `organs` holds the
    painted solids when a finding's `place` runs, so that it can look where lung is; `broken`
    replaces the courses of ribs by (side, number).
    """

    layout: Layout
    organs: Solids
    broken: dict[tuple[int, int], list[np.ndarray]]


Change = Callable[[Layout], None]
Place = Callable[[Draft], Solids]


def build(
    person: Person,
    pose: Pose,
    changes: Sequence[Change] = (),
    places: Sequence[Place] = (),
) -> Body:
    """The body of `person` in `pose`.

    `changes` alter the layout before organs are made; `places` return further solids, painted or
    additive, the i-th with the owner it wants. Small anatomy follows from `person.seed`.
    """
    layout = Layout(person, pose)
    for change in changes:
        change(layout)
    small = [np.random.default_rng([person.seed, k]) for k in range(4)]
    base = join(
        [
            organs.outer(layout, small[0]),
            organs.lungs(layout),
            organs.mediastinum(layout),
            organs.heart(layout),
            organs.abdomen(layout, small[1]),
            organs.airways(layout),
        ]
    )
    draft = Draft(layout, base, {})
    parts = [place(draft) for place in places]
    lesions = [part.take(part.level != ADDED) for part in parts]
    paint = join([base, *lesions])
    details = [
        skeleton.spine(layout),
        skeleton.ribs(layout, draft.broken),
        skeleton.girdle(layout, small[2]),
        vessels.trees(layout, paint, small[3]),
    ]
    return Body(layout, join([base, *parts, *details]))
