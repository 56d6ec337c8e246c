"""Symmetric InfoNCE between images and texts.

    L = (1 - w) * image_to_text + w * text_to_image,    logits = s u_i . v_m,  s = exp(log_scale)

Paper    CLIP, Radford et al. 2021, arXiv:2103.00020, figure 3; ConVIRT, arXiv:2010.00747, eq. 2-4
Takes    pair.image.pooled [B, D], pair.text.pooled [M, D], not normalised
Gives    total; parts image_to_text, text_to_image, scale
Equals   siglip.py with a softmax instead of a sigmoid
Differs  radiology text repeats itself, so a text that two studies share is true of both by default
         (`same_text="positive"`; the papers: "negative"); other studies of one patient may be left
         out of the denominator (`same_patient="neutral"`); a study may bring several texts (M > B);
         many pairs are compared in tiles (tiled.py), which are the same numbers in less memory
"""

from __future__ import annotations

from torch import Tensor

from asclip.errors import ModelError
from asclip.pretrain.scale import Scaled, check_share, log_scale
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.pretrain.tiled import FULL, pairs_of, tiled_contrast
from asclip.types import Facts, Loss, Pair


class Clip(Scaled):
    """CLIP's objective; ConVIRT is `text_weight=0.25, temperature=0.1, learn_temperature=False`.

    `tile` is the number of rows and columns that are compared at once; 0 = all of them, or, with
    more than `tiled.FULL` pairs, tiles of `tiled.TILE`.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        learn_temperature: bool = True,
        text_weight: float = 0.5,
        same_text: str = "positive",
        same_patient: str = "negative",
        tile: int = 0,
    ) -> None:
        super().__init__()
        if tile < 0:
            raise ModelError(f"tile must not be negative; got {tile}; 0 chooses it")
        check_share(text_weight=text_weight)
        self.log_scale = log_scale(temperature).requires_grad_(learn_temperature)
        self.text_weight = text_weight
        self.same_text, self.same_patient, self.tile = same_text, same_patient, tile
        self.needs = frozenset(
            {"image.pooled", "text.pooled"} | relation_needs(same_text, same_patient)
        )

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        scale = self.scale
        to_text, to_image = self._contrast(pair, facts, scale)
        total = (1 - self.text_weight) * to_text + self.text_weight * to_image
        return Loss(
            total,
            {
                "image_to_text": to_text.detach(),
                "text_to_image": to_image.detach(),
                "scale": scale.detach(),
            },
        )

    def _contrast(self, pair: Pair, facts: Facts, scale: Tensor) -> tuple[Tensor, Tensor]:
        image, texts = unit(pair.image.pooled), pair.text.pooled
        words = {"same_text": self.same_text, "same_patient": self.same_patient}
        if self.tile or len(image) * len(texts) > FULL:
            told = pairs_of(facts, len(texts), **words)
            return tiled_contrast(image, unit(texts[told.texts]), scale, told, tile=self.tile)
        pairs = relation(facts, len(texts), **words)
        return contrast(scale * image @ unit(texts[pairs.texts]).T, pairs)  # [B, U]
