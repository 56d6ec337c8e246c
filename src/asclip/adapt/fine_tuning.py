"""All weights of the image tower move; the texts stay the classifier.

Paper    fine-tuning from the zero-shot classifier: Wortsman et al. 2022 (CVPR), arXiv:2109.01903
Takes    pixels, truth, text directions
Gives    logits [n, K] of features of the trained tower; the step is chosen on validation
Equals   zero_shot.py with steps = 0, layer_wise.py with decay = 1
Differs  the classifier itself is not trained, so that other classes can be asked for; Adam without
         decay on batches of 8, no augmentation; weights are not averaged with the first ones. Batch
         statistics stay those of the pre-training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.tuning import Moved, Tuned, Tuning, free, tune
from asclip.towers.pair import DualEncoder


@dataclass(frozen=True)
class FineTuning(Tuning):
    """Full fine-tuning; with `blocks` > 0 only the last blocks and the projection."""

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Tuned:
        """The trained model at its best step."""

        def choose(encoder: DualEncoder, generator: torch.Generator) -> Moved:
            return free(encoder, self.blocks, 1.0)

        return tune(support, validation, texts, choose, how=self, seed=seed)
