"""What explanation maps are asked: findings that are there, in studies drawn with a fixed seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asclip.data.dataset import Dataset
from asclip.data.prompts import PromptSet
from asclip.tasks.classification.truth import classes_in, truth_of
from asclip.tasks.similarity import owns_score
from asclip.trust.explain.attention import attends, rollout
from asclip.trust.explain.baseline import middle, noise
from asclip.trust.explain.bottleneck import bottleneck
from asclip.trust.explain.boxes import boxes_of
from asclip.trust.explain.gradients import grad_cam
from asclip.trust.explain.sanity import Method
from asclip.trust.explain.similarity import own_score, region_cosine

BASELINES = ("random", "middle")
"""Methods that know nothing of the image or the phrase."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Pairs of a study and a finding that it has, in random order; n rows.

    `row` [n] of the studies in their part, `column` [n] of the findings in `labels`; `images` [n]
    uint8 items, `phrases` what each is asked for; `boxes` [M, 4] of each, M = 0 where unknown.
    """

    prompts: PromptSet
    labels: tuple[str, ...]
    row: np.ndarray
    column: np.ndarray
    images: np.ndarray
    phrases: list[str]
    boxes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def boxed(self) -> bool:
        """Whether it is known where the findings are."""
        return any(len(one) for one in self.boxes)

    def first(self, count: int) -> Cases:
        """The first `count` of them."""
        cut = ("row", "column", "images", "phrases", "boxes")
        return replace(self, **{name: getattr(self, name)[:count] for name in cut})


def methods(model: Any) -> dict[str, Method]:
    """The methods that a model's towers and score allow, and `BASELINES`, by name."""
    found: dict[str, Method] = {"similarity": region_cosine}
    if owns_score(model):
        found["own-score"] = own_score
    found |= {"grad-cam": grad_cam, "bottleneck": bottleneck}
    if attends(model):
        found["attention"] = rollout
    return found | {"random": noise, "middle": middle}


def cases(part: Dataset, sets: Sequence[PromptSet], *, seed: int, each: int) -> Cases | None:
    """At most `each` cases of a finding; of the first set with boxes, else the first that fits.

    With boxes only findings that have one are asked. None where no set names what a study has.
    """
    fitting = [(one, boxes_of(part, one)) for one in sets if classes_in(one, part)]
    if not fitting:
        return None
    prompts, boxes = next((pair for pair in fitting if pair[1]), fitting[0])
    truth, slots = truth_of(prompts, part), part.image_rows()
    labels = tuple(name for name in truth.labels if name in (boxes or prompts.classes))
    unknown = [np.zeros((0, 4))] * len(part)
    rng = np.random.default_rng([seed, 7])
    chosen: list[tuple[int, int]] = []
    for column, label in enumerate(labels):
        known = truth.values[:, truth.labels.index(label)] == 1
        known &= np.array([len(several) > 0 for several in slots])
        if boxes:
            known &= np.array([len(one) > 0 for one in boxes[label]])
        rows = rng.permutation(np.flatnonzero(known))[:each]
        chosen += [(int(row), column) for row in rows]
    if not chosen:
        return None
    order = rng.permutation(len(chosen))
    row, column = np.array(chosen)[order].T
    pairs = [(int(r), labels[c]) for r, c in zip(row, column, strict=True)]
    return Cases(
        prompts,
        labels,
        row,
        column,
        np.stack([np.asarray(part.pixels[slots[r][0]]) for r, _ in pairs]),
        [prompts.classes[label].positive[0] for _, label in pairs],
        [boxes.get(label, unknown)[r] for r, label in pairs],
    )
