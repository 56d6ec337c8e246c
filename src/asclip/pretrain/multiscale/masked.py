"""Masked records: hidden patches from visible ones, hidden words from words and the image.

    L = image_weight mean_{hidden n} |P g(h_n, visible) - x_n|^2 / P'
      + text_weight mean_{hidden t} CE(V f(w_t + A mean of visible h), word_t)

h are local vectors of the image with holes, w those of the text with gaps; g is a decoder that
looks at visible patches, f one that looks at the text; P and V are linear (P' pixels a patch).

Paper    MRM, Zhou et al. 2023 (ICLR), arXiv:2301.13155
Takes    masked.local [B, N, D], gapped.local [B, T, D]; facts.patches [B, N, P'], facts.holes
         [B, N], facts.words and facts.gaps [B, T]
Gives    total; parts image, words, hit (share of hidden words that are found)
Differs  the paper drops hidden patches before its encoder and decodes pixels of twice the
         resolution; here the tower sees holes, and `patches` are what the data gives. The paper
         adds the image to the embeddings that enter its text encoder, here to the vectors that
         leave the text tower, so the decoder f is where both meet. `normalise` sets each patch to
         mean 0 and variance 1 (off, as in the authors' code). Nothing here compares images with
         texts: a zero-shot score needs another objective after it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asclip.pretrain.decoder import Decoder
from asclip.pretrain.scale import check_not_negative
from asclip.pretrain.terms import mean_valid, patch_error, some_visible, word_error
from asclip.types import Encoded, Facts, Loss, Pair


class MaskedRecords(nn.Module):
    """MRM's objective; it owns both decoders: `pixels` a patch and `vocabulary` words."""

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
        normalise: bool = False,
    ) -> None:
        super().__init__()
        check_not_negative(image_weight=image_weight, text_weight=text_weight)

        def decoder() -> Decoder:
            return Decoder(
                width, layers=layers, heads=heads, hidden=4 * width, self_attention=False
            )

        self.image_decoder, self.pixels = decoder(), nn.Linear(width, pixels)
        self.text_decoder, self.words = decoder(), nn.Linear(width, vocabulary)
        self.image_to_text = nn.Linear(width, width)
        self.image_weight, self.text_weight = image_weight, text_weight
        self.normalise = normalise
        self.needs = frozenset(
            {"masked.local", "gapped.local"}
            | {"facts.patches", "facts.holes", "facts.words", "facts.gaps"}
        )

    def restored(self, image: Encoded, holes: Tensor) -> Tensor:
        """Pixels [B, N, P] of every patch."""
        if image.local is None:
            raise ValueError("masked records need local vectors of the image tower; got None")
        return self.pixels(self.image_decoder(image.local, image.local, some_visible(holes))[0])

    def told(self, image: Encoded, text: Encoded, holes: Tensor) -> Tensor:
        """Logits [B, T, V] of every word."""
        if image.local is None or text.local is None:
            raise ValueError("masked records need local vectors of both towers; got None")
        seen = self.image_to_text(mean_valid(image.local, some_visible(holes)))
        words = text.local + seen[:, None]
        return self.words(self.text_decoder(words, words, text.valid)[0])

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images with holes and their texts with gaps."""
        masked, gapped, known = pair.others["masked"], pair.others["gapped"], facts.targets
        holes, gaps, words = known["holes"], known["gaps"], known["words"]
        logits = self.told(masked, gapped, holes)
        image = patch_error(
            self.restored(masked, holes), known["patches"], holes, normalise=self.normalise
        )
        text = word_error(logits, words, gaps.float())
        with torch.no_grad():
            hit = ((logits.argmax(-1) == words) & gaps).sum() / gaps.sum().clamp(min=1)
        total = self.image_weight * image + self.text_weight * text
        return Loss(total, {"image": image.detach(), "words": text.detach(), "hit": hit})
