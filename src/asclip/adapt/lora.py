"""Low-rank updates of a tower's matrices; every other weight stays.

    W' = W + (a / r) B A,   A [r, in] from N(0, 1 / in), B [out, r] from 0
    W of a convolution [out, in k k], of joint queries, keys and values [3 D, D]

Paper    LoRA, Hu et al. 2022 (ICLR), arXiv:2106.09685
Takes    pixels, truth, text directions
Gives    logits [n, K] of features of the updated tower; the step is chosen on validation
Equals   zero_shot.py with steps = 0
Differs  not queries and values alone, but every linear map and every convolution of one group (see
         depth.py), since towers differ; `on` in the record counts them. A weight with fewer rows
         or columns than r + 1 is left out. A is normal, in the code uniform. The product is added
         to the weights, of which the sum is the merged form; biases of labels are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from asclip.adapt.depth import last, matrices, sides
from asclip.adapt.interface import ClassTexts, Examples
from asclip.adapt.tuning import Moved, Tuned, Tuning, tune
from asclip.errors import ModelError
from asclip.towers.pair import DualEncoder


@dataclass(frozen=True)
class LoRA(Tuning):
    """LoRA of rank r and scale a; `towers` is "image" or "both"."""

    rate: float = 1e-3
    rank: int = 4
    scale: float = 4.0
    towers: str = "image"

    def fit(
        self, support: Examples, validation: Examples, texts: ClassTexts, *, seed: int
    ) -> Tuned:
        """The updated model, merged, at its best step."""
        return tune(
            support, validation, texts, self._choose, how=self, towers=self.towers, seed=seed
        )

    def _choose(self, encoder: DualEncoder, generator: torch.Generator) -> Moved:
        towers = ("image", "text") if self.towers == "both" else ("image",)
        kinds = {k: v for tower in towers for k, v in self._targets(encoder, tower).items()}
        weights = dict(encoder.named_parameters())
        pairs = {}
        for name in kinds:
            rows, columns = sides(tuple(weights[name].shape))
            down = torch.randn(self.rank, columns, generator=generator) / columns**0.5
            up = torch.zeros(rows, self.rank)
            pairs[name] = (up.requires_grad_(), down.requires_grad_())
        # The copy's weights become the sum, so the first ones are kept beside.
        first = {name: weights[name].detach().clone() for name in pairs}
        moved = [one for pair in pairs.values() for one in pair]
        factor = self.scale / max(1, self.rank)
        about = {"on": dict(Counter(kinds.values())), "weights": sum(x.numel() for x in moved)}
        return Moved(moved, [1.0] * len(moved), lambda: merged(first, pairs, factor), about)

    def _targets(self, encoder: DualEncoder, name: str) -> dict[str, str]:
        """Weights of the backbone's last blocks, and of the projection behind it, and their kind.

        Raises:
            ModelError: none is large enough for the rank.
        """
        tower = getattr(encoder, name)
        inside = {key for level in last(tower.backbone, self.blocks) for key in level}
        weights = dict(tower.backbone.named_parameters())
        found = {
            f"{name}.backbone.{key}": kind
            for key, kind in matrices(tower.backbone).items()
            if key in inside and min(sides(tuple(weights[key].shape))) > self.rank > 0
        }
        if not found:
            raise ModelError(
                f"LoRA needs a linear map or a convolution with more than {self.rank} rows and "
                f"columns in the {name} tower, and a rank above 0, got none; use a smaller rank, "
                "more blocks, or another adapter"
            )
        return found | {
            f"{name}.projection.{key}": kind for key, kind in matrices(tower.projection).items()
        }


def merged(
    weights: Mapping[str, Tensor], pairs: Mapping[str, tuple[Tensor, Tensor]], factor: float
) -> dict[str, Tensor]:
    """W + factor B A of each weight, on its device."""
    return {
        name: w + factor * (pairs[name][0] @ pairs[name][1]).view_as(w).to(w)
        for name, w in weights.items()
    }
