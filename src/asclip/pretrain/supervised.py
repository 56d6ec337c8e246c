"""The supervised bound: the same image tower trained on labels, for what the images can carry.

    L = mean over known labels of BCE(sqrt(D) w_k . u_i / |u_i| + b_k, y_ik)

Paper    no paper: the usual multi-label baseline, beside which a zero-shot score is to be read
Takes    pair.image.pooled [B, D]; facts.labels [B, K] in {0, 1, NaN = not stated}
Gives    total
Differs  nothing to differ from
"""

from __future__ import annotations

from torch import Tensor, nn

from asclip.pretrain.terms import known_bce, unit
from asclip.types import Encoded, Facts, Loss, Pair


class Supervised(nn.Module):
    """Multi-label binary cross-entropy that skips unknown labels; owns the linear head."""

    def __init__(self, width: int, labels: tuple[str, ...]) -> None:
        super().__init__()
        if not labels:
            raise ValueError("supervised training needs at least one label column; got none")
        self.labels = labels
        self.head = nn.Linear(width, len(labels))
        self.needs = frozenset({"image.pooled", "facts.labels"})

    def classify(self, image: Encoded) -> Tensor:
        """Logits [B, K]; of directions only, as for the mean over a study's images."""
        return self.head(unit(image.pooled) * self.head.in_features**0.5)

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images."""
        if facts.labels is None:
            raise ValueError("supervised training needs facts.labels; the data set has none")
        return Loss(known_bce(self.classify(pair.image), facts.labels))
