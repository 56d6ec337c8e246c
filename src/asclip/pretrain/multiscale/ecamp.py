"""Masked records whose gaps fall around entities, and whose patches see the text.

    L = image_weight mean_{hidden n} |P g(h_n + A t, visible) - x_n|^2 / P'
      + text_weight sum_{hidden t} a_t CE(V f(w_t, image), word_t) / sum_{hidden t} a_t

h, w: local vectors of the image with holes and of the text with gaps; t: the whole text with gaps.
f looks at two scales of the image at once: its visible patches and its pooled vector. Which words
are hidden, and a_t, which is small for empty phrases and large for the words before an entity, is
the data's part: data/entities.py.

Paper    ECAMP, Wang et al. 2023, arXiv:2312.13316
Takes    masked.pooled [B, D], masked.local [B, N, D], gapped.pooled [B, D], gapped.local [B, T, D];
         facts.patches [B, N, P'], facts.holes [B, N], facts.words, facts.gaps and facts.weight
         [B, T]
Gives    total; parts image, words, hit (share of hidden words that are found)
Equals   masked language modelling that sees the image, where all words weigh alike
Differs  the authors' code counts every word, hidden or not, and padding; here hidden ones count.
         The report is as it was written (paper: in 80 % of the steps with what a language model
         distilled from it). Its several levels of the image encoder are two here; its patches of
         twice the resolution are what the data gives. Nothing here compares images with texts: a
         zero-shot score needs another objective after it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import check_not_negative
from asclip.pretrain.terms import patch_error, some_visible, word_error
from asclip.types import Encoded, Facts, Loss, Pair


class Ecamp(nn.Module):
    """ECAMP's objective; it owns both decoders."""

    def __init__(
        self,
        width: int,
        *,
        pixels: int,
        vocabulary: int,
        layers: int = 1,
        heads: int = 4,
        image_weight: float = 1.0,
        text_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_not_negative(image_weight=image_weight, text_weight=text_weight)

        def decoder() -> Decoder:
            return Decoder(
                width, layers=layers, heads=heads, hidden=4 * width, self_attention=False
            )

        self.image_decoder, self.pixels = decoder(), nn.Linear(width, pixels)
        self.text_decoder, self.words = decoder(), nn.Linear(width, vocabulary)
        self.text_to_image = nn.Linear(width, width)
        self.image_weight, self.text_weight = image_weight, text_weight
        self.needs = frozenset(
            {"masked.pooled", "masked.local", "gapped.pooled", "gapped.local"}
            | {"facts.patches", "facts.holes", "facts.words", "facts.gaps", "facts.weight"}
        )

    def decode(self, image: Encoded, text: Encoded, holes: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [B, N, P] of every patch and logits [B, T, V] of every word."""
        if image.local is None or text.local is None:
            raise ValueError("ecamp needs local vectors of both towers; got None")
        visible = some_visible(holes)
        asked = image.local + self.text_to_image(text.pooled)[:, None]
        pixels = self.pixels(self.image_decoder(asked, image.local, visible)[0])
        scales = torch.cat([image.pooled[:, None], image.local], 1)
        seen = F.pad(visible, (1, 0), value=True)
        return pixels, self.words(self.text_decoder(text.local, scales, seen)[0])

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images with holes and their texts with gaps."""
        known = facts.targets
        words, gaps = known["words"], known["gaps"]
        pixels, logits = self.decode(pair.others["masked"], pair.others["gapped"], known["holes"])
        image = patch_error(pixels, known["patches"], known["holes"])
        text = word_error(logits, words, known["weight"].masked_fill(~gaps, 0.0))
        with torch.no_grad():
            hit = ((logits.argmax(-1) == words) & gaps).sum() / gaps.sum().clamp(min=1)
        total = self.image_weight * image + self.text_weight * text
        return Loss(total, {"image": image.detach(), "words": text.detach(), "hit": hit})
