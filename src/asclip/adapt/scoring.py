"""From a fitted adapter to the rows of a curve, on studies that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asclip.adapt.interface import Adapted
from asclip.adapt.question import embeddings
from asclip.adapt.rows import Fit, Row
from asclip.adapt.sides import HARMONIC, Side, harmonic
from asclip.adapt.tuning import Tuned
from asclip.tasks.classification.scoring import evaluate
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import one_against_rest
from asclip.types import Predictions, Score

KNOWS_ITS_OWN = "it has weights for the classes that it was fitted on and none for others"


class Scorer:
    """Scores on the studies of `part`, with intervals over its patients."""

    def __init__(self, model: Any, part: Any, sides: Sequence[Side], resamples: int) -> None:
        self.model, self.part, self.sides, self.resamples = model, part, sides, resamples
        self.plain: Tensor | None = None

    def rows(self, fit: Fit) -> list[Row]:
        """Of each side the macro scores, and those of one class of several.

        NaN where nothing was fitted, and on other classes than an adapter can be asked for.
        """
        features = self._features(fit.adapted)
        first, *others = self.sides
        found = {first.name: self._scores(fit, first, fit.adapted, features, fit.why)}
        for side in others:
            asked = None if fit.adapted is None else fit.adapted.again(side.texts)
            found[side.name] = self._scores(fit, side, asked, features, fit.why or KNOWS_ITS_OWN)
            found[HARMONIC] = harmonic(found[first.name], found[side.name])
        chosen = {} if fit.adapted is None else dict(fit.adapted.chosen)
        return [
            Row(fit.method, fit.drawn, side, chosen, fit.seconds, one)
            for side, scores in found.items()
            for one in scores
        ]

    def _features(self, adapted: Adapted | None) -> Tensor:
        if isinstance(adapted, Tuned):  # it sees with weights of its own
            return embeddings(adapted.model, self.part)
        if self.plain is None:
            self.plain = embeddings(self.model, self.part)
        return self.plain

    def _scores(
        self, fit: Fit, side: Side, adapted: Adapted | None, features: Tensor, why: str
    ) -> list[Score]:
        prompts = side.question.prompts
        truth = side.question.truth(self.part)
        facts = provenance(
            fit.method, self.model, self.part, seed=fit.drawn.seed, prompts=prompts.id
        )
        scores = np.full(truth.shape, np.nan)
        if adapted is not None:
            with torch.no_grad():
                scores = adapted.scores(features).double().numpy()
            scores = one_against_rest(scores) if prompts.single_label else scores
        facts |= {"kind": prompts.kind, "shots": fit.drawn.shots}
        given = Predictions(scores, truth, prompts.labels, **who(self.part), provenance=facts)
        found = evaluate(given, resamples=self.resamples)
        found = [one for one in found if one.label in ("", "macro")]
        return found if adapted is not None else [replace(one, why_nan=why) for one in found]
