"""Contrast and captions: a small causal decoder writes the report from the image's regions.

    L = w_clip * CLIP(s u.v) + w_caption * mean_bt -log p(word_bt | words before, regions of b)

Paper    CoCa, Yu et al. 2022 (TMLR), arXiv:2205.01917
Takes    image.pooled [B, D], image.local [B, N, D], text.pooled [M, D], facts.words [B, T] (token
         ids, 0 = padding)
Gives    total; parts clip, caption, scale
Equals   clip.py when nobody has words
Differs  the paper's text encoder is the lower, causal half of its decoder; here the text tower
         reads both ways, so the decoder is apart, with word vectors of its own that also score the
         next word. The paper pools the image by learned queries; here words attend to all regions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from asclip.errors import ModelError
from asclip.pretrain.decoder import check_heads
from asclip.pretrain.scale import Scaled, check_count, check_not_negative, log_scale
from asclip.pretrain.terms import contrast, relation, relation_needs, unit
from asclip.types import Facts, Loss, Pair


def positions(length: int, width: int, device: torch.device) -> Tensor:
    """Sines and cosines [T, D] of the place of a word; D even."""
    place = torch.arange(length, device=device).float()[:, None]
    rate = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(1e4) / width))
    return torch.stack([(place * rate).sin(), (place * rate).cos()], -1).flatten(1)


def word_loss(hidden: Tensor, embedding: Tensor, words: Tensor, chunk: int = 1024) -> Tensor:
    """Cross-entropy of hidden [n, D] against all of embedding [V, D] to words [n]; 0 if n = 0.

    Logits of `chunk` words at a time are in memory, and are computed again in the backward pass.
    """

    def some(h: Tensor, e: Tensor, w: Tensor) -> Tensor:
        return F.cross_entropy(h @ e.T, w, reduction="sum")

    total = 0.0 * hidden.sum()
    for h, w in zip(hidden.split(chunk), words.split(chunk), strict=True):
        total = total + checkpoint(some, h, embedding, w, use_reentrant=False)
    return total / max(1, len(words))


class Captioner(nn.Module):
    """A causal transformer over word vectors that attends to regions; pre-norm, no dropout."""

    def __init__(self, width: int, vocabulary: int, layers: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        nn.init.normal_(self.words.weight, std=width**-0.5)
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        layer = nn.TransformerDecoderLayer(
            width, heads, hidden, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, layers, nn.LayerNorm(width))

    def forward(self, words: Tensor, regions: Tensor, valid: Tensor | None) -> Tensor:
        """What is known before each word [B, T] of regions [B, N, D]: [B, T, D]."""
        length, width = words.shape[1], regions.shape[-1]
        start = self.start.expand(len(words), 1, -1)
        x = torch.cat([start, self.words(words[:, : max(0, length - 1)])], 1)[:, :length]
        x = x * width**0.5 + positions(length, width, x.device)
        later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        hidden = None if valid is None else ~valid
        return self.layers(x, regions, tgt_mask=later, memory_key_padding_mask=hidden)


class CoCa(Scaled):
    """CoCa's objective for joint width D and `vocabulary` token ids."""

    def __init__(
        self,
        width: int,
        vocabulary: int,
        *,
        layers: int = 2,
        heads: int = 4,
        hidden: int = 1024,
        clip_weight: float = 1.0,
        caption_weight: float = 2.0,
        temperature: float = 0.07,
        same_text: str = "positive",
        same_patient: str = "negative",
    ) -> None:
        super().__init__()
        if width % 2:
            raise ModelError(f"the width must be even, got {width}")
        check_heads(width, heads)
        check_count(layers=layers)
        check_not_negative(clip_weight=clip_weight, caption_weight=caption_weight)
        self.captioner = Captioner(width, vocabulary, layers, heads, hidden)
        self.log_scale = log_scale(temperature)
        self.clip_weight, self.caption_weight = clip_weight, caption_weight
        self.same_text, self.same_patient = same_text, same_patient
        self.needs = frozenset(
            {"image.pooled", "image.local", "text.pooled", "facts.words"}
            | relation_needs(same_text, same_patient)
        )

    def caption(self, pair: Pair, words: Tensor) -> Tensor:
        """Mean negative log-likelihood of the words [B, T] that are not padding."""
        if pair.image.local is None:
            raise ValueError("coca needs local vectors of the image; got None")
        table = self.captioner.words.weight
        largest = int(words.max()) if words.numel() else 0
        if largest >= len(table):
            raise ValueError(
                f"token ids must be below the vocabulary of {len(table)}, got {largest}; build the "
                "objective with the tokenizer's vocabulary"
            )
        hidden = self.captioner(words, pair.image.local.float(), pair.image.valid)
        real = words > 0
        return word_loss(hidden[real], table, words[real])

    def forward(self, pair: Pair, facts: Facts) -> Loss:
        """The loss of B images and M texts."""
        pairs = relation(
            facts, len(pair.text.pooled), same_text=self.same_text, same_patient=self.same_patient
        )
        scale = self.scale
        cosine = unit(pair.image.pooled) @ unit(pair.text.pooled[pairs.texts]).T
        clip = torch.stack(contrast(scale * cosine, pairs)).mean()
        caption = self.caption(pair, facts.targets["words"])
        total = self.clip_weight * clip + self.caption_weight * caption
        parts = {"clip": clip, "caption": caption, "scale": scale}
        return Loss(total, {name: part.detach() for name, part in parts.items()})
