"""Fine-tuning in which a block moves more slowly the nearer it is to the pixels.

    rate of block l = rate decay^(L - l),   the projection behind the last block L moves at the rate

Paper    discriminative fine-tuning (ULMFiT), Howard and Ruder 2018 (ACL), arXiv:1801.06146
Takes    pixels, truth, text directions
Gives    logits [n, K] of features of the trained tower; the step is chosen on validation
Equals   zero_shot.py with steps = 0, fine_tuning.py with decay = 1
Differs  0.7 a block, not 1 / 2.6 a layer; all blocks move from the first step on, none is thawed
         later, and with `blocks` > 0 the others never move. As fine_tuning.py otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.tuning import Moved, Tuned, Tuning, free, tune
from asclip.towers.pair import DualEncoder


@dataclass(frozen=True)
class LayerWise(Tuning):
    """Layer-wise fine-tuning; `blocks` are the last ones that move (0: all)."""

    rate: float = 3e-4
    decay: float = 0.7

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Tuned:
        """The trained model at its best step."""

        def choose(encoder: DualEncoder, generator: torch.Generator) -> Moved:
            return free(encoder, self.blocks, self.decay)

        return tune(support, validation, texts, choose, how=self, seed=seed)
