"""What a few-shot experiment asks, and a data set's answer: features and truth of its studies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from asclip.adapt.interface import Examples
from asclip.data.prompts import PromptSet
from asclip.errors import DataError
from asclip.tasks.classification.truth import class_truth, label_truth, truth_of

BATCH = 32  # images encoded at once: a convolution's maps of 256 large ones take gigabytes


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a prompt set of those classes that training and validation can answer."""

    prompts: PromptSet

    @classmethod
    def of(
        cls, train: Any, validation: Any, prompts: PromptSet, say: Callable[[str], None]
    ) -> Question:
        """The classes to ask for; `say` is told which are left out.

        Raises:
            DataError: none is left.
        """
        truth = truth_of(prompts, train)
        asked = [name for name in truth.labels if name in prompts.classes]
        absent = [name for name in prompts.labels if name not in asked]
        if absent:
            say(f"left out, as the training data do not have them: {', '.join(absent)}")
        if prompts.single_label:
            return cls(prompts.only(*asked))
        values = {name: truth.values[:, truth.labels.index(name)] for name in asked}
        kept = [name for name in asked if {0.0, 1.0} <= set(values[name])]
        left = [name for name in asked if name not in kept]
        if not kept:
            raise DataError(
                f"{train.name}: prompt set {prompts.name} must have a label that some training "
                f"study has and another is known not to have, got none of {', '.join(asked)}; "
                "ingest labels of both kinds (1 and 0)"
            )
        if left:
            say(f"left out, as training has one side only: {', '.join(left)}")
        return cls(prompts.only(*kept))

    def truth(self, part: Any) -> np.ndarray:
        """Truth [n, K] of the studies of `part`."""
        if self.prompts.single_label:
            return class_truth(self.prompts, part, classes=self.prompts.labels).values
        found = label_truth(self.prompts, part)
        return found.values[:, [found.labels.index(name) for name in self.prompts.labels]]


def embeddings(model: Any, part: Any) -> Tensor:
    """[n, D] float32 unit-length features; NaN for a study without an image."""
    found = model.encode_images(part, batch=BATCH, local=False).pooled.float()
    return functional.normalize(found, dim=1)


class Seen:
    """The studies of `part` as examples of a question; each is encoded when first asked for."""

    def __init__(self, model: Any, part: Any, question: Question) -> None:
        self.model, self.part = model, part
        with_image = np.array([len(rows) > 0 for rows in part.image_rows()], dtype=bool)
        self.truth = np.where(with_image[:, None], question.truth(part), np.nan)
        self.features: dict[int, Tensor] = {}

    def examples(self, rows: Sequence[int] | None = None) -> Examples:
        """Those at `rows`, by default all, that have an image and something known."""
        asked = range(len(self.part)) if rows is None else rows
        wanted = [row for row in asked if not np.isnan(self.truth[row]).all()]
        new = [row for row in wanted if row not in self.features]
        if new:
            found = embeddings(self.model, self.part.take(np.array(new)))
            self.features.update(zip(new, found, strict=True))
        width = self.model.encoder.width
        features = [self.features[row] for row in wanted] or [torch.zeros(0, width)]
        return Examples(
            torch.stack(features) if wanted else features[0],
            torch.from_numpy(self.truth[wanted]).float(),
            self.part.take(np.array(wanted, dtype=np.int64)),
        )
